#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# matrix_table.py FOLDER SERIES...: writes matrix.json, matrix.txt and counts from the results
# that matrix.sh left for each kernel, and prints the table. Exit code: 1 if anything failed or
# nothing passed.
import json
import os
import re
import sys

STEPS = ("load", "caps", "map", "unload", "quick", "knobs", "lockdown", "log")


def lines_of(*path):
    try:
        with open(os.path.join(*path), errors="replace") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def skips(folder, step):
    """reason -> number of skips."""
    reasons = {}
    for line in lines_of(folder, f"{step}.txt"):
        match = re.search(r"# SKIP:? +(.*)", line)
        if match:
            reasons[match[1]] = reasons.get(match[1], 0) + 1
    return reasons


def steps_of(folder):
    """The results of a guest's steps."""
    steps = {}
    for line in lines_of(folder, "steps"):
        name, *counts = line.split() or [""]
        # A guest that died may have left half a line.
        if len(counts) == 3:
            steps[name] = {**dict(zip(("passed", "failed", "skipped"), map(int, counts))),
                           "skip_reasons": skips(folder, name)}
    return steps


def kernel_of(folder):
    facts = dict(line.split("=", 1) for line in lines_of(folder, "facts"))
    steps = steps_of(folder)
    counts = [sum(step[what] for step in steps.values()) for what in ("passed", "failed", "skipped")]
    if "skipped" in facts:
        counts = [0, 0, 1]
    elif facts.get("guest") != "finished" or set(steps) != set(facts["wanted"].split()):
        # Steps are missing: that is a failure.
        counts[1] += 1
    facts.update(steps=steps, passed=counts[0], failed=counts[1], skipped_cases=counts[2])
    return facts


def said(step):
    """passed/failed/skipped of a step, or one word for a step with one test."""
    if step is None:
        return "-"
    if sum((step["passed"], step["failed"], step["skipped"])) == 1:
        return "yes" if step["passed"] else "no" if step["failed"] else "skipped"
    return f"{step['passed']}/{step['failed']}/{step['skipped']}"


def row(kernel):
    return [kernel.get("kernel") or kernel["series"], kernel.get("debian") or "-",
            kernel.get("dkms_seconds", "-"), *(said(kernel["steps"].get(name)) for name in STEPS),
            kernel.get("guest", "-").split(":")[0]]


def table(kernels):
    rows = [["kernel", "Debian", "dkms s", "loaded", "caps", "map", "unloaded", "quick", "knobs",
             "lockdown", "log clean", "guest"], *map(row, kernels)]
    widths = [max(len(each[column]) for each in rows) for column in range(len(rows[0]))]
    for each in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(each, widths)).rstrip()


def notes(kernels):
    """Reasons of skips and failures."""
    for kernel in kernels:
        name = kernel.get("kernel") or kernel["series"]
        for what in ("skipped", "broken"):
            if what in kernel:
                yield f"{name}: {what}: {kernel[what]}"
        if kernel.get("guest", "finished") != "finished":
            yield f"{name}: guest: {kernel['guest']}"
        for step_name, step in kernel["steps"].items():
            for reason, times in step["skip_reasons"].items():
                yield f"{name}: {step_name}: {times} skipped: {reason}"


def main():
    folder, names = sys.argv[1], sys.argv[2:]
    kernels = [kernel_of(os.path.join(folder, name)) for name in names]
    total = [sum(kernel[what] for kernel in kernels) for what in ("passed", "failed", "skipped_cases")]
    text = "\n".join([*table(kernels), "", "quick, knobs: passed/failed/skipped", "", *notes(kernels), "",
                      "matrix: {} passed, {} failed, {} skipped".format(*total)])
    with open(os.path.join(folder, "matrix.json"), "w") as file:
        json.dump({"kernels": kernels, "passed": total[0], "failed": total[1], "skipped": total[2]},
                  file, indent=2)
    with open(os.path.join(folder, "matrix.txt"), "w") as file:
        file.write(text + "\n")
    with open(os.path.join(folder, "counts"), "w") as file:
        print(*total, file=file)
    print(text)
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
