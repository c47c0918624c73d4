#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# third_party_table.py [--differing] FOLDER MAINLINE OURS
#
# Compares the results of third-party tests on two kernels, from the folders run-N/KERNEL that
# third-party.sh left. Writes table.txt, table.json and counts to FOLDER and prints the table;
# with --differing prints only the items whose results differ, one per line. Exit code: 1 if a
# test is worse on ours, or nothing passed.
#
# A test has many checks. A check is worse on ours if at least two runs of ours were worse than
# all of mainline: a pass became a failure, a skip, or is missing. If that happened only once,
# the check is flaky.
import argparse
import collections
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
import suites

BAD, SKIPPED, PASSED = 0, 1, 2
STATES = {"PASS": PASSED, "SKIP": SKIPPED}
# A test has the first verdict in this order that one of its checks has.
VERDICTS = ("worse", "flaky", "fails on both", "better", "passes", "skipped")
OUTCOME = "outcome"
# Only runs that went wrong have these checks.
LOG = "kernel log: "
ENDED = "ended by itself"

TAP = re.compile(r"^(not )?ok (\d+) ?(?:- )?(.*?)(?:\s*# *(SKIP|XFAIL)? *(.*))?$")
# pagemap_ioctl adds measurements to the names of its checks.
MEASURED = re.compile(r" Extra pages \d.*")
NOTED = 3
STRESS_NG_SKIPS = (3, 4)    # no resource, not implemented


def read_lines(*path):
    try:
        return suites.read_lines(os.path.join(*path))
    except FileNotFoundError:
        return []


class Checks:
    """The results of one run: test -> check -> state. Checks of the same name are numbered."""

    def __init__(self):
        self.tests = {}

    def add(self, test, check, state):
        checks = self.tests.setdefault(test, {})
        name, number = check, 1
        while name in checks:
            number += 1
            name = f"{check} ({number})"
        checks[name] = state

    def add_log(self, test, lines):
        """Kernel reports, without the numbers, which differ between runs."""
        for line in lines:
            text = re.sub(r"^[# ]*\[[ .0-9]+\] |\+.*|\b\w*\d\w*\b", "", line).strip()
            self.tests.setdefault(test, {})[LOG + text] = BAD


# --- results of a run ---------------------------------------------------------


def from_suites(folder):
    checks = Checks()
    result = suites.read_json(os.path.join(folder, "result.json"))
    for case, status in result["cases"].items():
        suite, _, name = case.partition(".")
        checks.add(suite, name, STATES.get(status, BAD))
    for case in result["missing"]:
        checks.add(case.split(".")[0], case.partition(".")[2], BAD)
    checks.add("kernel", OUTCOME, BAD if result["kernel_exit"] else PASSED)
    checks.add_log("kernel", result["kernel_log"])
    return checks


def add_tap(checks, item, lines):
    """The checks of a test of run_vmtests.sh come before its own line, as comments."""
    pending = []
    for line in lines:
        own, nested = TAP.match(line), TAP.match(line[2:]) if line.startswith("# ") else None
        match = own or nested
        if not match:
            continue
        # Behind SKIP is the name of a skipped check, or the reason.
        name = MEASURED.sub("", match[3] or match[5] or f"check {match[2]}")
        state = BAD if match[1] and match[4] != "XFAIL" else SKIPPED if match[4] == "SKIP" else PASSED
        if nested:
            pending.append((name, state))
            continue
        test = f"{item} {name}"
        checks.add(test, OUTCOME, state)
        while pending:
            checks.add(test, *pending.pop(0))
    for name, state in pending:
        checks.add(item, name, state)


def add_item(checks, folder, item):
    ended = (read_lines(folder, item, "ended") or ["none 0"])[0].split()[0]
    if item.startswith(("mm/", "futex/")):
        add_tap(checks, item, read_lines(folder, item, "output"))
        if ended not in ("0", "1", "4"):
            checks.add(item, ENDED, BAD)
        elif not any(item_of(test) == item for test in checks.tests):
            checks.add(item, OUTCOME, BAD)
    else:
        skipped = item.startswith("stress-ng/") and ended in map(str, STRESS_NG_SKIPS)
        checks.add(item, OUTCOME, SKIPPED if skipped else PASSED if ended == "0" else BAD)
    checks.add_log(item, [line for line in read_lines(folder, item, "log")
                          if not line.endswith("the kernel log has:")])


def from_guests(folder):
    checks = Checks()
    for path in sorted(glob.glob(os.path.join(folder, "*", "*", ""))):
        add_item(checks, folder, os.path.relpath(path, folder))
    return checks


def load(folder):
    if os.path.exists(os.path.join(folder, "result.json")):
        return from_suites(folder)
    return from_guests(folder)


# --- the comparison ----------------------------------------------------------


def item_of(test):
    return test.split(" ")[0]


class Comparison:
    """runs: kernel -> the results of each of its runs."""

    def __init__(self, folder, mainline, ours):
        self.kernels = (mainline, ours)
        self.runs = {kernel: [load(os.path.join(path, kernel)).tests
                              for path in sorted(glob.glob(os.path.join(folder, "run-*")))
                              if os.path.isdir(os.path.join(path, kernel))]
                     for kernel in self.kernels}
        self.tests = sorted({test for runs in self.runs.values() for run in runs for test in run})
        self.verdicts = {test: self.compare(test) for test in self.tests}

    def states(self, kernel, test, check):
        """One state for each run of that test."""
        absent = PASSED if check.startswith((LOG, ENDED)) else BAD
        return [run.get(test, {}).get(check, absent) for run in self.runs[kernel]
                if any(item_of(other) == item_of(test) for other in run)]

    def checks(self, test):
        return sorted({check for runs in self.runs.values() for run in runs for check in run.get(test, {})})

    def compare(self, test):
        """check -> verdict."""
        return {check: verdict(*(self.states(kernel, test, check) for kernel in self.kernels))
                for check in self.checks(test)}

    def verdict(self, test):
        return min(self.verdicts[test].values(), key=VERDICTS.index)

    def counts(self, kernel, test):
        """Passed, failed, skipped checks of the first run."""
        found = collections.Counter(self.runs[kernel][0].get(test, {}).values())
        return found[PASSED], found[BAD], found[SKIPPED]

    def differing(self):
        return sorted({item_of(test) for test in self.tests if self.verdict(test) in ("worse", "flaky", "better")})


def verdict(mainline, ours):
    if not mainline or not ours:
        return "worse" if mainline else "better"
    if len({*mainline, *ours}) == 1:
        return {BAD: "fails on both", SKIPPED: "skipped", PASSED: "passes"}[ours[0]]
    needed = min(2, len(ours))
    if sum(state < min(mainline) for state in ours) >= needed:
        return "worse"
    if sum(state < min(ours) for state in mainline) >= needed:
        return "better"
    return "flaky"


# --- output -----------------------------------------------------------


def facts(folder, kernel):
    return dict(line.split("=", 1) for line in read_lines(folder, f"facts-{kernel}"))


def header(folder, kernels):
    for name, kernel in zip(("mainline", "ours"), kernels):
        about = facts(folder, kernel)
        yield f"{name}: Linux {about['kernel']}, configuration {about['config']}, seed {about['seed']}" + (
            f", commit {about['commit']}" if name == "ours" else "")


def rows(comparison, shown):
    yield ["test", "mainline", "ours", ""]
    for test in shown:
        yield [test, *("{}/{}/{}".format(*comparison.counts(kernel, test)) for kernel in comparison.kernels),
               comparison.verdict(test)]


def aligned(table):
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip()


def said_of(comparison, test, check):
    words = {PASSED: "pass", BAD: "fail", SKIPPED: "skip"}
    return "; ".join(f"{name} " + (" ".join(words[state] for state in states) or "not run")
                     for name, states in (("mainline", comparison.states(comparison.kernels[0], test, check)),
                                          ("ours", comparison.states(comparison.kernels[1], test, check))))


def notes(comparison, folder):
    """The first checks that differ, for each test; table.json has all."""
    for test in comparison.tests:
        said = comparison.verdict(test)
        if said not in ("worse", "flaky", "better"):
            continue
        checks = [check for check in comparison.verdicts[test] if comparison.verdicts[test][check] == said]
        for check in checks[:NOTED]:
            yield f"{said}: {test}: {check}: {said_of(comparison, test, check)}"
        if len(checks) > NOTED:
            yield f"  and {len(checks) - NOTED} more checks"
        if said == "worse":
            yield f"  see {os.path.join(folder, 'run-*', comparison.kernels[1], item_of(test))}"


def text_of(comparison, folder, fold):
    """With fold, tests that pass on both kernels are only counted."""
    shown = [test for test in comparison.tests if not fold or comparison.verdict(test) != "passes"]
    yield from header(folder, comparison.kernels)
    yield ""
    yield from aligned(list(rows(comparison, shown)))
    if fold:
        yield f"and {len(comparison.tests) - len(shown)} that pass on both"
    yield ""
    yield "Checks passed/failed/skipped in the first run."
    yield from notes(comparison, folder)


def as_json(comparison, folder):
    return {"kernels": {kernel: facts(folder, kernel) for kernel in comparison.kernels},
            "tests": {test: {"verdict": comparison.verdict(test), "checks": {
                check: {"verdict": said, **{kernel: comparison.states(kernel, test, check)
                                            for kernel in comparison.kernels}}
                for check, said in comparison.verdicts[test].items()}}
                for test in comparison.tests},
            "states": {"0": "failed or missing", "1": "skipped", "2": "passed"}}


def write(path, text):
    with open(path, "w") as file:
        file.write(text + "\n")


def main():
    parser = argparse.ArgumentParser(description="compares third-party tests on two kernels")
    parser.add_argument("--differing", action="store_true")
    parser.add_argument("folder")
    parser.add_argument("mainline")
    parser.add_argument("ours")
    options = parser.parse_args()
    comparison = Comparison(options.folder, options.mainline, options.ours)
    if options.differing:
        print("".join(item + "\n" for item in comparison.differing()), end="")
        return 0
    found = collections.Counter(comparison.verdict(test) for test in comparison.tests)
    total = "third-party: " + ", ".join(f"{found[word]} {word}" for word in reversed(VERDICTS) if found[word])
    write(os.path.join(options.folder, "table.txt"),
          "\n".join([*text_of(comparison, options.folder, False), "", total]))
    write(os.path.join(options.folder, "table.json"), json.dumps(as_json(comparison, options.folder), indent=1))
    passed = found["passes"] + found["better"]
    write(os.path.join(options.folder, "counts"),
          f"{passed} {found['worse']} {len(comparison.tests) - passed - found['worse']}")
    print("\n".join([*text_of(comparison, options.folder, "uml" in options.ours), "", total]))
    return 1 if found["worse"] or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
