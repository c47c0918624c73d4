#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# coverage.py --tree TREE --patches DIR --reasons TOML [--json FILE] FOLDER...
#
# Adds up the counters of gcov in the FOLDERs, each of which has a configuration's .gcda files
# beside the .gcno files of its build. Prints the lines and branches covered: of each symbol
# under test, of each file of superpageblocks, and of the lines that their patches add to
# other files. Then prints all missed lines, with their reasons from TOML.
#
# Exit code: 0 each target is met, or every missed line has a reason; 1 otherwise.
import argparse
import collections
import dataclasses
import difflib
import json
import pathlib
import re
import subprocess
import sys
import tomllib

LINES_TARGET, BRANCHES_TARGET = 95, 85

SYMBOLS = ("__alloc_pages_direct_compact", "try_to_compact_pages", "compact_zone_order",
           "suitable_migration_source", "fast_find_migrateblock", "compaction_capture",
           "task_capc", "__alloc_pages_direct_reclaim", "vma_policy_mof", "task_numa_work")

# Branches that a correct kernel never takes, or that do not depend on the code around them:
# assertions, tracepoints, static keys, static stubs.
NO_CHOICE = re.compile(
    r"\b((VM_)?(BUG|WARN)_ON\w*|lockdep_assert\w*|trace_\w+|static_branch_\w+|"
    r"KUNIT_STATIC_STUB_REDIRECT)\(")

# Macros that use __builtin_constant_p() on their arguments.
ASKS_FOR_CONSTANTS = re.compile(
    r"(\b__(?:test_and_)?(?:set|clear|change)_bit|\btest_bit|\b__ffs|\bfind_\w*bit|"
    r"\bfor_each_(?:set|clear)_bit|\bbitmap_\w+|\bstruct_size|\bmemset|\bmsecs_to_jiffies)\(")

# Only tests call the functions of this file.
NOT_COUNTED = {"mm/superpageblock/page_alloc_reach.h"}
# The suites, in the tree.
TESTS = "tests"


@dataclasses.dataclass
class Line:
    """A line of source that has code; how often it was run and its branches were taken."""

    number: int
    function: str
    text: str
    count: int = 0
    branches: list = dataclasses.field(default_factory=list)
    opens: bool = False     # the first line of the function

    def add(self, count, branches):
        self.count += count
        longer = max(len(branches), len(self.branches))
        pad = lambda counts: counts + [0] * (longer - len(counts))
        self.branches = [a + b for a, b in zip(pad(self.branches), pad(branches))]

    def missed(self):
        return not self.count or not all(self.counted_branches())

    def counted_branches(self):
        """gcov counts branches of inlined code that has no line at the function's first line."""
        if self.opens or NO_CHOICE.search(self.text):
            return []
        if ASKS_FOR_CONSTANTS.search(self.text):
            return without_constants(self.branches)
        return self.branches


def without_constants(branches):
    """Where __builtin_constant_p() is false, gcov has a pair of branches of which the first is
    never taken, and then pairs that are never taken at all."""
    pairs = list(zip(branches[::2], branches[1::2]))
    for start, (yes, no) in enumerate(pairs):
        if yes or not no:
            continue
        end = start + 1
        while end < len(pairs) and pairs[end] == (0, 0):
            end += 1
        if end > start + 1 and end < len(pairs) and pairs[end] == pairs[start]:
            end += 1
        return [count for pair in pairs[:start] + pairs[end:] for count in pair]
    return branches


class Counts:
    """All lines that have code: file -> number -> Line."""

    def __init__(self, tree):
        self.tree = tree
        self.files = collections.defaultdict(dict)
        self._sources = {}

    def read(self, folder):
        # A file of the suites has counters if it has the name of a file under test.
        for data in sorted(data for data in folder.rglob("*.gcda")
                           if TESTS not in data.relative_to(folder).parts):
            done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities",
                                   "--object-directory", data.parent, data],
                                  stdout=subprocess.PIPE, check=True)
            for report in done.stdout.splitlines():
                for file in json.loads(report)["files"]:
                    self._add(file)

    def source(self, name):
        if name not in self._sources:
            self._sources[name] = (self.tree / name).read_text().splitlines()
        return self._sources[name]

    def _add(self, report):
        path = pathlib.Path(report["file"])
        if not path.is_relative_to(self.tree) or not report["lines"]:
            return
        name = str(path.relative_to(self.tree))
        opened = {function["start_line"] for function in report["functions"]}
        for seen in report["lines"]:
            number = seen["line_number"]
            line = self.files[name].setdefault(number, Line(
                number, seen.get("function_name", ""), self.source(name)[number - 1].strip()))
            line.opens |= number in opened
            line.add(seen["count"], [branch["count"] for branch in seen["branches"]])


class Reasons:
    """Why a function is absent or a line is missed, by function and text of the line: line
    numbers change."""

    def __init__(self, path):
        with open(path, "rb") as file:
            entries = tomllib.load(file)
        self.absent = entries.get("absent", {})
        self.of = {(function, text): entry["why"] for entry in entries.get("missed", [])
                   for function, texts in entry["lines"].items() for text in texts}
        self.used = set()

    def look_up(self, line):
        key = line.function, line.text
        if key in self.of:
            self.used.add(key)
        return self.of.get(key)

    def stale(self, absent):
        return [key for key in self.of if key not in self.used and key[0] not in absent]


class Unit:
    """A function, a file or the added lines of a file, with targets of its own."""

    def __init__(self, name, file, lines, reasons):
        self.name, self.file = name, file
        self.absent = reasons.absent.get(name)
        self.lines = sorted(lines, key=lambda line: line.number)
        self.missed = [(line, reasons.look_up(line)) for line in self.lines if line.missed()]

    def share(self, hit, total):
        return 100 * hit / total if total else 100.0

    def covered_lines(self):
        return sum(line.count > 0 for line in self.lines), len(self.lines)

    def covered_branches(self):
        branches = [count for line in self.lines for count in line.counted_branches()]
        return sum(count > 0 for count in branches), len(branches)

    def not_counted(self):
        return sum(len(line.branches) - len(line.counted_branches()) for line in self.lines)

    def unexplained(self):
        return [line for line, reason in self.missed if not reason]

    def verdict(self):
        if not self.lines:
            return "absent" if self.absent else "not there"
        if (self.share(*self.covered_lines()) >= LINES_TARGET and
                self.share(*self.covered_branches()) >= BRANCHES_TARGET):
            return "met"
        return "below" if self.unexplained() else "reasons"

    def as_json(self):
        return {"name": self.name, "file": self.file, "verdict": self.verdict(), "absent": self.absent,
                "lines": self.covered_lines(), "branches": self.covered_branches(),
                "branches_not_counted": self.not_counted(),
                "missed": [{"line": line.number, "function": line.function, "text": line.text,
                            "count": line.count, "branches": line.branches, "reason": reason}
                           for line, reason in self.missed]}


def added_lines(tree, patches):
    """file -> numbers of the lines that the patches of superpageblocks add to it. Quilt keeps
    each file as it was before a patch."""
    before = {}
    for patch in (patches / "series").read_text().split():
        if "superpageblock" not in patch:
            continue
        for old in (tree / ".pc" / patch).rglob("*.[ch]"):
            before.setdefault(str(old.relative_to(tree / ".pc" / patch)), old)
    return {name: set(added(old.read_text().splitlines(), (tree / name).read_text().splitlines()))
            for name, old in before.items()}


def added(old, new):
    for tag, _, _, start, end in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if tag in ("insert", "replace"):
            yield from range(start + 1, end + 1)


def units(counts, patches, reasons):
    for symbol in SYMBOLS:
        found = [(name, line) for name, lines in counts.files.items()
                 for line in lines.values() if line.function == symbol]
        yield Unit(symbol, found[0][0] if found else "", [line for _, line in found], reasons)
    for name in sorted(counts.files):
        if name.startswith("mm/superpageblock/") and name not in NOT_COUNTED:
            yield Unit(name, name, counts.files[name].values(), reasons)
    for name, numbers in sorted(added_lines(counts.tree, patches).items()):
        lines = [line for number, line in counts.files.get(name, {}).items() if number in numbers]
        if lines:
            yield Unit(f"{name}, our lines", name, lines, reasons)


def show_table(all_units):
    print(f"{'':40}{'lines':>18}{'branches':>18}  not counted  target")
    for unit in all_units:
        shown = "".join(f"{hit:5}/{total:<4} {unit.share(hit, total):6.1f}%"
                        for hit, total in (unit.covered_lines(), unit.covered_branches()))
        print(f"{unit.name:40} {shown}{unit.not_counted():11}  {unit.verdict()}")


def show_missed(unit):
    if not unit.missed and not unit.absent:
        return
    print(f"\n{unit.name}")
    if not unit.lines:
        print(f"      {unit.absent}")
    for line, reason in unit.missed:
        what = ("never run" if not line.count else
                "branches " + " ".join(map(str, line.branches)))
        print(f"  {unit.file}:{line.number} {line.function}(): {what}")
        print(f"      {line.text}")
        print(f"      {reason or '-- NO REASON'}")


def main():
    parser = argparse.ArgumentParser(description="reports the coverage of the tests")
    parser.add_argument("--tree", required=True, type=pathlib.Path)
    parser.add_argument("--patches", required=True, type=pathlib.Path)
    parser.add_argument("--reasons", required=True)
    parser.add_argument("--json", help="also write the report there as JSON")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    counts, reasons = Counts(options.tree.resolve()), Reasons(options.reasons)
    for folder in options.folders:
        counts.read(folder)
    all_units = list(units(counts, options.patches, reasons))
    show_table(all_units)
    for unit in all_units:
        show_missed(unit)
    absent = {unit.name for unit in all_units if unit.verdict() == "absent"}
    for function, text in reasons.stale(absent):
        print(f"\nstale: {function}() has a reason for a line that is not missed: {text}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump([unit.as_json() for unit in all_units], file, indent=1)
    below = [unit.name for unit in all_units if unit.verdict() in ("below", "not there")]
    if below:
        print(f"\nbelow {LINES_TARGET}% of lines or {BRANCHES_TARGET}% of branches, and missed lines "
              f"without a reason: {', '.join(below)}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
