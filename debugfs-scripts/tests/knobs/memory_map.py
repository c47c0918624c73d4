# SPDX-License-Identifier: GPL-2.0
#
# map and map_chunk, and what compaction makes of movable and unmovable sets.
import guest
from guest import NOISE, free_pages, ok_knob, set_pages, vmstat
from ktap import Cases, check, near, same, say

CASES = Cases()

NEEDS_DRAIN = guest.without("drain")


def map_sum(column):
    return sum(row[column] for row in guest.rows("map"))


@CASES.add(NEEDS_DRAIN)
def map_adds_up():
    rows = guest.rows("map")
    check("there are rows", rows)
    for row in rows:
        parts = [row[name] for name in ("free", "movable", "unmovable", "reclaimable", "reserved")]
        same(f"pages of the chunk at {row['pfn']}", sum(parts), row["pages"])
    near("free pages in the map", map_sum("free"), free_pages(), NOISE)


@CASES.add()
def map_chunk_sets_the_rows():
    kib = int(guest.text_of(guest.path_of("map_chunk")))
    rows = len(guest.rows("map"))
    ok_knob("map_chunk", kib * 2)
    half = len(guest.rows("map"))
    ok_knob("map_chunk", kib)
    near(f"rows, twice {half}", half * 2, rows, 2)


def compact_spread_pages(kind):
    """Every 16th page of a long run is held: whole blocks can only become free if these are moved.
    Returns how many pages are held, how many were moved, how many blocks became free."""
    ok_knob("hold/alloc", f"set=spread type={kind} order=0 count={free_pages() // 32} stride=16")
    spread, blocks, moved = set_pages("spread"), map_sum("free_blocks"), vmstat("pgmigrate_success")
    guest.write_text("/proc/sys/vm/compact_memory", 1)
    moved, now = vmstat("pgmigrate_success") - moved, map_sum("free_blocks")
    say(f"{kind}: {spread} pages spread, {moved} moved, free blocks {blocks} before, {now} after")
    return spread, moved, now - blocks


@CASES.add(NEEDS_DRAIN)
def movable_holds_migrate():
    spread, moved, gained = compact_spread_pages("movable")
    check("pages were moved", moved > spread // 2)
    check("blocks became free", gained > 3)
    same("pages held", set_pages("spread"), spread)


@CASES.add()
def unmovable_holds_do_not():
    gained = compact_spread_pages("unmovable")[2]
    # A few blocks hold movable pages of the system only; ours fill some hundred.
    check("few blocks became free", gained <= 20)
