# SPDX-License-Identifier: GPL-2.0
#
# fragbed map: what is in each chunk of memory, once or again and again, and a record of it.
import argparse
import json
import os
import sys

import fragbed_knobs as knobs
from fragbed_look import (LOOKS_FILE, count_of, default_chunk_kib, draw, draw_again, map_text,
                          moments, seconds_of, size_in_kib, take)
from render import may_colour


def without_meta(look):
    return {name: value for name, value in look.items() if name != "meta"}


class Record:
    """DIR/looks.jsonl: a line with the constant facts, then a line for each look."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, LOOKS_FILE)
        if os.path.exists(path):
            raise knobs.Refused(f"fragbed: map: {path} is there already: take another folder")
        self.file = open(path, "x", encoding="utf-8")
        self.empty = True

    def add(self, look):
        lines = [dict(look["meta"], date=look["date"])] if self.empty else []
        self.empty = False
        for line in lines + [without_meta(look)]:
            self.file.write(json.dumps(line) + "\n")
        self.file.flush()


def lines_of_json(look, first):
    """The lines that Record writes, for a pipe."""
    if first:
        print(json.dumps(dict(look["meta"], date=look["date"])))
    print(json.dumps(without_meta(look)), flush=True)


def show(look, options, first):
    if options.json and options.every:
        lines_of_json(look, first)
    elif options.json:
        print(json.dumps(look, indent=1))
    elif first:
        print(draw(look, may_colour(options.no_color)), flush=True)
    else:
        print(draw_again(look, may_colour(options.no_color)), flush=True)


def parser():
    found = argparse.ArgumentParser(prog="fragbed map")
    found.add_argument("--chunk", type=size_in_kib, metavar="SIZE", default=default_chunk_kib(),
                       help="size of a chunk, a power of two; 1G, less on small machines")
    found.add_argument("--node", type=int, metavar="N", help="only this one")
    found.add_argument("--every", type=seconds_of, metavar="SECONDS", help="again and again")
    found.add_argument("--count", type=count_of, metavar="N", help="end after so many looks")
    found.add_argument("--record", metavar="DIR", help="record it, for 'fragbed report'")
    form = found.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--raw", action="store_true", help="print the knob as it is, once")
    found.add_argument("--no-color", action="store_true")
    return found


def main(argv):
    options = parser().parse_args(argv)
    if options.count and not options.every:
        parser().error("--count goes with --every")
    if options.raw:
        sys.stdout.write(map_text(options.chunk))
        return 0
    record = Record(options.record) if options.record else None
    first = True
    for begun in moments(options.every or 0, options.count if options.every else 1):
        look = take(options, begun)
        if record:
            record.add(look)
        show(look, options, first)
        first = False
    return 0
