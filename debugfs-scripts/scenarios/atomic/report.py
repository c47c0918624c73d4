#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# report.py [--json] [--no-color] FOLDER
#
# Compares what the same atomic allocations got without and with superpageblocks, the two
# configurations of scenario.toml, step by step. Leaves FOLDER/report.json and
# FOLDER/report.txt.
#
# Exit: 0 no step failed only with superpageblocks, 1 one did, or the runs differ in what
# they allocate.
import json
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))

import render  # noqa: E402
import scenarios  # noqa: E402
from facts import files_of_runs, read_table  # noqa: E402


def read_steps(path):
    """{step: (order, count, whether it got memory)}"""
    return {int(step): (int(order), int(count), got == "ok") for step, order, count, got in read_table(path)}


def compare(without, with_):
    """Of one seed."""
    same = {step: asked[:2] for step, asked in without.items()} == {
        step: asked[:2] for step, asked in with_.items()}
    return {
        "steps": len(without), "same_requests": same and bool(without),
        "failed_without": sum(not got for _, _, got in without.values()),
        "failed_with": sum(not got for _, _, got in with_.values()),
        "failed_only_with": [step for step, (_, _, got) in with_.items()
                             if not got and step in without and without[step][2]]}


def is_good(found):
    return found["same_requests"] and not found["failed_only_with"]


def build_report(folder):
    """{seed: comparison} of the seeds that both configurations have run."""
    paths = files_of_runs(folder, "steps")
    without, with_ = (paths.get(name, {}) for name in scenarios.read("atomic").configurations)
    seeds = {seed: compare(read_steps(without[seed]), read_steps(with_[seed]))
             for seed in without if seed in with_}
    return {"seeds": seeds, "verdicts": [words(seed, found) for seed, found in seeds.items()]}


def words(seed, found):
    if not found["same_requests"]:
        return f"seed {seed}: the two runs do not request the same"
    if found["failed_only_with"]:
        return (f"seed {seed}: steps that failed only with superpageblocks: "
                f"{', '.join(map(str, found['failed_only_with']))}")
    return f"seed {seed}: no step failed only with superpageblocks"


def text_of(report):
    rows = [[seed, found["steps"], found["failed_without"], found["failed_with"], len(found["failed_only_with"])]
            for seed, found in report["seeds"].items()]
    return render.paragraphs([
        ["Atomic allocations without and with superpageblocks"],
        render.table(["seed", "steps", "failed without", "failed with", "only with"], rows),
        ["Verdict"] + render.indented(report["verdicts"])])


def show(folder, as_json=False, _use_colour=False):
    report = build_report(folder)
    if not report["seeds"]:
        print(f"{folder}: no seed was run in both configurations")
        return 1
    render.save(folder, report, text_of(report))
    print(json.dumps(report, indent=1) if as_json else text_of(report))
    return 0 if all(map(is_good, report["seeds"].values())) else 1


if __name__ == "__main__":
    render.report_main(show)
