# SPDX-License-Identifier: GPL-2.0
#
# A look at memory, from the file "map": what is in each chunk, and how few chunks its
# unmovable pages would fit in. A look is one object; the table, the letters and JSON are made
# from it.
import argparse
import datetime
import errno
import fcntl
import itertools
import os
import time

import chunk_map
import fragbed_knobs as knobs
import page_map
import render
from facts import rows_of
from fragbed_process import signals_wait
from render import plural

COUNTED = ("free", "movable", "unmovable", "reclaimable", "reserved")
# A table with more rows is not shown.
ROWS_SHOWN = 64
LOOKS_FILE = "looks.jsonl"
KINDS = ("empty", "clean", "tainted", "reserved")

KIB_OF = {"K": 1, "M": 1 << 10, "G": 1 << 20}


# --- sizes -----------------------------------------------------------------------------


def size_in_kib(text):
    """1G, 512M, 4096K, or 4096, which is KiB; the kernel checks the size."""
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
    """1 GiB; on a machine with less than 4 GiB a size of which it has at least four."""
    kib = 1 << 20
    while kib > memory_kib() // 4 and kib > 4096:
        kib //= 2
    return kib


def in_mib(pages, page_size):
    """Never 0.0 for a few pages: one page is enough to taint a chunk."""
    mib = pages * page_size / (1 << 20)
    return "<0.1" if 0 < mib < 0.1 else f"{mib:.1f}"


# --- reading -----------------------------------------------------------------------------


def open_map():
    try:
        return open(knobs.path_of("map"), encoding="ascii")
    except OSError as error:
        raise knobs.refusal("map", error) from None


def open_map_with(chunk_kib):
    """The kernel reads map_chunk when map is opened, so it is restored before map is read.
    The lock keeps another fragbed from doing the same meanwhile."""
    before = knobs.read("map_chunk").strip()
    with open(knobs.path_of("map_chunk"), encoding="ascii") as lock, signals_wait():
        fcntl.flock(lock, fcntl.LOCK_EX)
        knobs.write("map_chunk", str(chunk_kib))
        try:
            return open_map()
        finally:
            knobs.write("map_chunk", before)


def map_text(chunk_kib):
    """If map_chunk cannot be written because the kernel is locked down, the chunks are
    smaller; merged() adds them up."""
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
    """Rows of so many pages from smaller ones. A hole has no row: it counts as reserved, as in
    a row that the kernel made."""
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
    """The row in the classes of chunk_map.py, so that its rules can be used."""
    return {"chunk": row["chunk"], "free": row["free"], "movable": row["movable"], "huge": 0,
            "slab": 0, "pagetable": 0, "other": row["unmovable"] + row["reclaimable"],
            "reserved": row["reserved"], "hole": whole - row["pages"]}


def kind_of(classes):
    if chunk_map.is_tainted(classes):
        return "tainted"
    if not chunk_map.can_be_huge(classes):
        return "reserved"
    return "clean" if classes["movable"] else "empty"


def summary_of(rows, whole):
    """How many chunks of each kind, and how many whole chunks could be allocated."""
    chunks = [as_classes(row, whole) for row in rows]
    stuck = sum(map(chunk_map.stuck, chunks))
    count = {kind: sum(row["kind"] == kind for row in rows)
             for kind in KINDS}
    tainted = [row for row in chunks if chunk_map.is_tainted(row)]
    most = min(count["empty"] + count["clean"], chunk_map.affordable(chunks)) if chunks else 0
    packed = chunk_map.most_gigantic(chunks, stuck) if chunks else 0
    return {"chunks": len(rows), **count,
            "tainted_else_whole": sum(map(chunk_map.can_be_huge, tainted)),
            "stuck_pages": stuck, "fits_in": len(chunk_map.packed(chunks, stuck)),
            "whole_now": count["empty"], "whole_if_moved": max(count["empty"], most),
            "whole_if_packed": max(count["empty"], most, packed)}


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
    rows = [row for row in rows_of(text) if options.node in (None, row["node"])]
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
    """The facts that are the same in all looks."""
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
    firsts = [row["chunk"] * chunk / (1 << 20) for row in rows[::render.LETTERS_A_LINE]]
    digits = 0 if chunk >= 1 << 20 else 2
    lines = render.map_lines(page_map.letters_of(rows), page_map.LOOKS, use_colour)
    return [f"  {first:8.{digits}f} GiB  {line.rstrip()}" for first, line in zip(firsts, lines)]


def legend(look, use_colour):
    letters = page_map.letters_of(look["chunks"])
    return render.legend([each for each in page_map.LOOKS if each.letter in letters], use_colour,
                         lambda each: f": {letters.count(each.letter)}")


TABLE_HEADER = ["chunk", "node", "", *COUNTED, "kind"]


def chunk_rows(look):
    size = look["meta"]["page_size"]
    return [[row["chunk"], row["node"], page_map.look_of(row).letter,
             *(in_mib(row[name], size) for name in COUNTED), row["kind"]]
            for row in look["chunks"]]


def chunk_table(look):
    if len(look["chunks"]) > ROWS_SHOWN:
        return [f"  {len(look['chunks'])} chunks are too many for a table: --json has a row for "
                "each; or use a larger --chunk"]
    return render.table(TABLE_HEADER, chunk_rows(look)) + ["  in MiB"]


def counts_words(look):
    found = look["summary"]
    stuck = in_mib(found["stuck_pages"], look["meta"]["page_size"])
    return (f"{found['empty']} empty, {found['clean']} clean, {found['tainted']} tainted by "
            f"{stuck} MiB, {found['reserved']} with reserved memory")


def verdicts(look):
    found, meta = look["summary"], look["meta"]
    size = size_words(meta["chunk_kib"])
    stuck = in_mib(found["stuck_pages"], meta["page_size"])
    return [
        f"{plural(found['chunks'], 'chunk')} of {size}: {counts_words(look)}.",
        f"{stuck} MiB are unmovable, in {plural(found['tainted'], 'chunk')}, "
        f"{found['tainted_else_whole']} of which could be whole otherwise; packed, these pages "
        f"would fit in {found['fits_in']}.",
        f"Whole {size} pages that could be allocated: {found['whole_now']} now, "
        f"{found['whole_if_moved']} after migrating movable pages away, "
        f"{found['whole_if_packed']} if unmovable pages were packed, too.",
    ]


def notes(meta):
    if meta["labels"] == "yes":
        return []
    return ["note: this kernel is without fragbed's series: reclaimable pages count as unmovable, "
            "and so do free pages on per-cpu lists"]


def draw(look, use_colour):
    return render.paragraphs([
        [head_words(look["meta"])] + picture(look, use_colour) + legend(look, use_colour),
        chunk_table(look), render.indented(verdicts(look) + notes(look["meta"]))])


def draw_again(look, use_colour):
    """One of many looks: only what may have changed."""
    return "\n".join([f"{look['date']}  {counts_words(look)}"] + picture(look, use_colour))


# --- times -----------------------------------------------------------------------------


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
    """Yields the time of the first look, for each look; every so many seconds."""
    begun = time.monotonic()
    for step in itertools.count() if number is None else range(number):
        time.sleep(max(0, begun + step * every - time.monotonic()))
        yield begun
