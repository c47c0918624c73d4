# SPDX-License-Identifier: GPL-2.0
#
# hold/alloc and hold/free: what is held, by each type, and when holding ends.
import guest
from guest import LOG, all_back, fact, free_pages, hold_until_full, kept_back, ok_knob, set_pages, wants
from guest import NOISE, zoneinfo
from ktap import Cases, check, near, same

CASES = Cases()


def map_movable():
    return sum(row["movable"] for row in guest.rows("map"))


@CASES.add()
def hold_unmovable():
    before = free_pages()
    ok_knob("hold/alloc", "set=u type=unmovable order=3 count=200")
    same("row", list(guest.sets()[0].values()), ["u", "unmovable", 3, 0, 200, 1600, 0])
    near("free pages fell by it", free_pages(), before - 1600, NOISE)
    ok_knob("hold/free", "set=u")
    same("pages held", set_pages("u"), 0)
    all_back(before)


@CASES.add()
def hold_movable():
    before = map_movable()
    ok_knob("hold/alloc", "set=m type=movable order=0 count=3000")
    same("pages held", set_pages("m"), 3000)
    near("movable pages on the LRU in the map", map_movable(), before + 3000, NOISE)
    ok_knob("hold/free", "set=m")
    near("movable pages when freed", map_movable(), before, NOISE)


@CASES.add()
def hold_reclaimable_answers_the_shrinker():
    ok_knob("hold/alloc", "set=r type=reclaimable order=2 count=300")
    ok_knob("hold/alloc", "set=u type=unmovable order=2 count=300")
    guest.write_text("/proc/sys/vm/drop_caches", "2")
    same("reclaimable chunks held", guest.set_sum("r", "chunks"), 0)
    same("chunks the shrinker freed", guest.set_sum("r", "given_back"), 300)
    same("unmovable chunks held", guest.set_sum("u", "chunks"), 300)


@CASES.add()
def hold_atomic():
    ok_knob("hold/alloc", "set=a type=unmovable order=2 count=50 gfp=atomic")
    ok_knob("hold/alloc", "set=b type=reclaimable order=0 count=50 gfp=atomic")
    ok_knob("hold/alloc", "set=c type=unmovable order=0 count=50 gfp=kernel")
    same("pages held", [set_pages(name) for name in "abc"], [200, 50, 50])


@CASES.add()
def hold_stride_leaves_holes():
    ok_knob("hold/alloc", "set=s type=unmovable order=0 count=500 stride=4")
    same("a quarter is kept", set_pages("s"), 500)
    ok_knob("hold/alloc", "set=t type=movable order=0 count=500 stride=4")
    same("a quarter of movable ones is kept", set_pages("t"), 500)


@CASES.add()
def hold_name_can_be_used_again():
    ok_knob("hold/alloc", "set=a type=unmovable order=0 count=10")
    ok_knob("hold/alloc", "set=a type=reclaimable order=1 count=10")
    same("pages of both", set_pages("a"), 30)
    ok_knob("hold/free", "set=a")
    same("pages of both when freed", set_pages("a"), 0)


@CASES.add()
def free_every_nth():
    ok_knob("hold/alloc", "set=a type=unmovable order=0 count=900")
    ok_knob("hold/alloc", "set=b type=movable order=0 count=900")
    ok_knob("hold/free", "set=a every=3")
    same("raw pages", set_pages("a"), 600)
    ok_knob("hold/free", "set=b every=3")
    same("pages of shmem", set_pages("b"), 600)


def left_after_random(seed):
    ok_knob("hold/alloc", "set=a type=unmovable order=0 count=2000")
    ok_knob("hold/free", f"set=a random=300 seed={seed}")
    left = set_pages("a")
    ok_knob("hold/free", "set=a")
    return left


@CASES.add()
def free_random_follows_the_seed():
    first = left_after_random(5)
    same("left with the same seed", left_after_random(5), first)
    check("another seed, another figure", left_after_random(6) != first)
    near("left when 300 of 1000 are freed", first, 1400, 100)


@CASES.add()
def hold_enomem_gives_all_back():
    before = free_pages()
    order = fact("caps", "max_page_order")
    line = f"set=big type=unmovable order={order} count={zoneinfo('managed') >> order}"
    wants("ENOMEM", "hold/alloc", line)
    same("pages held", set_pages("big"), 0)
    all_back(before)
    LOG.last_has("keep a tenth of it free; force=1 goes down")
    wants("ENOMEM", "hold/alloc", f"{line} force=1")
    LOG.last_has("above its watermarks")


# No free chunk of order 6 is left, and what is held is unmovable. The line asks for so many that a
# few chunks which merge again meanwhile are not enough.
@CASES.add(guest.without("drain"))
def hold_tells_of_smaller_pieces():
    ok_knob("fragment/run", "order=6 index=1000 unmovable=100 seed=1")
    wants("ENOMEM", "hold/alloc", "set=p type=unmovable order=6 count=512")
    LOG.last_has("got .* of 512 chunks, the remaining free memory is fragmented")
    same("pages held", set_pages("p"), 0)


def hold_all_but_a_tenth():
    """Superpageblocks may refuse the large ones before that."""
    hold_until_full("set=full type=unmovable order=6 count=16")
    return hold_until_full("set=rest type=unmovable order=0 count=1024")


def go_below_the_tenth():
    """By a quarter of the tenth, so that pages which are freed by themselves do not fill it up; not
    by all pages that might be, or it would be down to the watermarks, which a PC may boost."""
    count = zoneinfo("managed") // 40 + kept_back() // 2
    ok_knob("hold/alloc", f"set=more type=unmovable order=0 count={count} force=1")


# What a node keeps free differs by zone: a tenth at least, or a little above its watermarks.
@CASES.add()
def holds_leave_a_tenth():
    tenth = zoneinfo("managed") // 10
    same("holding ended with", hold_all_but_a_tenth(), "ENOMEM")
    free = free_pages()
    check(f"free {free}, a tenth is {tenth}", free >= tenth - NOISE - kept_back())
    check(f"free {free} is not much more", free <= tenth + tenth // 2 + 1024)
    go_below_the_tenth()
    wants("ENOMEM", "hold/alloc", "set=m type=movable order=0 count=1024")
    ok_knob("hold/alloc", "set=m type=movable order=0 count=1024 force=1")


@CASES.add()
def holds_stop_above_the_watermarks():
    result = hold_until_full("set=full type=unmovable order=6 count=16 force=1")
    same("holding ended with", result, "ENOMEM")
    high, free = zoneinfo("high"), free_pages()
    check(f"free {free} above the high watermark {high}", free > high)


@CASES.add()
def line_too_long_is_e2big():
    wants("E2BIG", "hold/free", f"set={0:0300d}")


@CASES.add()
def line_with_control_character_is_einval():
    wants("EINVAL", "hold/free", "set=a\001")
