#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# compare.py A B: two saved reports of the experiment (folders with report.json, or the
# files). A figure has changed if the two spreads, lowest to highest of all seeds, do not
# overlap; otherwise the difference is noise. Counted instructions have no spread: they have
# changed if the difference is more than a tenth of a percent.
#
# Exit: 0 nothing got worse, 1 something did, 2 the reports cannot be compared.
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

from bench import KERNELS  # noqa: E402
from data import FIGURES, NAMES, figure_values  # noqa: E402
from render import table  # noqa: E402
from spread import in_words, judge, spread  # noqa: E402

INSTRUCTIONS_PERCENT = 0.1
WORDS = {"worse": "WORSE", "better": "better", "noise": "noise"}


def refuse(reason):
    print(f"compare.py: {reason}", file=sys.stderr)
    sys.exit(2)


def load(path):
    path = os.path.join(path, "report.json") if os.path.isdir(path) else path
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        return refuse(f"{path}: {error}")


def pairs(first, second):
    """The names in both, with the two values."""
    return ((name, first[name], second[name]) for name in first if name in second)


def figure_rows(first, second):
    rows = []
    for load_name, a_load, b_load in pairs(first["summaries"], second["summaries"]):
        for kernel, a_seeds, b_seeds in pairs(a_load, b_load):
            rows += kernel_rows(load_name, kernel, a_seeds, b_seeds)
    return rows


def kernel_rows(load_name, kernel, a_seeds, b_seeds):
    rows = []
    for name, (title, digits, more_is_better) in FIGURES.items():
        before, after = (spread(figure_values(seeds, name)) for seeds in (a_seeds, b_seeds))
        if before and after:
            rows.append([load_name, NAMES.get(kernel, kernel), title, in_words(before, digits),
                         in_words(after, digits), WORDS[judge(before, after, more_is_better)]])
    return rows


def price_rows(first, second):
    """Instructions only: times on a busy host cannot be compared with those of another day."""
    def by_case(report):
        lines = (report.get("bench") or {}).get("instructions", [])
        return {(line["case"], line["what"]): line["kernels"] for line in lines}

    rows = []
    for (case, what), before, after in pairs(by_case(first), by_case(second)):
        for kernel in (kernel for kernel in KERNELS if kernel in before and kernel in after):
            a, b = before[kernel]["median"], after[kernel]["median"]
            percent = (b / a - 1) * 100 if a else 0
            word = "noise" if abs(percent) <= INSTRUCTIONS_PERCENT else "worse" if percent > 0 else "better"
            rows.append(["make bench", NAMES[kernel], f"instructions: {case}, {what}", f"{a:.1f}",
                         f"{b:.1f} ({percent:+.2f}%)", WORDS[word]])
    return rows


def differences(first, second):
    """Why the two reports may not be comparable."""
    found = []
    for what in ("memory_mib", "release", "config", "exact"):
        before, after = ({(row["kernel"], row[what]) for row in report["origin"]} for report in (first, second))
        shared = {kernel for kernel, _ in before} & {kernel for kernel, _ in after}
        changed = sorted({kernel for kernel, _ in before ^ after} & shared)
        if changed:
            found.append(f"{what} differs: {', '.join(changed)}")
    seeds = [{row["seed"] for row in report["origin"]} for report in (first, second)]
    if seeds[0] != seeds[1]:
        found.append(f"seeds differ: {', '.join(sorted(seeds[0]))} and {', '.join(sorted(seeds[1]))}")
    return found


def main():
    if len(sys.argv) != 3 or not all(sys.argv[1:]):
        refuse("usage: make compare A=FOLDER B=FOLDER")
    first, second = map(load, sys.argv[1:])
    rows = figure_rows(first, second) + price_rows(first, second)
    if not rows:
        refuse("the two reports have no workload and kernel in common")
    for line in differences(first, second):
        print(f"note: {line}")
    print(*table(["workload", "kernel", "figure", "A", "B", ""], rows, indent=""), sep="\n")
    counts = {word: sum(row[-1] == word for row in rows) for word in WORDS.values()}
    print("\n" + ", ".join(f"{nr} {word}" for word, nr in counts.items()))
    sys.exit(1 if counts["WORSE"] else 0)


if __name__ == "__main__":
    main()
