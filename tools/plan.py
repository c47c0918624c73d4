#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Reads and checks tools/tests.toml, the plan of the tests. Imported by tools/test.py, which
# runs "make test" and "make faults"; for the tools in shell:
#
#   plan.py                  a table of everything
#   plan.py coverage SET...  per guest a line CONFIG|NAME|SCRIPT;SCRIPT...
#   plan.py ci               per step a line "COUNTS TARGET VARIABLE=VALUE..."
import dataclasses
import glob
import os
import shlex
import sys
import tomllib

import configurations
from configurations import Mistake, known

TOOLS = os.path.dirname(os.path.realpath(__file__))
REPO = os.path.dirname(TOOLS)
TABLE = os.path.join(TOOLS, "tests.toml")
# What a part may run, one of these.
KINDS = ("script", "suites", "tool")


@dataclasses.dataclass(frozen=True)
class Part:
    """The fields are described at the head of tests.toml."""
    name: str
    limit: int
    script: str = ""
    suites: str = ""
    tool: str = ""
    config: str = ""
    args: str = ""
    mem: str = ""
    stream: int = 1

    def configs(self):
        return configurations.of_group(self.suites) if self.suites else [self.config] if self.config else []

    def builds(self):
        return [configurations.get(config).build for config in self.configs()]

    def command(self, kernels, out):
        """kernels: folder with a folder for each build; out: where the guest leaves its files."""
        if self.tool:
            name, *args = shlex.split(self.tool)
            return [os.path.join(TOOLS, name), *args]
        if self.suites:
            return [os.path.join(TOOLS, "kunit.sh"), "--limit", str(self.limit), "--kernels", kernels,
                    "--group", self.suites]
        return [os.path.join(TOOLS, "guest.sh"), "--config", self.config,
                "--kernel", os.path.join(kernels, configurations.get(self.config).build),
                "--timeout", str(self.limit), "--out", os.path.join(out, self.name), "--counts", self.name,
                *(("--mem", self.mem) if self.mem else ()), *(("--args", self.args) if self.args else ()),
                *shlex.split(self.script)]


@dataclasses.dataclass(frozen=True)
class Set:
    name: str
    limit: int
    parts: tuple
    sanitized: str = ""


@dataclasses.dataclass(frozen=True)
class CoveragePart:
    name: str
    config: str
    scripts: tuple


@dataclasses.dataclass(frozen=True)
class Step:
    """Of continuous integration."""
    make: str
    counts: str = ""


def guest_scripts():
    """name -> path of the scenarios and tests a guest can run, as guest_script() in common.sh."""
    found = {}
    for path in glob.glob(f"{REPO}/debugfs-scripts/scenarios/*/guest.*"):
        found[os.path.basename(os.path.dirname(path))] = path
    for path in sorted(glob.glob(f"{REPO}/debugfs-scripts/tests/*/*.*")):
        name, suffix = os.path.splitext(os.path.basename(path))
        if suffix in (".sh", ".py") and os.access(path, os.X_OK) and name != "run":
            found.setdefault(name, path)
    return found


def make(kind, where, table):
    """A dataclass from a table, whose keys are checked."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in table:
        if key not in fields:
            raise Mistake(f"{where}: unknown field '{key}'; {known(fields)}")
    missing = [name for name, field in fields.items()
               if field.default is dataclasses.MISSING and name not in table]
    if missing:
        raise Mistake(f"{where}: missing: {', '.join(missing)}")
    return kind(**table)


def check_config(where, name):
    if name not in configurations.CONFIGURATIONS:
        raise Mistake(f"{where}: no configuration '{name}'; {known(configurations.CONFIGURATIONS)}")


def check_script(where, command):
    scripts = guest_scripts()
    if command.split()[0] not in scripts:
        raise Mistake(f"{where}: no script '{command.split()[0]}'; {known(sorted(scripts))}")


def read_part(where, table, limit):
    kinds = [kind for kind in KINDS if kind in table]
    if len(kinds) != 1:
        raise Mistake(f"{where}: a part has one of: {', '.join(KINDS)}")
    name = "suites" if kinds == ["suites"] else f"{table.get('script', '').split(' ')[0]}-{table.get('config')}"
    part = make(Part, where, {"name": name, "limit": limit} | table)
    if part.script:
        check_script(where, part.script)
        check_config(where, part.config)
    if part.tool and not os.path.exists(os.path.join(TOOLS, part.tool.split()[0])):
        raise Mistake(f"{where}: no tools/{part.tool.split()[0]}")
    if part.tool and "name" not in table:
        raise Mistake(f"{where}: a tool needs a name, that of its counts")
    return part


def read_set(plan, name, table):
    where = f"{plan}.{name}"
    parts = tuple(read_part(where, part, table.get("limit")) for part in table.get("parts", []))
    names = [part.name for part in parts]
    for part in parts:
        if names.count(part.name) > 1:
            raise Mistake(f"{where}: two parts are called {part.name}")
    return make(Set, where, table | {"name": name, "parts": parts})


def read_coverage(name, table):
    where = f"coverage.{name}"
    parts = [make(CoveragePart, where, part) for part in table["parts"]]
    for part in parts:
        check_config(where, part.config)
        for script in part.scripts:
            check_script(where, script)
    return parts


class Plan:
    def __init__(self, path=TABLE):
        with open(path, "rb") as file:
            tables = tomllib.load(file)
        self.sets = {plan: {name: read_set(plan, name, table) for name, table in tables.pop(plan).items()}
                     for plan in ("test", "faults")}
        self.coverage = {name: read_coverage(name, table) for name, table in tables.pop("coverage").items()}
        self.elsewhere = tables.pop("elsewhere")
        self.ci = [make(Step, "ci", step) for step in tables.pop("ci")["parts"]]
        if tables:
            raise Mistake(f"unknown table '{next(iter(tables))}'; there are: test, faults, coverage, elsewhere, ci")

    def set_of(self, plan, config, sanitize=False):
        """The set for CONFIG=NAME, or the end of this program."""
        sets = self.sets[plan]
        if config not in sets:
            sys.exit(f"error: make {plan}: no CONFIG={config}; {known(sets)}")
        if not sanitize:
            return sets[config]
        if not sets[config].sanitized:
            sys.exit(f"error: make {plan}: no CONFIG={config} with SANITIZE=1; "
                     f"{known(name for name in sets if sets[name].sanitized)}")
        return sets[sets[config].sanitized]

    def scripts(self):
        """Names of the scripts that some part runs."""
        parts = [part for sets in self.sets.values() for each in sets.values() for part in each.parts]
        commands = [part.script for part in parts if part.script]
        commands += [script for parts in self.coverage.values() for part in parts for script in part.scripts]
        return {command.split()[0] for command in commands} | set(self.elsewhere)


def read_or_exit():
    try:
        return Plan()
    except (Mistake, tomllib.TOMLDecodeError) as mistake:
        sys.exit(f"error: tools/tests.toml: {mistake}")


def table(plan):
    for target, sets in plan.sets.items():
        for each in sets.values():
            yield f"make {target} CONFIG={each.name}"
            for part in each.parts:
                what = part.script or part.tool or f"all suites: {', '.join(part.configs())}"
                yield f"  {part.name:26}  {what}{f' (kernel: {part.args})' if part.args else ''}"
    for name, parts in plan.coverage.items():
        for part in parts:
            yield f"make coverage: {name}: {part.config}: suites, {', '.join(part.scripts)}"


def coverage(plan, names):
    for name in names:
        if name not in plan.coverage:
            sys.exit(f"error: make coverage: no '{name}'; {known(plan.coverage)}")
        for part in plan.coverage[name]:
            yield f"{part.config}|{part.name}|{';'.join(part.scripts)}"


def main():
    plan = read_or_exit()
    match sys.argv[1:]:
        case []:
            lines = table(plan)
        case ["coverage", *names]:
            lines = coverage(plan, names)
        case ["ci"]:
            lines = (f"{step.counts or step.make.split()[0]} {step.make}" for step in plan.ci)
        case _:
            sys.exit("usage: plan.py [coverage SET... | ci]")
    for line in lines:
        print(line)


if __name__ == "__main__":
    main()
