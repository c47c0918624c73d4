#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Runs the quick tests many times (100) to find flaky ones: the suites in all configurations
# of UML, and the scenario quick in a guest with and in one without superpageblocks. Continues
# after a failed run and leaves its logs in build/again/RUN-PART/.
#
#   again.py [--times N] [--only GLOB]
#
# build/again/times.json has the result and the seconds of each run. Exit code: 0 all
# passed, 1 some failed.
import argparse
import fnmatch
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import boot
import configurations
import machine
import suites

TOOLS = os.path.dirname(os.path.realpath(__file__))
REPO = os.path.dirname(TOOLS)
OUT = os.path.join(REPO, "build", "again")
QUICK_CONFIGS = ("uml", "uml-spb")
GUEST_LIMIT = 300


def tool(*command):
    """The output of a tool; its messages go to stderr."""
    return subprocess.run([os.path.join(TOOLS, command[0]), *command[1:]], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


class SuitesPart:
    """The suites in one configuration. The cases are listed only once."""

    def __init__(self, config, tree, kernel):
        self.name = f"suites-{config}"
        self.config, self.tree, self.kernel = config, tree, kernel
        self.expected = None

    def run(self, out):
        ran = suites.Suites(self.tree, self.config, self.kernel, out, GUEST_LIMIT)
        if self.expected is None:
            os.makedirs(out, exist_ok=True)
            self.expected = ran.expected("fragbed_*")
        result = ran.run("fragbed_*", self.expected)
        return result.exit_code() == suites.PASSED, result.killer() or ""


class QuickPart:
    """The scenario quick in a guest of one configuration."""

    def __init__(self, config, kernel):
        self.name = f"quick-{config}"
        self.config, self.kernel = config, kernel

    def run(self, out):
        os.makedirs(out, exist_ok=True)
        with open(os.path.join(out, "job.log"), "wb") as log:
            code = subprocess.run(
                [os.path.join(TOOLS, "guest.sh"), "--config", self.config, "--kernel", self.kernel,
                 "--timeout", str(GUEST_LIMIT), "--out", out,
                 "quick"],
                stdout=log, stderr=subprocess.STDOUT).returncode
        return code == 0, f"exit code {code}"


def build(folder):
    """Kernel and module of each configuration, in a folder of its own."""
    for name in sorted({configurations.get(config).build for config in config_names()}):
        os.mkdir(os.path.join(folder, name))
        tool("build.sh", name, os.path.join(folder, name))


def config_names():
    return configurations.of_group("uml")


def all_parts(folder):
    tree = tool("prepare.sh")

    def kernel(config):
        return os.path.join(folder, configurations.get(config).build)

    return [*(SuitesPart(config, tree, kernel(config)) for config in config_names()),
            *(QuickPart(config, kernel(config)) for config in QUICK_CONFIGS)]


class Record:
    """The results of the runs."""

    def __init__(self):
        self.rows = []

    def add(self, run):
        self.rows += run
        self.save()

    def red(self):
        return [row for row in self.rows if not row["green"]]

    def of_part(self, part):
        return [row for row in self.rows if row["part"] == part]

    def runs(self):
        """The seconds of each run, all parts together."""
        sums = {}
        for row in self.rows:
            sums[row["run"]] = sums.get(row["run"], 0) + row["seconds"]
        return list(sums.values())

    def save(self):
        with open(os.path.join(OUT, "times.json"), "w") as file:
            json.dump(self.rows, file, indent=1)


def line(name, green, total, seconds):
    tenths = statistics.quantiles(seconds, n=10, method="inclusive") if len(seconds) > 1 else [seconds[0]] * 9
    print(f"  {name:24} {green:5} of {total:<5} {statistics.median(seconds):8.1f}"
          f" {min(seconds):8.1f} {tenths[8]:8.1f} {max(seconds):8.1f}")


def show(record, parts):
    print(f"  {'seconds':24} {'passed':>5}    {'':4} {'median':>8} {'least':>8} {'9 of 10':>8} {'most':>8}")
    for part in parts:
        rows = record.of_part(part.name)
        if rows:
            line(part.name, sum(row["green"] for row in rows), len(rows),
                 [row["seconds"] for row in rows])
    runs = record.runs()
    red = {row["run"] for row in record.red()}
    line("all parts", len(runs) - len(red), len(runs), runs)
    for row in record.red():
        print(f"failed: run {row['run']}: {row['part']}: {row['why']}; see build/again/{row['run']}-{row['part']}")


def run_once(number, parts, folder):
    """A row for each part; none if the run is interrupted, since its time means nothing."""
    rows = []
    for part in parts:
        out = os.path.join(folder, "out")
        shutil.rmtree(out, ignore_errors=True)
        start = time.monotonic()
        green, why = part.run(out)
        rows.append({"run": number, "part": part.name, "green": green, "why": why,
                     "seconds": round(time.monotonic() - start, 2)})
        if not green:
            shutil.copytree(out, os.path.join(OUT, f"{number}-{part.name}"), dirs_exist_ok=True)
    return rows


def run_all(options, folder):
    build(folder)
    parts = [part for part in all_parts(folder) if fnmatch.fnmatch(part.name, options.only)]
    if not parts:
        sys.exit(f"--only {options.only}: matches no part")
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(OUT)
    record = Record()
    try:
        for number in range(1, options.times + 1):
            record.add(run_once(number, parts, folder))
            print(f"run {number} of {options.times}: {record.runs()[-1]:.1f} s,"
                  f" {len(record.red())} failures so far", file=sys.stderr, flush=True)
    finally:
        if record.rows:
            show(record, parts)
    return 1 if record.red() else 0


def main():
    parser = argparse.ArgumentParser(description="runs the quick tests many times to find flaky ones")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--only", default="*", help="parts: suites-CONFIG, quick-CONFIG")
    options = parser.parse_args()
    boot.stop_on_signals()
    # Here a later run of any tool removes it if this process is killed.
    run = os.path.join(machine.cache_folder(), "run")
    os.makedirs(run, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f"{os.getpid()}-", dir=run) as folder:
            return run_all(options, folder)
    except boot.Stopped as stopped:
        return stopped.exit_code


if __name__ == "__main__":
    sys.exit(main())
