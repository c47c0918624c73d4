# SPDX-License-Identifier: GPL-2.0
#
# fragbed top: the map of memory, its fragmentation, held memory and background work, redrawn
# in the same place.
import argparse
import contextlib
import itertools
import shutil
import sys
import textwrap
import time

import fragbed_knobs as knobs
import fragbed_look
from render import may_colour, table

READ = ("fragment/index", "hold/sets", "fragment/churn_status", "fragment/keep_status")

HIDE, SHOW = "\033[?1049h\033[?25l", "\033[?25h\033[?1049l"
HOME, END_OF_LINE, REST = "\033[H", "\033[K", "\033[J"


def index_lines(rows):
    """Permille of free memory that is unusable at each order."""
    if not rows:
        return []
    header = [name.replace("order", "") for name in rows[0]]
    return (["Unusable free memory by order, in permille"] +
            table(header, [list(row.values()) for row in rows]))


def set_lines(rows):
    if not rows:
        return ["Held: nothing"]
    return ["Held"] + table(list(rows[0]), [list(row.values()) for row in rows])


def status_lines(name, facts, width):
    """All facts, or "none" if it never ran."""
    if facts.get("running") != "yes" and not facts.get("ns"):
        return [f"{name}: none"]
    # A name and its value stay on one line.
    pairs = "  ".join(f"{fact}\u00a0{value}" for fact, value in facts.items())
    lines = textwrap.wrap(pairs, width - 4, break_long_words=False)
    return [name] + ["  " + line.replace("\u00a0", " ") for line in lines]


def screen(options, begun):
    """The lines of one screen, with the time to read the knobs: reading is a load, too."""
    started = time.monotonic()
    look = fragbed_look.take(options, begun)
    index, sets, churn, keep = map(knobs.look, READ)
    took = (time.monotonic() - started) * 1000
    use_colour = may_colour(options.no_color)
    width = shutil.get_terminal_size().columns
    parts = [
        [fragbed_look.head_words(look["meta"]),
         f"{look['date']}, every {options.every:g} s, read in {took:.0f} ms"],
        fragbed_look.picture(look, use_colour) + [fragbed_look.counts_words(look)],
        index_lines(index), set_lines(sets), status_lines("Churn", churn, width),
        status_lines("Keep", keep, width),
        fragbed_look.notes(look["meta"]),
    ]
    return [line for part in parts if part for line in [*part, ""]][:-1]


def cut(line, width):
    """Lines with colours belong to the map and are never long."""
    return line if "\033" in line else line[:width]


def redraw(lines):
    size = shutil.get_terminal_size()
    shown = [cut(line, size.columns) + END_OF_LINE for line in lines[:size.lines]]
    sys.stdout.write(HOME + "\n".join(shown) + REST)
    sys.stdout.flush()


@contextlib.contextmanager
def whole_terminal():
    """The terminal shows its former content again afterwards."""
    sys.stdout.write(HIDE)
    try:
        yield
    finally:
        sys.stdout.write(SHOW)
        sys.stdout.flush()


def parser():
    found = argparse.ArgumentParser(prog="fragbed top")
    found.add_argument("--every", type=fragbed_look.seconds_of, metavar="SECONDS", default=2.0)
    found.add_argument("--chunk", type=fragbed_look.size_in_kib, metavar="SIZE",
                       default=fragbed_look.default_chunk_kib(), help="as for 'fragbed map'")
    found.add_argument("--node", type=int, metavar="N", help="only this node")
    found.add_argument("--count", type=fragbed_look.count_of, metavar="N", help="end after so many screens")
    found.add_argument("--no-color", action="store_true")
    return found


def main(argv):
    options = parser().parse_args(argv)
    screens = (screen(options, begun)
               for begun in fragbed_look.moments(options.every, options.count))
    if not sys.stdout.isatty():
        for lines in screens:
            print("\n".join(lines) + "\n", flush=True)
        return 0
    # The first screen before the terminal is cleared: an error message has to stay visible.
    first = next(screens)
    with whole_terminal():
        for lines in itertools.chain([first], screens):
            redraw(lines)
    return 0
