# SPDX-License-Identifier: GPL-2.0
#
# The results of run.sh, read into one object, and the figures of each run. report.py and
# compare.py draw them.
import json
import os

import bench
import chunk_map
from facts import read_facts
from spread import in_words, judge, spread

ORDER = ("mainline", "mainline-defrag", "off", "spb", "spb-defrag")
NAMES = {"mainline": "mainline", "mainline-defrag": "mainline, defrag_mode=1",
         "off": "ours, option off", "spb": "ours", "spb-defrag": "ours, defrag_mode=1"}
OURS = ("spb", "spb-defrag")

# name: (title, digits, whether more is better)
FIGURES = {
    "tainted": ("tainted chunks, most", 0, False),
    "pages_resident": ("1 GiB pages, resident", 0, True),
    "pages_ended": ("1 GiB pages, ended", 0, True),
    "seconds_resident": ("s to get them, resident", 1, False),
    "seconds_ended": ("s to get them, ended", 1, False),
    "migrated": ("pages migrated for them", 0, False),
    "throughput": ("MiB moved per s for them", 0, True),
    "workload_migrated": ("pages migrated by the workload", 0, False),
    "stalls": ("allocation stalls", 0, False),
    "thp_percent": ("huge pages of 2 MiB, % of faults", 1, True),
    "workload_seconds": ("s of workload", 1, False),
}


def read_run(folder):
    with open(os.path.join(folder, "run.json"), encoding="ascii") as file:
        run = json.load(file)
    run["facts"] = read_facts(os.path.join(folder, "facts"), str)
    return run


def known_first(names):
    return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def read_runs(folder):
    """{workload: {kernel: {seed: run}}} of those that were completed."""
    runs = {}
    top = os.path.join(folder, "runs")
    for kernel in known_first(os.listdir(top)):
        for load in sorted(os.listdir(os.path.join(top, kernel))):
            for seed in sorted(os.listdir(os.path.join(top, kernel, load)), key=int):
                path = os.path.join(top, kernel, load, seed)
                if os.path.exists(os.path.join(path, "run.json")):
                    runs.setdefault(load, {}).setdefault(kernel, {})[seed] = read_run(path)
    return runs


# --- figures -------------------------------------------------------------------------


def rows_of(run, sample):
    """The rows that ChunkMap.take() returned."""
    return [dict(zip(run["classes"], cells), chunk=number)
            for number, cells in zip(run["chunk_numbers"], sample["chunks"])]


def tainted(rows):
    return {row["chunk"] for row in rows if chunk_map.is_tainted(row)}


def tainted_counts(run):
    return [len(tainted(rows_of(run, sample))) for sample in run["samples"]]


def peak_stuck(run):
    return max(sum(map(chunk_map.stuck, rows_of(run, sample))) for sample in run["samples"])


def last_sample(run, phase):
    return [sample for sample in run["samples"] if sample["phase"] == phase][-1]


def possible(run):
    """The fewest chunks that had to be tainted, and the most 1 GiB pages that could be allocated."""
    peak = peak_stuck(run)
    rows = rows_of(run, run["samples"][-1])
    found = {"tainted": len(chunk_map.packed(rows, peak)), "peak_mib": peak * chunk_map.PAGE >> 20}
    for phase in ("resident", "ended"):
        rows = rows_of(run, last_sample(run, phase))
        found[f"pages_{phase}"] = chunk_map.most_gigantic(rows, peak)
    return found


def counted(parts, name):
    return sum(part["counters"][name] for part in parts)


def thp_percent(phases):
    got, failed = counted(phases, "thp_fault_alloc"), counted(phases, "thp_fault_fallback")
    return 100 * got / (got + failed) if got + failed else None


def throughput(gathered):
    """None if too few pages were migrated to measure it."""
    moved = gathered["counters"]["pgmigrate_success"]
    return moved * chunk_map.PAGE / (1 << 20) / gathered["seconds"] if moved >= 10000 else None


def figures(run):
    gathered = {part["phase"]: part for part in run["gathered"]}
    return {
        "tainted": max(tainted_counts(run)),
        "pages_resident": gathered["resident"]["pages"],
        "pages_ended": gathered["ended"]["pages"],
        "seconds_resident": gathered["resident"]["seconds"],
        "seconds_ended": gathered["ended"]["seconds"],
        "migrated": counted(run["gathered"], "pgmigrate_success"),
        "throughput": throughput(gathered["resident"]),
        "workload_migrated": counted(run["phases"], "pgmigrate_success"),
        "stalls": counted(run["phases"], "allocstall"),
        "thp_percent": thp_percent(run["phases"]),
        "workload_seconds": round(sum(part["seconds"] for part in run["phases"]), 3),
    }


def summarize(of_load):
    """{kernel: {seed: {"figures": ..., "possible": ...}}}"""
    summary = {}
    for kernel, seeds in of_load.items():
        for seed, run in seeds.items():
            summary.setdefault(kernel, {})[seed] = {"figures": figures(run), "possible": possible(run)}
    return summary


def figure_values(seeds, name):
    return [entry["figures"][name] for entry in seeds.values()]


# --- targets -------------------------------------------------------------------------


def misses(seeds, name, is_missed):
    return [seed for seed, entry in seeds.items()
            if is_missed(entry["figures"][name], entry["possible"][name])]


def target(what, load, kernel, seeds, missed, words):
    return {"what": what, "load": load, "kernel": kernel, "met": not missed,
            "words": f"{words} in {len(seeds) - len(missed)} of {len(seeds)} runs"
                     + (f"; not with seed {', '.join(missed)}" if missed else "")}


def slower(summary, kernel):
    """Slower only if the spreads do not overlap, as in compare.py."""
    base = spread(figure_values(summary["mainline"], "workload_seconds"))
    mine = spread(figure_values(summary[kernel], "workload_seconds"))
    return {"what": "no slower than mainline", "kernel": kernel,
            "met": judge(base, mine, more_is_better=False) != "worse",
            "words": f"{in_words(mine, 1)} s, mainline {in_words(base, 1)} s"}


def targets(load, summary):
    found = []
    for kernel in (kernel for kernel in OURS if kernel in summary):
        seeds = summary[kernel]
        found.append(target("least tainted", load, kernel, seeds,
                            misses(seeds, "tainted", lambda got, least: got > least), "the least possible"))
        for phase in ("resident", "ended"):
            name = f"pages_{phase}"
            found.append(target(f"1 GiB pages, {phase}", load, kernel, seeds,
                                misses(seeds, name, lambda got, most: got < most), "the most possible"))
        if "mainline" in summary:
            found.append(dict(slower(summary, kernel), load=load))
    return found


def bench_targets(measured):
    """Of each promised limit the case with the highest percentage."""
    promised = {}
    for line in measured["instructions"] if measured else []:
        for kernel, entry in line["kernels"].items():
            if entry["met"] is not None:
                what = "all" if kernel == "off" else line["case"].rsplit("-", 1)[0]
                promised.setdefault((kernel, what), []).append((entry["percent"], entry["limit"], line))
    found = []
    for (kernel, what), entries in promised.items():
        percent, limit, line = max(entries, key=lambda entry: entry[0])
        found.append({"what": f"instructions: {what}", "kernel": kernel, "load": "make bench",
                      "met": percent <= limit + 1e-9,
                      "words": f"{percent:+.2f}% at worst ({line['case']}, {line['what']}), at most {limit:g}%"})
    return found + hold_targets(measured)


def hold_targets(measured):
    found = []
    for load, by_kernel in (measured["holds"] if measured else {}).items():
        row = by_kernel.get("spb")
        if row and row["percent"] is not None:
            found.append({"what": f"zone lock, longest: {load}", "kernel": "spb", "load": "make bench",
                          "met": row["percent"] <= bench.HOLD_TARGET,
                          "words": f"{row['percent']:+.1f}%, at most {bench.HOLD_TARGET:g}%"})
    return found


def build_report(folder):
    runs = read_runs(folder)
    if not runs:
        raise SystemExit(f"{folder}: no run was completed")
    summaries = {load: summarize(of_load) for load, of_load in runs.items()}
    measured = bench.build_report(os.path.join(folder, "bench"))
    promises = sum((targets(load, summary) for load, summary in summaries.items()), [])
    return {"runs": runs, "summaries": summaries, "bench": measured,
            "targets": promises + bench_targets(measured), "origin": origin(runs)}


def origin(runs):
    """A row for each run: what it ran on, with which command."""
    return [{"load": load, "kernel": kernel, "seed": seed, "release": run["kernel"], "build": run["build"],
             "defrag_mode": run["defrag_mode"], "memory_mib": run["total_bytes"] >> 20, "how": run["how"],
             "config": run["facts"].get("config_hash", "?"), "configuration": run["facts"].get("configuration", "?"),
             "commit": run["facts"].get("commit", "?"), "command": run["facts"].get("command", "?"),
             "exact": all(sample["drained"] for sample in run["samples"])}
            for load, of_load in runs.items() for kernel, seeds in of_load.items()
            for seed, run in seeds.items()]
