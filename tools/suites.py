#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Runs the KUnit suites of a built kernel and reports the result. A run passes only if every
# listed case is reported and the kernel's log has no splat.
#
#   suites.py run --tree DIR --config NAME --folder DIR --out DIR GLOB
#   suites.py compare RESULT...    fails if a case was skipped in all of them
#
# Exit code: 0 all passed, 1 failed, 3 crashed or cut short, 4 all skipped, 5 no test ran,
# 124 time limit.
import argparse
import json
import os
import re
import shlex
import subprocess
import sys

import boot
import configurations
import machine

PASSED, FAILED, CRASHED, SKIPPED, NO_TEST, TIME_LIMIT = 0, 1, boot.CRASHED, 4, 5, boot.TIME_LIMIT
WORDS = {PASSED: "passed", FAILED: "failed", CRASHED: "kernel crashed or output cut short",
         SKIPPED: "all skipped", NO_TEST: "no test ran", TIME_LIMIT: "time limit"}

LIST_OF_SPLATS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../debugfs-scripts/lib/splats")


def read_splats():
    """The kernel's reports of its own bugs, as one regular expression."""
    with open(LIST_OF_SPLATS, encoding="utf-8") as file:
        lines = file.read().splitlines()
    return re.compile("|".join(line for line in lines if line and not line.startswith("#")))


# With one of these in the kernel's log a run fails even if all its cases pass.
SPLAT = read_splats()
PANIC = re.compile(r"Kernel panic - |Aborted|Segfault with no mm")
CASE = re.compile(r"^(?:\[[ .0-9]+\] )?([^\s.]+\.[^\s.]+)$")
SKIP = re.compile(r"^(?:\[[ .0-9]+\] )? *ok \d+ (\S.*?) # SKIP ?(.*)$")

UNNAMED = "(cut short)"

class Suites:
    """A built kernel in a folder, and the folder for the results of its suites."""

    def __init__(self, tree, config, folder, out, limit=120):
        self.tree, self.config, self.folder = tree, config, folder
        self.out, self.limit = out, limit
        self.args = ["kunit.enable=1", "kunit_shutdown=poweroff",
                     *configurations.get(config).args.split(), *configurations.get(config).suite_args.split(),
                     *shlex.split(os.environ.get("FRAGBED_KERNEL_ARGS", ""))]

    def path(self, name):
        return os.path.join(self.out, name)

    def boot(self, glob, log, *more):
        config = configurations.get(self.config)
        guest = machine.of_config(config, self.folder, config.suite_mem or config.mem)
        return boot.boot(guest, [*self.args, f"kunit.filter_glob={glob}", *more],
                         self.path(log), self.limit)

    def expected(self, glob):
        """The names of the cases that the run must report."""
        if self.boot(glob, "list.log", "kunit.action=list") == TIME_LIMIT:
            return []
        return [m[1] for m in map(CASE.match, read_lines(self.path("list.log"))) if m]

    def parse(self):
        """Lets kunit.py parse the log; returns its output."""
        done = subprocess.run(
            [os.path.join(self.tree, "tools/testing/kunit/kunit.py"), "parse",
             "--failed", "--json=" + self.path("kunit.json"),
             "--junit=" + self.path("kunit.xml"), self.path("kernel.log")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return "\n".join(line for line in done.stdout.splitlines() if "stored in" not in line)

    def run(self, glob, expected=None):
        """Lists the cases, unless the caller has them, and runs them."""
        os.makedirs(self.out, exist_ok=True)
        for name in ("kunit.json", "kunit.xml", "result.json"):
            if os.path.exists(self.path(name)):
                os.remove(self.path(name))
        if expected is None:
            expected = self.expected(glob)
        code = self.boot(glob, "kernel.log")
        words = self.parse()
        result = Result(self.config, expected, code, read_lines(self.path("kernel.log")),
                        read_json(self.path("kunit.json")))
        result.words = words
        with open(self.path("result.json"), "w") as file:
            json.dump(result.as_json(), file, indent=1)
        return result


def read_lines(path):
    with open(path, errors="backslashreplace") as file:
        return file.read().splitlines()


def read_json(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def leaves(group, prefix=()):
    """(names, status) of every result line: suite, case and, if any, parameter. If the
    kernel died, kunit.py has results without a name."""
    for case in group.get("test_cases", []):
        yield (*prefix, case["name"] or UNNAMED), case["status"]
    for sub in group.get("sub_groups", []):
        yield from leaves(sub, (*prefix, sub["name"] or UNNAMED))


class Result:
    """The results of one boot."""

    def __init__(self, config, expected, code, log, report):
        self.config, self.expected, self.code = config, expected, code
        self.cases = {".".join(names): status for names, status in leaves(report)}
        self.last_names = {".".join(names): names[-1] for names, _ in leaves(report)}
        reported = {".".join(names[:2]) for names, _ in leaves(report)}
        self.missing = [case for case in expected if case not in reported]
        self.reasons = {m[1]: m[2] for m in map(SKIP.match, log) if m}
        self.splats = [line for line in log if SPLAT.search(line)]
        self.panicked = any(PANIC.search(line) for line in log)
        self.words = ""

    def count(self, *states):
        return sum(status in states for status in self.cases.values())

    def failed_cases(self):
        return [case for case, status in self.cases.items() if status in ("FAIL", "ERROR")]

    def skipped_cases(self):
        return [case for case, status in self.cases.items() if status == "SKIP"]

    def exit_code(self):
        if self.code == TIME_LIMIT:
            return TIME_LIMIT
        if self.panicked or self.code != 0:
            return CRASHED
        if not self.expected:
            return NO_TEST
        if self.missing:
            return CRASHED
        if self.failed_cases() or self.splats:
            return FAILED
        return PASSED if self.count("PASS") else SKIPPED

    def reason(self, case):
        """KUnit prints the reason for a skip after the last part of the name."""
        return self.reasons.get(self.last_names[case], "no reason given")

    def killer(self):
        """What failed first, or None; a mutant is killed by it."""
        code = self.exit_code()
        if code == PASSED:
            return None
        for case in self.failed_cases():
            if UNNAMED not in case:
                return case
        if code == FAILED:
            return "kernel log: " + self.splats[0].strip()
        where = self.missing[0] if self.missing else "the suites"
        return f"{where}: {WORDS[code]}"

    def as_json(self):
        return {"configuration": self.config, "exit_code": self.exit_code(), "kernel_exit": self.code,
                "cases": self.cases, "missing": self.missing, "kernel_log": self.splats,
                "skipped": {case: self.reason(case) for case in self.skipped_cases()}}

    def counts(self):
        """Passed, failed, skipped. A missing case counts as a failure, and so does a splat."""
        failed = len(self.failed_cases()) + len(self.missing)
        if not failed and self.exit_code() not in (PASSED, SKIPPED):
            failed = 1
        return self.count("PASS"), failed, self.count("SKIP")

    def show(self):
        suites = {}
        for case, status in self.cases.items():
            suites.setdefault(case.split(".")[0], []).append(status)
        for suite, states in suites.items():
            print(f"{self.config}: {suite}: {states.count('PASS')} passed, "
                  f"{len(states) - states.count('PASS') - states.count('SKIP')} failed, "
                  f"{states.count('SKIP')} skipped")
        for case in self.skipped_cases():
            print(f"{self.config}: SKIP {case}: {self.reason(case)}")
        if self.exit_code() not in (PASSED, SKIPPED):
            self.show_trouble()
        print("{}: {} passed, {} failed, {} skipped: {}".format(
            self.config, *self.counts(), WORDS[self.exit_code()]))

    def show_trouble(self):
        if self.failed_cases():
            print(self.words.rstrip())
        for case in self.failed_cases():
            print(f"{self.config}: FAIL {case}")
        for case in self.missing:
            print(f"{self.config}: MISSING {case}: listed, but not reported")
        for line in self.splats[:20]:
            print(f"{self.config}: kernel log: {line}")


def skipped_everywhere(results):
    """Cases that were skipped in all configurations, with the reasons."""
    everywhere = set.intersection(*(set(r["skipped"]) for r in results)) if results else set()
    return {case: [r["skipped"][case] for r in results] for case in sorted(everywhere)}


def compare(paths):
    lost = skipped_everywhere([read_json(path) for path in paths])
    for case, reasons in lost.items():
        print(f"FAIL {case}: skipped in every configuration: {'; '.join(sorted(set(reasons)))}")
    return FAILED if lost else PASSED


def run(options):
    suites = Suites(options.tree, options.config, options.folder, options.out,
                    options.limit)
    result = suites.run(options.glob)
    result.show()
    if options.counts:
        os.makedirs(os.path.dirname(options.counts), exist_ok=True)
        with open(options.counts, "w") as file:
            print(*result.counts(), file=file)
    return result.exit_code()


def main():
    parser = argparse.ArgumentParser(description="runs KUnit suites in a guest")
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run")
    for name in ("tree", "config", "folder", "out"):
        runs.add_argument("--" + name, required=True)
    runs.add_argument("--limit", type=float, default=120)
    runs.add_argument("--counts")
    runs.add_argument("glob")
    compares = commands.add_parser("compare")
    compares.add_argument("results", nargs="+")
    options = parser.parse_args()
    boot.stop_on_signals()
    try:
        return run(options) if options.command == "run" else compare(options.results)
    except boot.Stopped as stopped:
        return stopped.exit_code


if __name__ == "__main__":
    sys.exit(main())
