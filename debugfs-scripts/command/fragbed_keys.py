# SPDX-License-Identifier: GPL-2.0
#
# The keys of each knob, as the module describes them in its file "knobs" (docs/knobs.md has
# the format). Nothing here lists keys: help shows those of the loaded module.
import collections

import fragbed_knobs as knobs
from render import table

HEADER = ["key", "needed", "default", "values"]

# needed: as in the file "knobs"; values: what may be written, in words.
Key = collections.namedtuple("Key", "name needed default values")


def values_words(kind, values):
    if kind == "number":
        return " to ".join(values)
    return " or ".join(values + ["a text"] if kind == "text" else values)


def key_of(cells):
    """From the fields after the path."""
    name, kind, needed, default, *values = cells
    return Key(name, needed.replace("=", " "), default, values_words(kind, values))


def read():
    """{path of a knob: (words that begin a line, keys)}; empty without the module."""
    found = {}
    for line in knobs.text_of(knobs.path_of("knobs")).splitlines():
        what, *cells = line.split()
        if what == "file":
            found[cells[0]] = ([], [])
        elif what == "word":
            found[cells[0]][0].append(cells[1])
        elif what in ("key", "value"):
            found[cells[0]][1].append(key_of(cells[1:]))
    return found


def lines_of(path, knob):
    words, keys = knob
    lines = [f"{path}: a line begins with {' or '.join(words)}" if words else f"{path}:"]
    return lines + (table(HEADER, keys) if keys else ["  no keys"])


def help_on(paths):
    """For those of the knobs that the module has."""
    found = read()
    if not found:
        return "The keys are shown when fragbed.ko is loaded and the user is root."
    return "\n\n".join("\n".join(lines_of(path, found[path])) for path in paths if path in found)
