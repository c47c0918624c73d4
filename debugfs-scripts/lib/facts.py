# SPDX-License-Identifier: GPL-2.0
#
# Reads what the module and the guest scripts write: lines of "name value", and tables.
import os

# Names that may come several times: their values are a list.
LISTED = ("in_the_way",)


def number_or_text(text):
    try:
        return int(text)
    except ValueError:
        return text


def facts_of(lines, value_of=number_or_text):
    """{name: value} from lines of "name value"."""
    facts = {}
    for line in lines:
        name, _, value = line.rstrip("\n").partition(" ")
        if name in LISTED:
            facts.setdefault(name, []).append(value)
        else:
            facts[name] = value_of(value)
    return facts


def read_facts(path, value_of=number_or_text):
    """Empty if there is no such file."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8", errors="replace") as file:
        return facts_of(file, value_of)


def read_facts_of_folder(folder):
    """The facts of each file, in the order of the names."""
    if not os.path.isdir(folder):
        return []
    return [read_facts(os.path.join(folder, name)) for name in sorted(os.listdir(folder))]


def read_answers(folder):
    """{round: {knob: facts}} from files named ROUND-KNOB."""
    answers = {}
    for name in sorted(os.listdir(folder)):
        number, _, knob = name.partition("-")
        answers.setdefault(int(number), {})[knob] = read_facts(os.path.join(folder, name))
    return answers


def read_table(path):
    """Rows of cells, without the lines that start with #."""
    with open(path, encoding="utf-8") as file:
        return [line.split() for line in file if not line.startswith("#")]


def rows_of(text):
    """The rows of a table as dicts. The last line that starts with # names the columns."""
    columns, rows = [], []
    for line in text.splitlines():
        if line.startswith("#"):
            columns = line[1:].split()
            continue
        cells = line.split(maxsplit=len(columns) - 1)
        rows.append(dict(zip(columns, map(number_or_text, cells))))
    return rows


def files_of_runs(folder, name):
    """{configuration: {seed: path}} of the file that each run has left: "make run" keeps the
    runs in FOLDER/CONFIGURATION/SEED, "fragbed run" its only one in FOLDER itself."""
    if os.path.exists(os.path.join(folder, name)):
        meta = read_facts(os.path.join(folder, "meta"))
        return {meta.get("configuration", "unknown"): {meta.get("seed", 1): os.path.join(folder, name)}}
    found = {}
    for configuration in sorted(os.listdir(folder)):
        top = os.path.join(folder, configuration)
        seeds = sorted(filter(str.isdigit, os.listdir(top)), key=int) if os.path.isdir(top) else []
        paths = {int(seed): os.path.join(top, seed, name) for seed in seeds}
        paths = {seed: path for seed, path in paths.items() if os.path.exists(path)}
        if paths:
            found[configuration] = paths
    return found
