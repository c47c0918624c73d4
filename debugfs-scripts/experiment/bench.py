#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# bench.py FOLDER
#
# The microbenchmarks, from the results of bench.sh in FOLDER: prints tables and leaves
# FOLDER/report.json. data.py and report.py import it.
import argparse
import json
import os
import re
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

import render  # noqa: E402
from facts import read_answers, read_facts  # noqa: E402

KERNELS = ("mainline", "off", "spb")
# The promised limits, in percent above mainline: (case, kernel) -> limit.
TARGETS = {("pcp-0", "spb"): 1.0, ("zone-0", "spb"): 3.0}
OFF_TARGET = 0.1
HOLD_TARGET = 10.0


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def read_rows(path):
    """The lines of the modules: {"module": ..., key: value}."""
    rows = []
    for line in read_text(path).splitlines():
        module, _, rest = line.partition(": ")
        pairs = dict(re.findall(r"(\w+)=(\S+)", rest))
        if pairs:
            rows.append({"module": module, **{key: as_number(value) for key, value in pairs.items()}})
    return rows


def as_number(text):
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def read_runs(folder, kind):
    """{kernel: [{"rows": ..., "start": ...}]}"""
    runs = {}
    for kernel in KERNELS:
        top = os.path.join(folder, kind, kernel)
        numbers = sorted(os.listdir(top), key=int) if os.path.isdir(top) else []
        runs[kernel] = [{"rows": read_rows(os.path.join(top, number, "rows")),
                         "start": read_facts(os.path.join(top, number, "start"), as_number)}
                        for number in numbers]
    return runs


def case_values(runs):
    """{(case, what): {kernel: [value of each run and CPU]}}"""
    values = {}
    for kernel, of_kernel in runs.items():
        for row in (row for run in of_kernel for row in run["rows"]
                    if "case" in row and not row.get("failed")):
            for what in ("alloc", "free"):
                values.setdefault((row["case"], what), {}).setdefault(kernel, []).append(float(row[what]))
    return values


def percent_above(value, base):
    return (value / base - 1) * 100 if base else 0.0


def limit_for(case, kernel):
    """The promised limit in percent above mainline, or None. It is for instructions only."""
    if kernel == "off":
        return OFF_TARGET
    return TARGETS.get((case.rsplit("-", 1)[0], kernel))


def price(case, what, by_kernel, with_targets):
    """One case of the microbenchmarks."""
    line = {"case": case, "what": what, "kernels": {}}
    base = statistics.median(by_kernel["mainline"]) if by_kernel.get("mainline") else None
    for kernel, values in by_kernel.items():
        median = statistics.median(values)
        limit = limit_for(case, kernel) if with_targets else None
        above = percent_above(median, base) if base else None
        line["kernels"][kernel] = {
            "median": median, "low": min(values), "high": max(values), "percent": above,
            "limit": limit,
            "met": None if limit is None or above is None else above <= limit + 1e-9}
    return line


def prices(runs, with_targets):
    return [price(case, what, by_kernel, with_targets)
            for (case, what), by_kernel in case_values(runs).items()]


def holds(runs):
    """How long the zone lock was held, {load: {kernel: row}}: of several starts the one
    with the median of the longest times."""
    found = {}
    for kernel, of_kernel in runs.items():
        rows = sorted((row for run in of_kernel for row in run["rows"] if row["module"] == "fragbed_hold"),
                      key=lambda row: row["longest"])
        for load in dict.fromkeys(row["load"] for row in rows):
            same = [row for row in rows if row["load"] == load]
            found.setdefault(load, {})[kernel] = same[len(same) // 2]
    worst = {kernel: dict(max(rows, key=lambda row: row["longest"]), holds=sum(row["holds"] for row in rows))
             for kernel, rows in by_kernel_of(found).items()}
    if len(found) > 1:
        found["all"] = worst
    for by_kernel in found.values():
        base = by_kernel.get("mainline", {}).get("longest")
        for row in by_kernel.values():
            row["percent"] = percent_above(row["longest"], base) if base else None
    return found


def by_kernel_of(found):
    """{load: {kernel: row}} -> {kernel: [row]}"""
    rows = {}
    for by_kernel in found.values():
        for kernel, row in by_kernel.items():
            rows.setdefault(kernel, []).append(row)
    return rows


def starts(runs):
    return {kernel: of_kernel[0]["start"] for kernel, of_kernel in runs.items() if of_kernel}


def read_picks(path):
    found = re.findall(r"(\d+) SPBs: ([\d.]+) ns", read_text(path))
    return [{"spbs": int(nr), "ns": float(took)} for nr, took in found]


def read_moves(folder):
    """What the scenario defrag moved, a row for each write to the knob."""
    if not os.path.isdir(folder):
        return []
    return [{"knob": f"spb/{knob}", "round": number, "pages": answer["pages"], "ms": answer["ns"] / 1e6}
            for number, answers in read_answers(folder).items() for knob, answer in answers.items()
            if answer.get("ns")]


def build_report(folder):
    """None if nothing was measured."""
    counted, timed = read_runs(folder, "count"), read_runs(folder, "exp")
    if not any(counted.values()) and not any(timed.values()):
        return None
    return {"command": "debugfs-scripts/experiment/bench.sh", "commit": read_text(os.path.join(folder, "commit")).strip(),
            "instructions": prices(counted, True), "cycles": prices(timed, False),
            "holds": holds(counted), "starts": starts(counted),
            "picks": read_picks(os.path.join(folder, "picks")),
            "moves": read_moves(os.path.join(folder, "defrag", "answers"))}


# --- tables --------------------------------------------------------------------------


def cell(kernel, entry):
    if entry is None:
        return "-"
    text = f"{entry['median']:.1f}"
    if kernel != "mainline" and entry["percent"] is not None:
        text += f" ({entry['percent']:+.2f}%)"
    if entry["met"] is False:
        text += " MISSED"
    return text


def price_table(lines):
    """Header and rows."""
    header = ["case", "what", *KERNELS]
    return header, [[line["case"], line["what"],
                     *(cell(kernel, line["kernels"].get(kernel)) for kernel in KERNELS)]
                    for line in lines]


def hold_table(found):
    header = ["load", "kernel", "holds", "median", "p99", "longest", "above mainline", "released in"]
    rows = []
    for load, by_kernel in found.items():
        for kernel, row in by_kernel.items():
            above = "-" if row["percent"] is None else f"{row['percent']:+.1f}%"
            if kernel != "mainline" and (row["percent"] or 0) > HOLD_TARGET:
                above += " MISSED"
            rows.append([load, kernel, row["holds"], row["median"], row["p99"], row["longest"], above,
                         row.get("at", "")])
    return header, rows


def start_table(found):
    """Boot time in counted instructions; memory that the kernel itself uses."""
    base = found.get("mainline", {})
    rows = []
    for kernel, facts in found.items():
        less = base.get("total_kb", 0) - facts.get("total_kb", 0)
        rows.append([kernel, facts.get("boot_seconds", "-"), facts.get("total_kb", "-"), f"{less:+d}"])
    return ["kernel", "boot, 10^9 instructions", "MemTotal, KiB", "KiB less than mainline"], rows


def pick_table(picks):
    return ["superpageblocks", "ns a pick, in UML"], [[pick["spbs"], pick["ns"]] for pick in picks]


def move_table(moves):
    return (["knob, in UML", "round", "pages moved", "ms", "pages per ms"],
            [[move["knob"], move["round"], move["pages"], f"{move['ms']:.1f}", f"{move['pages'] / move['ms']:.0f}"]
             for move in moves])


def tables(report):
    """(title, header, rows) of everything that was measured."""
    parts = [("Retired instructions per page or block, one CPU", *price_table(report["instructions"])),
             ("Cycles per page or block, two CPUs at once, median of all runs", *price_table(report["cycles"])),
             ("Zone lock held, instructions", *hold_table(report["holds"])),
             ("Start and memory", *start_table(report["starts"])),
             ("Picking a superpageblock", *pick_table(report["picks"])),
             ("Defragmentation and evacuation", *move_table(report.get("moves", [])))]
    return [part for part in parts if part[2]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    args = parser.parse_args()
    report = build_report(args.folder)
    if report is None:
        raise SystemExit(f"{args.folder}: nothing was measured")
    for title, header, rows in tables(report):
        print(title, *render.table(header, rows), "", sep="\n")
    with open(os.path.join(args.folder, "report.json"), "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
