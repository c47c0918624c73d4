# SPDX-License-Identifier: GPL-2.0
#
# fragbed map: what is in each chunk of memory, by the knob "map", and how many chunks are
# spoiled by how little that cannot move. A look is one object; the table, the letters and
# JSON are made from it. Imported by fragbed_top.py and report_map.py, too.
import argparse
import datetime
import errno
import fcntl
import itertools
import json
import os
import sys
import time

import chunk_map
import fragbed_knobs as knobs
from fragbed_process import signals_wait
from report import CELLS_PER_LINE, LOOKS, draw_line, look_of, map_lines, may_colour, paint, table

COUNTED = ("free", "movable", "unmovable", "reclaimable", "reserved")
# What a table can have of rows before nobody reads it.
ROWS_SHOWN = 64
LOOKS_FILE = "looks.jsonl"

KIB_OF = {"K": 1, "M": 1 << 10, "G": 1 << 20}


# --- sizes -----------------------------------------------------------------------------


def size_in_kib(text):
    """1G, 512M, 4096K or 4096, which is KiB; the kernel says which ones it takes."""
    unit = KIB_OF.get(text[-1:].upper())
    digits = text[:-1] if unit else text
    if not digits.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}': a size is a number and K, M or G")
    return int(digits) * (unit or 1)


def size_words(kib):
    name, unit = next(((name, unit) for name, unit in (("GiB", 1 << 20), ("MiB", 1 << 10))
                       if kib % unit == 0), ("KiB", 1))
    return f"{kib // unit} {name}"


def memory_kib():
    return int(knobs.text_of("/proc/meminfo").split()[1])


def default_chunk_kib():
    """1 GiB, or on a machine with less than four of that what it has four of."""
    kib = 1 << 20
    while kib > memory_kib() // 4 and kib > 4096:
        kib //= 2
    return kib


def in_mib(pages, page_size):
    """Little is not nothing: a page is enough to spoil a chunk."""
    mib = pages * page_size / (1 << 20)
    return "<0.1" if 0 < mib < 0.1 else f"{mib:.1f}"


# --- reading -----------------------------------------------------------------------------


def open_map():
    try:
        return open(knobs.path_of("map"), encoding="ascii")
    except OSError as error:
        raise knobs.refusal("map", error) from None


def open_map_with(chunk_kib):
    """The kernel looks at map_chunk when map is opened, so it is as before again before
    anything is read. The lock is for another fragbed that does the same."""
    before = knobs.read("map_chunk").strip()
    with open(knobs.path_of("map_chunk"), encoding="ascii") as lock, signals_wait():
        fcntl.flock(lock, fcntl.LOCK_EX)
        knobs.write("map_chunk", str(chunk_kib))
        try:
            return open_map()
        finally:
            knobs.write("map_chunk", before)


def map_text(chunk_kib):
    """Where map_chunk cannot be written, since the kernel is locked down, the chunks are
    smaller; merged() makes up for it."""
    try:
        file = open_map_with(chunk_kib)
    except knobs.Refused as refused:
        if refused.errno != errno.EPERM:
            raise
        file = open_map()
    with file:
        return file.read()


def header_of(text):
    """The key=value pairs of the first line."""
    pairs = (pair.partition("=") for pair in text.partition("\n")[0].lstrip("# ").split())
    return {name: int(value) if value.isdigit() else value for name, _, value in pairs}


def merged(rows, pages):
    """Rows of so many pages from smaller ones. A hole has no row: it is added to what is
    reserved, as in a row that the kernel made."""
    chunks = {}
    for row in rows:
        chunk = chunks.setdefault(row["pfn"] // pages, dict(row, pages=pages, free_blocks=0,
                                                            **dict.fromkeys(COUNTED, 0)))
        for name in COUNTED + ("free_blocks",):
            chunk[name] += row[name]
    for number, chunk in chunks.items():
        chunk["pfn"] = number * pages
        chunk["reserved"] += pages - sum(chunk[name] for name in COUNTED)
    return list(chunks.values())


# --- what it means -------------------------------------------------------------------------


def as_classes(row, whole):
    """As chunk_map.py tells of a chunk, so that its rules serve here, too."""
    return {"chunk": row["chunk"], "free": row["free"], "movable": row["movable"], "huge": 0,
            "slab": 0, "pagetable": 0, "other": row["unmovable"] + row["reclaimable"],
            "reserved": row["reserved"], "hole": whole - row["pages"]}


def kind_of(classes):
    if chunk_map.is_tainted(classes):
        return "spoiled"
    if not chunk_map.can_be_huge(classes):
        return "reserved"
    return "clean" if classes["movable"] else "free"


def summary_of(rows, whole):
    """How many of which kind, and what could be had as whole chunks."""
    chunks = [as_classes(row, whole) for row in rows]
    stuck = sum(map(chunk_map.stuck, chunks))
    count = {kind: sum(row["kind"] == kind for row in rows)
             for kind in ("free", "clean", "spoiled", "reserved")}
    spoiled = [row for row in chunks if chunk_map.is_tainted(row)]
    most = min(count["free"] + count["clean"], chunk_map.affordable(chunks)) if chunks else 0
    packed = chunk_map.most_gigantic(chunks, stuck) if chunks else 0
    return {"chunks": len(rows), **count,
            "spoiled_else_whole": sum(map(chunk_map.can_be_huge, spoiled)),
            "stuck_pages": stuck, "fits_in": len(chunk_map.packed(chunks, stuck)),
            "whole_now": count["free"], "whole_if_moved": max(count["free"], most),
            "whole_if_packed": max(count["free"], most, packed)}


def chunk_of(row, whole):
    chunk = {"chunk": row["pfn"] // whole, **{name: row[name] for name in
             ("node", "pfn", "pages", *COUNTED, "spb") if name in row}}
    chunk["kind"] = kind_of(as_classes(chunk, whole))
    return chunk


def take(options, begun):
    """One look: {"meta", "date", "seconds" since the beginning, "chunks", "summary"}."""
    text = map_text(options.chunk)
    header = header_of(text)
    whole = options.chunk * 1024 // header["page_size"]
    rows = [row for row in knobs.rows_of(text) if options.node in (None, row["node"])]
    if header["chunk_kb"] < options.chunk:
        rows = merged(rows, whole)
    if not rows:
        raise knobs.Refused(f"fragbed: map: node {options.node} has no memory")
    chunks = [chunk_of(row, whole) for row in rows]
    return {"meta": meta_of(header, options), "date": date_now(),
            "seconds": round(time.monotonic() - begun, 3),
            "chunks": chunks, "summary": summary_of(chunks, whole)}


def date_now():
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def meta_of(header, options):
    """What does not change from look to look."""
    return {"fragbed": knobs.look("version")["fragbed"], "kernel": os.uname().release,
            "kernel_build": os.uname().version, "page_size": header["page_size"],
            "pageblock_order": header["pageblock_order"], "chunk_kib": options.chunk,
            "labels": header["labels"], "drained": header["drained"], "node": options.node,
            "memory_kib": memory_kib()}


# --- words and pictures ----------------------------------------------------------------------


def head_words(meta):
    node = "all nodes" if meta["node"] is None else f"node {meta['node']}"
    return (f"Memory of {node}, one letter per {size_words(meta['chunk_kib'])}; "
            f"Linux {meta['kernel']}, fragbed {meta['fragbed']}")


def picture(look, use_colour):
    """Each line begins with the address of its first letter."""
    rows, chunk = look["chunks"], look["meta"]["chunk_kib"]
    firsts = [row["chunk"] * chunk / (1 << 20) for row in rows[::CELLS_PER_LINE]]
    digits = 0 if chunk >= 1 << 20 else 2
    return [f"  {first:8.{digits}f} GiB  {draw_line(cells, use_colour).rstrip()}"
            for first, cells in zip(firsts, map_lines(rows))]


def legend(look, use_colour):
    letters = [look_of(row)[0] for row in look["chunks"]]
    return [f"  {paint(letter, colour, use_colour)} {meaning}: {letters.count(letter)}"
            for letter, colour, meaning, _ in LOOKS if letter in letters]


TABLE_HEADER = ["chunk", "node", "", *COUNTED, "kind"]


def chunk_rows(look):
    size = look["meta"]["page_size"]
    return [[row["chunk"], row["node"], look_of(row)[0],
             *(in_mib(row[name], size) for name in COUNTED), row["kind"]]
            for row in look["chunks"]]


def chunk_table(look):
    if len(look["chunks"]) > ROWS_SHOWN:
        return [f"  {len(look['chunks'])} chunks are too many for a table: --json has a row for "
                "each, or take a larger --chunk"]
    return table(TABLE_HEADER, chunk_rows(look)) + ["  in MiB"]


def plural(number, word):
    return f"{number} {word}{'' if number == 1 else 's'}"


def counts_words(look):
    found = look["summary"]
    stuck = in_mib(found["stuck_pages"], look["meta"]["page_size"])
    return (f"{found['free']} wholly free, {found['clean']} clean, {found['spoiled']} spoiled by "
            f"{stuck} MiB, {found['reserved']} with reserved memory")


def verdicts(look):
    found, meta = look["summary"], look["meta"]
    size = size_words(meta["chunk_kib"])
    stuck = in_mib(found["stuck_pages"], meta["page_size"])
    return [
        f"{plural(found['chunks'], 'chunk')} of {size}: {counts_words(look)}.",
        f"{stuck} MiB that cannot move are in {plural(found['spoiled'], 'chunk')}, "
        f"{found['spoiled_else_whole']} of which could be whole without; packed they would fit "
        f"in {found['fits_in']}.",
        f"Whole {size} pages to be had: {found['whole_now']} as it is, {found['whole_if_moved']} "
        f"if what can move were moved away, {found['whole_if_packed']} if the rest were packed as "
        "well.",
    ]


def notes(meta):
    if meta["labels"] == "yes":
        return []
    return ["note: this kernel is without fragbed's series: reclaimable pages count as unmovable, "
            "and so do free pages on per-cpu lists"]


def draw(look, use_colour):
    parts = [[head_words(look["meta"])] + picture(look, use_colour) + legend(look, use_colour),
             chunk_table(look), ["  " + line for line in verdicts(look) + notes(look["meta"])]]
    return "\n\n".join("\n".join(part) for part in parts)


def draw_again(look, use_colour):
    """One of many looks: what may have changed."""
    return "\n".join([f"{look['date']}  {counts_words(look)}"] + picture(look, use_colour))


# --- the command -----------------------------------------------------------------------------


def seconds_of(text):
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"'{text}': must be a number of seconds above 0")
    return seconds


def count_of(text):
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}': must be a number above 0")
    return int(text)


def moments(every, number):
    """Yields the time of the first one, at once and then each so many seconds."""
    begun = time.monotonic()
    for step in itertools.count() if number is None else range(number):
        time.sleep(max(0, begun + step * every - time.monotonic()))
        yield begun


def without_meta(look):
    return {name: value for name, value in look.items() if name != "meta"}


class Record:
    """DIR/looks.jsonl: a line of what does not change, then one for each look."""

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
    """As Record writes it, so that a pipe is as good as a folder."""
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
                       help="what a letter stands for: a power of two; 1G, on small machines less")
    found.add_argument("--node", type=int, metavar="N", help="only this one")
    found.add_argument("--every", type=seconds_of, metavar="SECONDS", help="look again and again")
    found.add_argument("--count", type=count_of, metavar="N", help="end after so many looks")
    found.add_argument("--record", metavar="DIR", help="keep the looks, for 'fragbed report'")
    form = found.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--raw", action="store_true", help="the knob as it is, once")
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
