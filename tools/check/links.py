#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# links.py: what README.md, CONTRIBUTING.md and docs/ name has to exist: the targets and
# anchors of links and, in code, paths of the repository, targets of make, configurations,
# scenarios. Words in capitals (NAME) stand for any name. Names with "example" in them are
# those that a reader of CONTRIBUTING.md makes.
import glob
import os
import re
import subprocess
import sys

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
FOLDERS = "module|kunit|debugfs-scripts|kernel|tools|docs|\\.ci"
LINK = re.compile(r"\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`\n]+)`")
# tools/testing/ is of a kernel tree, where the files of kernel/files are, too.
PATH = re.compile(rf"(?<![\w./$~-])(?:{FOLDERS})/(?!testing/)[\w./*-]*")
TREE_PATH = re.compile(r"(?<![\w./$~-])mm/(?:superpageblock|fragbed)/(?!tests)[\w.*-]*")
MAKE = re.compile(r"(?<![\w./-])make((?: +-s)?(?: +[A-Z_]+=\S+)*) +([a-z][a-z-]*)(?![\w.(-])")
CONFIG = re.compile(r"(?:\bCONFIG=|--config )([\w-]+)")
SCENARIO = re.compile(r"\bSCENARIO=([\w-]+)")


def read(path):
    with open(os.path.join(REPO, path), encoding="utf-8") as file:
        return file.read()


def documents():
    paths = ["README.md", "CONTRIBUTING.md", *glob.glob("docs/*.md", root_dir=REPO)]
    return sorted(path for path in paths if os.path.exists(os.path.join(REPO, path)))


def code_of(text):
    """The text of spans and blocks of code, with the number of the line."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield number, line
        else:
            yield from ((number, span) for span in SPAN.findall(line))


def anchors(text):
    """As GitHub makes them from headings."""
    headings = re.findall(r"^#+ +(.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def link_errors(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        for target in LINK.findall(SPAN.sub("", line)):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            file = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
            if not os.path.exists(os.path.join(REPO, file)):
                yield number, f"{target}: there is no such file"
            elif anchor and anchor not in anchors(read(file)):
                yield number, f"{target}: there is no such heading"


def exists(path):
    pattern = re.sub(r"\b[A-Z][A-Z_]*\b(?!\.md)", "*", path.rstrip("."))
    return "example" in path or bool(glob.glob(os.path.join(REPO, pattern)))


def is_name(word, names):
    return word in names or word.isupper() or "example" in word


def code_errors(line, names):
    for path in PATH.findall(line):
        if not exists(path):
            yield f"{path}: there is no such file"
    for path in TREE_PATH.findall(line):
        if not exists(f"kernel/files/{path}"):
            yield f"{path}: not in kernel/files"
    for found in MAKE.finditer(line):
        if not is_name(found[2], names["target"]):
            yield f"{found[0]}: Makefile has no such target"
    for what, pattern in (("configuration", CONFIG), ("scenario", SCENARIO)):
        for word in pattern.findall(line):
            if not is_name(word, names[what]):
                yield f"{word}: no such {what}"


def known_names():
    configs = subprocess.run([os.path.join(REPO, "tools", "configurations.py"), "list"],
                             stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    scenarios = os.listdir(os.path.join(REPO, "debugfs-scripts", "scenarios"))
    targets = re.findall(r"^([a-z][a-z-]*):", read("Makefile"), re.M)
    return {"configuration": set(configs), "scenario": set(scenarios), "target": set(targets)}


def main():
    names, errors = known_names(), []
    for path in documents():
        text = read(path)
        found = list(link_errors(path, text))
        found += [(number, error) for number, line in code_of(text) for error in code_errors(line, names)]
        errors += [f"{path}:{number}: {error}" for number, error in sorted(found)]
    print(*errors, sep="\n", end="\n" if errors else "")
    sys.exit(bool(errors))


if __name__ == "__main__":
    main()
