#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Parts of command.sh that look at the command fragbed from inside:
#
#   command_checks.py same_figures KNOB...   what is drawn and JSON have the same figures
#   command_checks.py map_is_one_object      so have table, letters and summary of a map
#   command_checks.py merged_is_read         small chunks added up are the large ones
#   command_checks.py top_restores           the terminal is as it was, also after Ctrl-C
#   command_checks.py lockdown_is_explained
#
# Exit: 0 it is so, 1 it is not.
import contextlib
import errno
import io
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../command"), os.path.join(HERE, "../../lib")]

import fragbed_command  # noqa: E402
import fragbed_knobs as knobs  # noqa: E402
import fragbed_look  # noqa: E402
import fragbed_map  # noqa: E402
import fragbed_process  # noqa: E402
import fragbed_top  # noqa: E402
from facts import rows_of  # noqa: E402

MIB = 1 << 20
# Pages that come and go between two looks.
NOISE = 2048


def check(what, truth):
    if not truth:
        print(f"# not so: {what}")
        sys.exit(1)


def output_of(function, *args):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        function(*args)
    return text.getvalue()


def values_of(told):
    """All figures and words in an object, as text."""
    if isinstance(told, dict):
        return [text for value in told.values() for text in values_of(value)]
    if isinstance(told, list):
        return [text for value in told for text in values_of(value)]
    return str(told).split()


def same_figures(*names):
    """The knobs must be at rest: each form is read anew."""
    drawn = output_of(fragbed_command.show, names, False).split()
    told = json.loads(output_of(fragbed_command.show, names, True))
    check("each knob is told", list(told) == list(names))
    for value in values_of(told):
        check(f"{value} is drawn", value in drawn)
        drawn.remove(value)


def options(*argv):
    return fragbed_map.parser().parse_args(argv)


def map_is_one_object():
    look = fragbed_look.take(options("--chunk", "64M"), 0)
    text = fragbed_look.draw(look, False)
    again = json.loads(json.dumps(look))
    check("the same after JSON", fragbed_look.draw(again, False) == text)
    for row in again["chunks"]:
        check(f"chunk {row['chunk']} adds up",
              sum(row[name] for name in fragbed_look.COUNTED) == row["pages"])
        cells = [str(row["chunk"]), str(row["node"]), *(
            fragbed_look.in_mib(row[name], 4096) for name in fragbed_look.COUNTED), row["kind"]]
        check(f"{cells} is a line", any(
            [cell for at, cell in enumerate(line.split()) if at != 2] == cells
            for line in text.splitlines()))
    found = again["summary"]
    check("each has a kind", found["chunks"] == len(again["chunks"]) == sum(
        found[kind] for kind in ("empty", "clean", "tainted", "reserved")))
    check("what is stuck adds up", found["stuck_pages"] == sum(
        row["unmovable"] + row["reclaimable"] for row in again["chunks"]))


def merged_is_read():
    small = rows_of(fragbed_look.map_text(options("--chunk", "4M").chunk))
    large = rows_of(fragbed_look.map_text(options("--chunk", "64M").chunk))
    added = fragbed_look.merged(small, 64 * MIB // 4096)
    check("as many", [row["pfn"] for row in added] == [row["pfn"] for row in large])
    for one, other in zip(added, large):
        for name in fragbed_look.COUNTED:
            check(f"{name} at {one['pfn']}: {one[name]}, {other[name]}",
                  abs(one[name] - other[name]) <= NOISE)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def top_restores():
    """Once to its end, once stopped at the second screen."""
    def stopped(*_unused):
        raise fragbed_process.Stopped(2)

    screen, found = fragbed_top.screen, []
    for second in (screen, stopped):
        screens = iter((screen, second))
        fragbed_top.screen = lambda *args, turns=screens: next(turns)(*args)
        text = Terminal()
        with contextlib.redirect_stdout(text), contextlib.suppress(fragbed_process.Stopped):
            fragbed_top.main(["--count", "2", "--every", "0.1"])
        found.append(text.getvalue())
    for text, screens in zip(found, (2, 1)):
        check("it begins", text.startswith(fragbed_top.HIDE))
        check("it ends", text.endswith(fragbed_top.SHOW))
        check(f"{screens} screens", text.count(fragbed_top.HOME) == screens)


def lockdown_is_explained():
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("none [integrity] confidentiality\n")
        file.flush()
        knobs.LOCKDOWN = file.name
        error = PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        said = str(knobs.refusal("hold/alloc", error))
        for word in ("integrity", file.name, "Secure Boot", "(EPERM)"):
            check(f"{word} is in: {said}", word in said)
        file.seek(0)
        file.write("[none] integrity confidentiality\n")
        file.flush()
        check("none is none", knobs.why_locked_down() is None)


CHECKS = (same_figures, map_is_one_object, merged_is_read, top_restores, lockdown_is_explained)


def main():
    found = [function for function in CHECKS if sys.argv[1:2] == [function.__name__]]
    if not found:
        sys.exit(f"usage: command_checks.py {'|'.join(function.__name__ for function in CHECKS)}")
    try:
        found[0](*sys.argv[2:])
    except knobs.Refused as refused:
        sys.exit(f"# {refused}")


if __name__ == "__main__":
    main()
