# SPDX-License-Identifier: GPL-2.0
#
# fragment/run, fragment/free and fragment/index; how a second write, a signal or a reset ends
# what runs.
import guest
from guest import LOG, NOISE, all_back, fact, free_pages, hold_until_full, kept_back, knob, ok_knob, wants
from hold import go_below_the_tenth, hold_all_but_a_tenth
from ktap import Cases, check, near, same

CASES = Cases()

# Pages on per-cpu lists hide whole blocks: they have to be drained.
NEEDS_DRAIN = guest.without("drain")

LONG_RUN = "order=1 index=990 unmovable=0 seed=1"


def result(name):
    return fact("fragment/result", name)


def kept():
    return result("kept_unmovable") + result("kept_movable")


def mainline_index():
    """{node, zone: [share at order 0, 1, ...]}, from lines such as
    "Node 0, zone   Normal 0.000 0.067"."""
    words = (line.replace(",", "").split() for line in
             guest.text_of("/sys/kernel/debug/extfrag/unusable_index").splitlines())
    return {(word[1], word[3]): [float(cell) for cell in word[4:]] for word in words}


def module_index():
    words = (line.split() for line in guest.text_of(guest.path_of("fragment/index")).splitlines()
             if not line.startswith("#"))
    return {(word[0], word[1]): [int(cell) for cell in word[2:]] for word in words}


@CASES.add()
def index_is_the_kernels():
    ok_knob("fragment/run", "order=5 index=700 unmovable=30 seed=3")
    wanted, found = mainline_index(), module_index()
    check("there are rows", wanted)
    same("zones", sorted(found), sorted(wanted))
    for zone, shares in wanted.items():
        # 0.067 against 67; both move while pages come and go.
        for order, (share, permille) in enumerate(zip(shares, found[zone])):
            near(f"permille at order {order} of {zone}", permille, share * 1000, 5)


@CASES.add(NEEDS_DRAIN)
def fragment_reaches_the_target():
    ok_knob("fragment/run", "order=4 index=1000 unmovable=20 seed=1")
    same("status", result("status"), "reached")
    same("index", result("reached_permille"), 1000)
    # "Node 0, zone Normal" and the number of free chunks at order 0, 1, ...
    rows = (line.split()[4:] for line in guest.text_of("/proc/buddyinfo").splitlines())
    free = sum(int(cell) for row in rows for cell in row[4:])
    check(f"nothing is free at order 4 or above: {free} chunks", free <= 64)


@CASES.add()
def fragment_keeps_the_share():
    ok_knob("fragment/run", "order=3 index=1000 unmovable=25 seed=1")
    # Fallbacks near the end are counted separately in the result.
    asked = result("kept_unmovable") - result("fallbacks")
    near("percent that are unmovable", asked * 100 // kept(), 25, 2)
    check("few fall back", result("fallbacks") < kept() // 20)


@CASES.add(NEEDS_DRAIN)
def fragment_partial_target():
    # Half way from where the node is; at order 9 a step is worth a few permille.
    ok_knob("fragment/run", "order=9 index=1 unmovable=0 seed=1")
    target = (result("reached_permille") + 1000) // 2
    ok_knob("fragment/run", f"order=9 index={target} unmovable=0 seed=1")
    near(f"reached, not far above {target}", result("reached_permille"), target + 15, 15)


def unmovable_permille(seed):
    """Of the pages kept, from the first chunk to the last."""
    ok_knob("fragment/run", f"order=6 index=1000 unmovable=40 seed={seed}")
    check("some are kept", kept() > 0)
    permille = result("kept_unmovable") * 1000 // kept()
    ok_knob("fragment/free", "1")
    return permille


@CASES.add(NEEDS_DRAIN)
def fragment_same_seed_same_figures():
    first = unmovable_permille(9)
    near("permille unmovable the second time", unmovable_permille(9), first, 5)


@CASES.add()
def fragment_free_gives_back():
    before = free_pages()
    ok_knob("fragment/run", "order=4 index=900 unmovable=50 seed=1")
    ok_knob("fragment/free", "1")
    same("pages held", guest.set_pages("fragment"), 0)
    all_back(before)
    wants("ENXIO", "fragment/free", "1")


@CASES.add()
def fragment_enospc_keeps_what_it_has():
    # Little to spare, in whole free blocks: too few pages to break them all.
    hold_until_full("set=full type=unmovable order=6 count=4 force=1")
    ok_knob("hold/free", "set=full every=6")
    ok_knob("hold/alloc", "set=rest type=unmovable order=0 count=100 force=1")
    hold_until_full("set=rest type=unmovable order=0 count=50 force=1")
    ok_knob("hold/free", "set=full every=128")
    wants("ENOSPC", "fragment/run", "order=1 index=1000 unmovable=100 seed=1 force=1")
    same("status", result("status"), "short")
    check("short of it", result("reached_permille") < 1000)
    check("the set is there", "fragment" in [row["set"] for row in guest.sets()])


@CASES.add()
def fragment_leaves_a_tenth():
    hold_all_but_a_tenth()
    go_below_the_tenth()
    held = len(guest.sets())
    wants("ENOMEM", "fragment/run", "order=6 index=1000 unmovable=50 seed=1")
    LOG.last_has("keep a tenth of it free; force=1 goes down")
    same("sets held", len(guest.sets()), held)
    ok_knob("fragment/run", "order=6 index=100 unmovable=50 seed=1 force=1")


@CASES.add(NEEDS_DRAIN)
def second_run_is_ebusy():
    with guest.writing("fragment/run", LONG_RUN) as first:
        second = knob("fragment/run", "order=1 index=1 unmovable=0 seed=1")
        first.ends_with("OK")
    same("the second got", second, "EBUSY")


@CASES.add()
def signal_ends_fragment_with_eintr():
    before = free_pages()
    with guest.writing("fragment/run", LONG_RUN) as writer:
        writer.interrupt()
        writer.ends_with("EINTR")
    same("status", result("status"), "interrupted")
    guest.nothing_held()
    all_back(before, NOISE + kept_back())


@CASES.add()
def signal_ends_hold_with_eintr():
    before = free_pages()
    with guest.writing("hold/alloc", f"set=long type=movable order=0 count={before * 3 // 4}") as writer:
        writer.interrupt()
        writer.ends_with("EINTR")
    guest.nothing_held()
    all_back(before, NOISE + kept_back())


@CASES.add()
def reset_ends_a_run():
    with guest.writing("fragment/run", LONG_RUN) as writer:
        ok_knob("reset", "1")
        writer.ends_with("EINTR")
    guest.nothing_held()
