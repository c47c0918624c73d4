#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Reads and checks tools/configurations.toml. Imported by the tools in Python; for those in
# shell:
#
#   configurations.py                        a table of all configurations
#   configurations.py list [GROUP]           their names, one per line; only those of the group
#   configurations.py CONFIG FIELD           one field, as below
#   configurations.py fragments CONFIG TREE  paths of the configuration fragments, in order
#   configurations.py counted CONFIG TREE    arguments for make: what gcov counts
import dataclasses
import glob
import os
import sys
import tomllib

TOOLS = os.path.dirname(os.path.realpath(__file__))
REPO = os.path.dirname(TOOLS)
TABLE = os.path.join(TOOLS, "configurations.toml")
IMAGES = {"um": "linux", "x86_64": "arch/x86/boot/bzImage"}


class Mistake(Exception):
    """The table, or what was asked of it, is wrong."""


@dataclasses.dataclass(frozen=True)
class Configuration:
    """The fields are described at the head of configurations.toml."""
    name: str
    build: str
    about: str
    arch: str
    fragments: tuple = ()
    series: str = "ours"
    modules: str = "fragbed"
    counted: tuple = ()
    gcov_cflags: str = ""
    group: str = ""
    mem: str = "1G"
    args: str = ""
    suite_args: str = ""
    suite_mem: str = ""
    cpus: int = 2
    nodes: int = 2
    icount: bool = False
    hotplug: bool = False

    @property
    def image(self):
        """What make builds and the machine starts."""
        return IMAGES[self.arch]

    def fragment_paths(self, tree):
        return [fragment_path(name, tree) for name in self.fragments]

    def counted_objects(self, tree):
        """For make. kbuild knows an object that gcov counts by its name, in whatever folder."""
        flags = [f"CFLAGS_GCOV={self.gcov_cflags}"] if self.gcov_cflags else []
        files = [path for pattern in self.counted for path in matches(tree, pattern)]
        return flags + [f"GCOV_PROFILE_{os.path.basename(path).removesuffix('.c')}.o=y" for path in files]


FIELDS = {field.name: field.type for field in dataclasses.fields(Configuration)}
# Two starts of one kernel have these in common.
OF_THE_BUILD = {"arch", "fragments", "series", "modules", "counted", "gcov_cflags", "add", "like"}
WORDS = {"arch": tuple(IMAGES), "series": ("ours", "none"), "modules": ("fragbed", "bench", "none")}


def known(names):
    return f"there are: {', '.join(names)}"


def fragment_path(name, tree):
    folder, slash, rest = name.partition("/")
    if not slash:
        return os.path.join(os.environ.get("FRAGBED_KERNEL_DIR") or os.path.join(REPO, "kernel"), "configs", name)
    return os.path.join(tree, rest) if folder == "linux" else os.path.join(REPO, name)


def matches(tree, pattern):
    found = sorted(glob.glob(os.path.join(tree, pattern)))
    if not found:
        sys.exit(f"error: tools/configurations.toml: counted: there is no {pattern} in {tree}")
    return found


def check_fields(name, table):
    keys = [*FIELDS, "add", "like"]
    keys.remove("name")
    for key, value in table.items():
        if key not in keys:
            raise Mistake(f"{name}: unknown field '{key}'; {known(keys)}")
        wanted = list if key in ("fragments", "counted", "add") else FIELDS.get(key, str)
        # In Python a bool is an int.
        if type(value) is not wanted:
            raise Mistake(f"{name}: {key} must be of type {wanted.__name__}")
        if key in WORDS and value not in WORDS[key]:
            raise Mistake(f"{name}: {key}: no '{value}'; {known(WORDS[key])}")
    shared = sorted(OF_THE_BUILD & table.keys()) if "build" in table else []
    if shared:
        raise Mistake(f"{name}: with build = \"{table['build']}\" these are of that kernel: {', '.join(shared)}")
    if "about" not in table:
        raise Mistake(f"{name}: the field 'about' is missing")


def complete(tables, name, waiting=()):
    """The fields of a table, with those that it takes from another one."""
    if name not in tables:
        raise Mistake(f"{waiting[-1]}: no configuration '{name}' to start from; {known(tables)}")
    if name in waiting:
        raise Mistake(f"{name}: starts from itself")
    table = dict(tables[name])
    base = table.pop("like", None) or table.get("build")
    add = table.pop("add", [])
    fields = {"build": name}
    if base:
        fields = complete(tables, base, (*waiting, name)) | {"group": ""}
        fields["build"] = fields["build"] if "build" in table else name
        table.pop("build", None)
    fields |= table
    fields["fragments"] = fields.get("fragments", []) + add
    return fields


def read(path=TABLE):
    with open(path, "rb") as file:
        tables = tomllib.load(file)
    for name, table in tables.items():
        check_fields(name, table)
    configurations = {}
    for name in tables:
        fields = complete(tables, name)
        if "arch" not in fields or not fields["fragments"]:
            raise Mistake(f"{name}: needs 'arch' and 'fragments', or another configuration to start from")
        configurations[name] = Configuration(name=name, **{
            key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()})
    return configurations


def read_or_exit():
    try:
        return read()
    except (Mistake, tomllib.TOMLDecodeError) as mistake:
        sys.exit(f"error: tools/configurations.toml: {mistake}")


CONFIGURATIONS = read_or_exit()


def get(name):
    """The configuration of that name, or the end of this program."""
    if name not in CONFIGURATIONS:
        sys.exit(f"error: no configuration '{name}'; {known(CONFIGURATIONS)}")
    return CONFIGURATIONS[name]


def of_group(group):
    names = [name for name, config in CONFIGURATIONS.items() if config.group == group]
    if not names:
        groups = dict.fromkeys(config.group for config in CONFIGURATIONS.values() if config.group)
        sys.exit(f"error: no group '{group}' of configurations; {known(groups)}")
    return names


def field(config, name):
    """As shell reads it: a list has a line for each item."""
    if name not in [*FIELDS, "image"]:
        sys.exit(f"error: unknown field '{name}'; {known([*FIELDS, 'image'])}")
    value = getattr(config, name)
    return "\n".join(value) if isinstance(value, tuple) else str(value)


def table():
    width = max(map(len, CONFIGURATIONS))
    for config in CONFIGURATIONS.values():
        yield f"{config.name:{width}}  {config.about}"


def main():
    match sys.argv[1:]:
        case []:
            lines = table()
        case ["list"]:
            lines = CONFIGURATIONS
        case ["list", group]:
            lines = of_group(group)
        case ["fragments", name, tree]:
            lines = get(name).fragment_paths(tree)
        case ["counted", name, tree]:
            lines = get(name).counted_objects(tree)
        case [name, key]:
            lines = [field(get(name), key)]
        case _:
            sys.exit("usage: configurations.py [list [GROUP] | CONFIG FIELD | fragments CONFIG TREE | counted CONFIG TREE]")
    for line in lines:
        print(line)


if __name__ == "__main__":
    main()
