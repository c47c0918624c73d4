#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# lists.py [NAME]: checks that lists and what they name agree; --list prints the names of the
# checks. Each error is a line.
import glob
import os
import re
import sys
import tomllib

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.path.insert(0, os.path.join(REPO, "tools"))

import configurations
import plan

SHELL_NAME = r"([A-Za-z0-9_][A-Za-z0-9_-]*)"


def read(path):
    with open(os.path.join(REPO, path), encoding="utf-8") as file:
        return file.read()


def tables(pattern):
    for path in found(pattern):
        yield path, tomllib.loads(read(path))


def found(*patterns):
    return sorted(path for pattern in patterns for path in glob.glob(pattern, root_dir=REPO, recursive=True)
                  if os.path.isfile(os.path.join(REPO, path)))


def scripts():
    return found("Makefile", ".ci/run", "tools/**/*.sh", "tools/**/*.py", "debugfs-scripts/**/*.sh",
                 "debugfs-scripts/**/*.py", "debugfs-scripts/command/fragbed")


def check_fragments():
    """The fragments of the configurations exist, and each in kernel/configs is used."""
    used = set()
    for config in configurations.CONFIGURATIONS.values():
        for path in config.fragment_paths("/tree"):
            used.add(path)
            if not path.startswith("/tree/") and not os.path.exists(path):
                yield f"configuration {config.name}: no {os.path.relpath(path, REPO)}"
    for path in found("kernel/configs/*"):
        if os.path.join(REPO, path) not in used:
            yield f"{path}: in no configuration of tools/configurations.toml"


def check_symbols():
    """The suites' symbols in the fragments are in a Kconfig file, and the other way round."""
    defined = {name for path in found("kunit/**/Kconfig", "kernel/files/**/Kconfig")
               for name in re.findall(r"^config (\w*(?:FRAGBED|KUNIT)\w*)", read(path), re.M)}
    fragments = found("kernel/configs/*", "kunit/*.config", "kunit/.kunitconfig")
    used = {name: path for path in fragments
            for name in re.findall(r"^CONFIG_(\w*(?:FRAGBED|KUNIT)\w*)=", read(path), re.M)}
    for name, path in used.items():
        if name not in defined and not re.match(r"KUNIT(_|$)", name):
            yield f"{path}: no Kconfig file has {name}"
    for name in sorted(defined - used.keys()):
        if name.endswith("_TEST"):
            yield f"{name}: no configuration enables it"


def check_plan():
    """Every test in debugfs-scripts/tests is in tools/tests.toml, or run by one that is."""
    planned = plan.read_or_exit()
    for path in found("debugfs-scripts/tests/*/*"):
        folder, file = os.path.split(path)
        name = os.path.splitext(file)[0]
        if not os.access(os.path.join(REPO, path), os.X_OK) or name == "run" or name in planned.scripts():
            continue
        if not any(file in read(other) for other in found(f"{folder}/*") if other != path):
            yield f"{path}: not in tools/tests.toml"
    for name, runner in planned.elsewhere.items():
        if not os.path.exists(os.path.join(REPO, runner)):
            yield f"tests.toml: elsewhere: {name}: no {runner}"
        elif not re.search(rf"\b{name}\b", read(runner)):
            yield f"tests.toml: elsewhere: {runner} does not name {name}"


def check_scenarios():
    """Every scenario has a guest script and a description."""
    for folder in sorted(os.listdir(os.path.join(REPO, "debugfs-scripts/scenarios"))):
        where = f"debugfs-scripts/scenarios/{folder}"
        if not found(f"{where}/guest.*"):
            yield f"{where}: no guest.sh"
        if not found(f"{where}/scenario.toml"):
            yield f"{where}: no scenario.toml"
    for path, table in tables("debugfs-scripts/scenarios/*/scenario.toml"):
        for config in table.get("configurations", []):
            if config not in configurations.CONFIGURATIONS:
                yield f"{path}: no configuration '{config}'"


def check_mutants():
    """The configurations and scripts that mutants name exist."""
    known = plan.guest_scripts()
    for path, table in tables("kunit/mutants/*.toml"):
        for mutant in [table.get("defaults", {}), *table.get("mutant", [])]:
            where = f"{path}: {mutant.get('id', 'defaults')}"
            if mutant.get("config", "uml") not in configurations.CONFIGURATIONS:
                yield f"{where}: no configuration '{mutant['config']}'"
            if "script" in mutant and mutant["script"].split()[0] not in known:
                yield f"{where}: no script '{mutant['script']}'"


def check_patches():
    """The series has each patch once. A patch for one version has hunks only, and a base patch."""
    series = re.findall(r"^[^#\s]+", read("kernel/patches/series"), re.M)
    files = [path.removeprefix("kernel/patches/") for path in found("kernel/patches/**/*.patch")]
    base = {name for name in files if not name[0].isdigit()}
    for name in sorted(base ^ set(series)):
        yield f"kernel/patches/series: {name}: only in the series, or only a file"
    if len(series) != len(set(series)):
        yield "kernel/patches/series: a patch is in it twice"
    for name in set(files) - base:
        if name.partition("/")[2] not in base:
            yield f"kernel/patches/{name}: no patch {name.partition('/')[2]} with its message"
        if re.search(r"^(From|Subject|Signed-off-by): ", read(f"kernel/patches/{name}"), re.M):
            yield f"kernel/patches/{name}: has a message, which belongs to {name.partition('/')[2]}"
    known = {os.path.basename(name) for name in base}
    for path in found("docs/*.md", "README.md", "CONTRIBUTING.md", "kunit/*.toml"):
        for name in re.findall(r"[\w-]+\.patch\b", read(path)):
            if name not in known:
                yield f"{path}: no patch {name}"


def check_names():
    """Configurations that scripts name exist. The tests of the tools name wrong ones on purpose."""
    pattern = re.compile(rf"(?:--config[ =]|--config\", \"|\bCONFIG=|\bconfig=){SHELL_NAME}")
    words = re.compile(r"[A-Z]+$|CONFIG|DIR|NAME|SET")
    for path in scripts():
        if path.startswith("tools/harness/"):
            continue
        for name in pattern.findall(read(path)):
            if not words.match(name) and name not in configurations.CONFIGURATIONS:
                yield f"{path}: no configuration '{name}'"


def check_targets():
    """"make help" names all targets, and continuous integration runs existing ones."""
    makefile = read("Makefile")
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", makefile, re.M)[1].replace("\\\n", " ").split()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.M))
    shown = makefile[makefile.index("\nhelp:"):makefile.index("\nlist:")]
    for name in sorted(targets ^ set(phony)):
        yield f"Makefile: {name}: a target and not in .PHONY, or the other way round"
    for name in sorted(targets - {"help"}):
        alias = re.search(rf"^{name}: [a-z-]+$", makefile, re.M)
        if not alias and not re.search(rf"make (-s )?{name}\b(?!-)", shown):
            yield f"Makefile: {name}: not in make help"
    for step in plan.read_or_exit().ci:
        if step.make.split()[0] not in targets:
            yield f"tests.toml: ci: no target '{step.make}'"


def check_packages():
    """The sets of packages that the tools ask for are in tools/packages.sh."""
    known = set(re.findall(r"^\[([\w-]+)\]=", read("tools/packages.sh").replace("\t", ""), re.M))
    for path in scripts():
        if path == "tools/check/lists.py":
            continue
        for names in re.findall(r"^[^#\n]*packages\.sh\"? ((?:[a-z][\w-]* ?)+)", read(path), re.M):
            for name in names.split():
                if name not in known:
                    yield f"{path}: tools/packages.sh has no '{name}'"


def check_cache():
    """"make clean-cache" deletes all that the tools keep in the cache."""
    deleted = re.search(r"^for folder in (.*); do$", read("tools/clean-cache.sh"), re.M)[1].split()
    for path in scripts():
        for name in re.findall(r"\$CACHE/([\w.-]+)", read(path)):
            if not any(each == name or (name.endswith("-") and each.startswith(name)) for each in deleted):
                yield f"{path}: {name}: not deleted by tools/clean-cache.sh"


CHECKS = {name.removeprefix("check_"): function for name, function in list(globals().items())
          if name.startswith("check_")}


def main():
    names = sys.argv[1:] or list(CHECKS)
    if names == ["--list"]:
        print(*CHECKS, sep="\n")
        return 0
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        sys.exit(f"error: no check '{unknown[0]}'; there are: {', '.join(CHECKS)}")
    errors = [f"{name}: {error}" for name in names for error in CHECKS[name]()]
    for error in errors:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
