#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# knobs.py [FILE]: compares the lists of the module's files and keys with what the module
# itself says: docs/knobs.md, the lines the fuzzer starts from, the command's usage text and
# completion, the man page. FILE is a copy of the module's file "knobs"; without it a guest
# of uml-spb writes one to build/knobs/. Prints a row per list, and its differences.
import os
import re
import subprocess
import sys

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
CORPUS = "debugfs-scripts/tests/fuzz/corpus"
COMMAND = "debugfs-scripts/command"
PRINT = """#!/bin/sh
insmod "$FRAGBED_MODULE" && cat /sys/kernel/debug/fragbed/knobs >"$FRAGBED_OUT/knobs"
"""


def read(path):
    with open(os.path.join(REPO, path), encoding="utf-8") as file:
        return file.read()


class Knob:
    """One file: its kind, the words a line begins with, its keys, its values without keys."""

    def __init__(self, kind):
        self.kind = kind
        self.words, self.keys, self.values = [], [], []

    def is_written(self):
        return self.kind != "read-only"


def parse(text):
    """{path: Knob}"""
    knobs = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        row, path, *fields = line.split()
        if row == "file":
            knobs[path] = Knob(fields[1])
        else:
            lists = {"word": knobs[path].words, "key": knobs[path].keys, "value": knobs[path].values}
            lists[row].append(fields[0])
    return knobs


def text_of_guest():
    folder = os.path.join(REPO, "build/knobs")
    os.makedirs(folder, exist_ok=True)
    script, text = os.path.join(folder, "print.sh"), os.path.join(folder, "knobs")
    with open(script, "w", encoding="utf-8") as file:
        file.write(PRINT)
    os.chmod(script, 0o755)
    subprocess.run([os.path.join(REPO, "tools/guest.sh"), "--config", "uml-spb", "--out", folder, script],
                   check=True, stdout=sys.stderr)
    return read(text)


# --- what disagrees --------------------------------------------------------------------------


def missing_and_unknown(what, found, known):
    for name in sorted(set(known) - set(found)):
        yield f"{what}: {name} is missing"
    for name in sorted(set(found) - set(known)):
        yield f"{what}: {name} is unknown to the module"


def keys_of(line):
    return re.findall(r"(?<![\w=])([a-z_]+)=", line)


def documented():
    """{path: the second column of its row}"""
    text = read("docs/knobs.md").partition("## The file knobs")[0]
    return dict(re.findall(r"^\| `([a-z_/]+)` \| ((?:[^|\\]|\\.)*) \|", text, re.M))


def check_docs(knobs):
    rows = documented()
    yield from missing_and_unknown("docs/knobs.md", rows, knobs)
    for path in rows.keys() & knobs.keys():
        knob, line = knobs[path], rows[path]
        yield from missing_and_unknown(f"docs/knobs.md: {path}", keys_of(line), knob.keys)
        for word in [*knob.words, *knob.values]:
            if not re.search(rf"\b{word}\b", line):
                yield f"docs/knobs.md: {path}: {word} is missing"


def corpus_files():
    for folder, _, names in os.walk(os.path.join(REPO, CORPUS)):
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), os.path.join(REPO, CORPUS))


def check_corpus(knobs):
    """A file without lines of its own gets one that fuzz.sh makes of its keys."""
    for path in corpus_files():
        if path not in knobs or not knobs[path].is_written():
            yield f"{CORPUS}/{path}: the module has no such command file"
            continue
        lines = [line for line in read(f"{CORPUS}/{path}").splitlines() if not line.startswith("#")]
        found = [key for line in lines for key in keys_of(line)]
        yield from missing_and_unknown(f"{CORPUS}/{path}", found, knobs[path].keys)


def paths_in(text, knobs):
    """Words that look like a file in one of the module's folders."""
    folders = {path.partition("/")[0] for path in knobs if "/" in path}
    return re.findall(rf"(?<![\w/.-])(?:{'|'.join(sorted(folders))})/[a-z_]+\b(?![/.])", text)


def check_command(knobs):
    """The command and its completion name no file that is not there, and have no keys of their own."""
    keys = {key for knob in knobs.values() for key in knob.keys}
    for name in sorted(os.listdir(os.path.join(REPO, COMMAND))):
        if not name.endswith((".py", "-completion")):
            continue
        for path in sorted(set(paths_in(read(f"{COMMAND}/{name}"), knobs)) - knobs.keys()):
            yield f"{COMMAND}/{name}: the module has no file {path}"
    completion = read(f"{COMMAND}/fragbed.bash-completion")
    for key in sorted(keys & set(keys_of(completion))):
        yield f"{COMMAND}/fragbed.bash-completion: lists the key {key}, which it can read from the file knobs"


def usage_commands():
    usage = re.search(r'^USAGE = """(.*?)"""', read(f"{COMMAND}/fragbed_command.py"), re.M | re.S)[1]
    return re.findall(r"^  ([a-z]+)\b", usage, re.M)


def check_man_page(knobs):
    """It names each file that is written to, and has each subcommand of the usage text."""
    page = read(f"{COMMAND}/fragbed.1")
    # The page names paths as ".Pa hold/sets , hold/free" and in full below the module's folder.
    named = {word.rpartition("debug/fragbed/")[2] for line in re.findall(r"^.*\.?Pa (.*)$|\bPa (.*)$", page, re.M)
             for word in " ".join(line).split()}
    for path in sorted({path for path, knob in knobs.items() if knob.is_written()} - named):
        yield f"{COMMAND}/fragbed.1: {path} is missing"
    for path in sorted(set(paths_in(" ".join(sorted(named)), knobs)) - knobs.keys()):
        yield f"{COMMAND}/fragbed.1: {path} is unknown to the module"
    commands = set(re.findall(r"^\.(?:It )?Cm ([a-z]+)", page, re.M))
    for name in usage_commands():
        if name not in commands:
            yield f"{COMMAND}/fragbed.1: the subcommand {name} of the usage text is missing"


CHECKS = (("docs/knobs.md", check_docs), (CORPUS, check_corpus), ("usage text and completion", check_command),
          ("man page", check_man_page))


def main(argv):
    if len(argv) > 1:
        sys.exit("usage: knobs.py [FILE]")
    knobs = parse(read(os.path.abspath(argv[0])) if argv else text_of_guest())
    if not knobs:
        sys.exit("knobs.py: the module describes no file")
    failed = False
    for name, check in CHECKS:
        differences = list(check(knobs))
        for line in differences:
            print(line)
        print(f"{'not ok' if differences else 'ok'} {name}")
        failed = failed or bool(differences)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
