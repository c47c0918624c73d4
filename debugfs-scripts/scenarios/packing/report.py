#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# report.py [--json] [--no-color] FOLDER
#
# The report on what packing.py counted, in one or several configurations: how many chunks
# of memory were tainted, how few would have been enough, and memory drawn a letter for each
# chunk. Leaves FOLDER/report.json and FOLDER/report.txt.
import json
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))

import render  # noqa: E402
from facts import files_of_runs  # noqa: E402
from render import Look  # noqa: E402

LOOKS = [
    Look("T", "31", "tainted", "tainted: has unmovable pages"),
    Look("m", "33", "clean", "clean: free and movable pages only"),
    Look(".", "32", "empty", "empty: all pages are free"),
]


def read_json(path):
    with open(path, encoding="ascii") as file:
        return json.load(file)


def summary(run):
    """The most over all rounds; the least possible is that for the most memory."""
    rounds = run["rounds"][1:]
    return {
        "tainted": max(r["tainted"] for r in rounds),
        "least": max(r["least"] for r in rounds),
        "peak_mib": max(r["peak_pages"] for r in rounds) * 4 // 1024,
        "chunks": rounds[0]["chunks"],
    }


def verdict(label, seeds):
    above = [s["tainted"] - s["least"] for s in seeds.values()]
    tainted = sorted(s["tainted"] for s in seeds.values())
    chunks = next(iter(seeds.values()))["chunks"]
    found = f"{tainted[0]}" if tainted[0] == tainted[-1] else f"{tainted[0]} to {tainted[-1]}"
    how = "the least possible" if not any(above) else f"up to {max(above)} more than necessary"
    return f"{label}: {found} of {chunks} chunks tainted, {how}"


def build_report(paths):
    """runs and summaries: {configuration: {seed: ...}}"""
    runs = {label: {seed: read_json(path) for seed, path in seeds.items()}
            for label, seeds in paths.items()}
    summaries = {label: {seed: summary(run) for seed, run in of_seed.items()}
                 for label, of_seed in runs.items()}
    verdicts = {label: verdict(label, of_seed) for label, of_seed in summaries.items()}
    return {"runs": runs, "summaries": summaries, "verdicts": verdicts}


# --- drawing -------------------------------------------------------------------------


def head(report):
    of_seed = next(iter(report["runs"].values()))
    first = next(iter(of_seed.values()))
    return ["Superpageblocks: the same workload in each configuration",
            f"  Linux {first['kernel']}, {first['asked_rounds']} rounds, up to {first['percent']}% of memory "
            f"mapped, {first['files']} files with each 2 MiB, up to {first['pipes']} pipes",
            f"  make run SCENARIO=packing SEEDS=\"{' '.join(map(str, of_seed))}\" ROUNDS={first['asked_rounds']}"]


def summary_table(report):
    return render.table(
        ["configuration", "seed", "unmovable, at most", "chunks that takes", "chunks tainted"],
        [[label, seed, f"{s['peak_mib']} MiB", s["least"], s["tainted"]]
         for label, seeds in report["summaries"].items() for seed, s in seeds.items()])


def rounds_table(report):
    """Of the first seed."""
    runs = {label: next(iter(of_seed.values())) for label, of_seed in report["runs"].items()}
    header = ["round"] + [f"{label}: {what}" for label in runs for what in ("tainted", "least", "least now")]
    rows = [[rounds[0]["round"]] + [r[what] for r in rounds for what in ("tainted", "least", "least_now")]
            for rounds in zip(*(run["rounds"] for run in runs.values()))]
    return render.table(header, rows)


def map_lines(label, of_seed, use_colour):
    run = next(iter(of_seed.values()))
    lines = [f"{label}, seed {run['seed']}: a letter per {run['chunk_kb'] // 1024} MiB, a line per round"]
    return lines + [f"  {r['round']:>3}  {render.letters(r['map'], LOOKS, use_colour)}" for r in run["rounds"]]


def text_of(report, use_colour):
    return render.paragraphs([
        head(report), summary_table(report), rounds_table(report),
        *(render.indented(map_lines(label, of_seed, use_colour))
          for label, of_seed in report["runs"].items()),
        render.legend(LOOKS, use_colour), ["Verdict"] + render.indented(report["verdicts"].values())])


def show(folder, as_json=False, use_colour=False):
    paths = files_of_runs(folder, "packing.json")
    if not paths:
        print(f"{folder}: the guest left nothing to report on")
        return 1
    report = build_report(paths)
    render.save(folder, report, text_of(report, False))
    print(json.dumps(report, indent=1) if as_json else text_of(report, use_colour))
    return 0


if __name__ == "__main__":
    render.report_main(show)
