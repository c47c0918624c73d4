# SPDX-License-Identifier: GPL-2.0
#
# spb/: tainting, defragmenting and evacuating superpageblocks, and reading about them.
import contextlib
import os
import time

import guest
from guest import (LOG, all_back, fact, facts, free_pages, has_feature, hold_until_full, knob, nothing_held, ok_knob,
                   rows, set_pages, wants)
from ktap import Cases, Failed, check, near, same

CASES = Cases()

TABLE_COLUMNS = 14

DEFRAG_FACTS = ("spb", "node", "zone", "pages_limit", "ms_limit", "state", "error", "spbs", "left", "pages", "pinned",
                "busy", "no_target", "fixed", "stop", "ended_room", "ended_empty", "ended_stuck", "ended_no_target",
                "ended_pages", "ended_time", "ended_signal", "ns")

# The largest superpageblock that a test fills, in pages.
MOST_PAGES = 4096


def why_not():
    if not has_feature("spb"):
        return fact("caps", "spb")
    if spb_pages() > MOST_PAGES:
        return f"superpageblocks of {spb_pages()} pages are too large for a test"
    return None


# --- superpageblocks in the table ----------------------------------------------------------


def is_empty(row):
    return row["category"] == "empty" and row["blocks"] == row["usable"]


def is_clean_and_full(row):
    return row["category"] == "clean" and row["blocks"] == row["usable"] and row["free"] == 0


def spb_pages():
    return rows("spb/table")[0]["blocks"] << fact("caps", "pageblock_order")


def keys_of(row):
    """A superpageblock as a line names it."""
    return f"spb={row['spb']} zone={row['zone']}"


def pick(fits):
    """The keys of the first one of node 0 that fits."""
    found = [keys_of(row) for row in rows("spb/table") if row["node"] == 0 and fits(row)]
    check(f"there is one that {fits.__name__}", found)
    return found[0]


def row_of(spb):
    return next(row for row in rows("spb/table") if row["node"] == 0 and keys_of(row) == spb)


def category(spb):
    return row_of(spb)["category"]


def movable_pages(spb):
    """By the map."""
    first = row_of(spb)["pfn"]
    return sum(row["movable"] for row in rows("map") if first <= row["pfn"] < first + spb_pages())


def nr_of(name):
    """How many there are of a category, but for those that are all holes."""
    return len([row for row in rows("spb/table") if row["category"] == name and row["usable"]])


def counter(name):
    """The sum of all zones; None if there is no such counter."""
    found = [row["count"] for row in rows("spb/stats") if row["event"] == name]
    return sum(found) if found else None


def answer(verb, *names):
    found = facts(f"spb/{verb}")
    return [found.get(name) for name in names]


# --- scenes --------------------------------------------------------------------------------


def hold_movable_percent(percent):
    ok_knob("hold/alloc", f"set=m type=movable order=0 count={free_pages() * percent // 100}")


def taint_a_full_one():
    """One that is full of movable pages, with some unmovable ones."""
    hold_movable_percent(40)
    spb = pick(is_clean_and_full)
    # Another task may hold a reference to one of its pages just now.
    if knob("spb/taint", f"{spb} pages=16 set=t") != "OK":
        time.sleep(1)
        ok_knob("spb/taint", f"{spb} pages=16 set=t")
    same("category", category(spb), "tainted")
    return spb


def scatter_movable():
    """Clean ones, half full of single pages."""
    ok_knob("hold/alloc", f"set=m type=movable order=0 count={spb_pages() * 8}")
    ok_knob("hold/free", "set=m random=500 seed=1")
    return pick(is_clean_and_full)


# --- reading -------------------------------------------------------------------------------


@CASES.add(lambda: "this kernel has superpageblocks" if has_feature("spb") else None)
def spb_without_is_eopnotsupp():
    wants("EOPNOTSUPP", "spb/defrag", "spb=all")
    wants("EOPNOTSUPP", "spb/evacuate", "spb=all")
    wants("EOPNOTSUPP", "spb/taint", "spb=1 pages=1 set=x")
    with contextlib.suppress(OSError):
        raise Failed(f"failed: it can be read: {guest.text_of(guest.path_of('spb/defrag'))}")
    check("no table", not os.path.exists(guest.path_of("spb/table")))


@CASES.add(why_not)
def spb_facts():
    for name in ("spb/table", "spb/stats", "spb/check"):
        guest.has_mode(name, 0o444)
    header, *table = guest.text_of(guest.path_of("spb/table")).splitlines()
    same("columns", len(header.lstrip("#").split()), TABLE_COLUMNS)
    check("there are rows", table)
    for row in table:
        same(f"cells of '{row}'", len(row.split()), TABLE_COLUMNS)
    check("there is a counter", counter("became_tainted_too_early") is not None)


@CASES.add(why_not)
def spb_nothing_was_done_before():
    guest.unload_module()
    guest.load_module()
    for name in ("spb/defrag", "spb/evacuate"):
        same(name, facts(name), {"state": "none"})


# --- taint ---------------------------------------------------------------------------------


@CASES.add(why_not)
def spb_taint():
    became = counter("became_tainted")
    spb = pick(is_empty)
    ok_knob("spb/taint", f"{spb} pages=8 set=t")
    same("category", category(spb), "tainted")
    check("it was counted", counter("became_tainted") > became)
    check("in eight pageblocks", row_of(spb)["nonmovable"] >= 8)
    same("row", list(guest.sets()[0].values()), ["t", "unmovable", 0, 0, 8, 8, 0])
    ok_knob("hold/free", "set=t")
    check("in fewer pageblocks when freed", row_of(spb)["nonmovable"] < 8)


@CASES.add(why_not)
def spb_taint_every_pageblock():
    spb = pick(is_empty)
    ok_knob("spb/taint", f"{spb} pages={row_of(spb)['blocks'] * 2} set=t")
    same("pageblocks with unmovable pages", row_of(spb)["nonmovable"], row_of(spb)["blocks"])


# Where an unmovable page is held, no other page can be moved away.
@CASES.add(why_not)
def spb_taint_ebusy_gives_all_back():
    spb = pick(is_empty)
    ok_knob("spb/taint", f"{spb} pages=2 set=b")
    ok_knob("hold/free", "set=b every=2")
    before = free_pages()
    wants("EBUSY", "spb/taint", f"{spb} pages={spb_pages()} set=c")
    LOG.last_has("pages, no more can be allocated there")
    same("pages of the refused set", set_pages("c"), 0)
    same("pages of the other set", set_pages("b"), 1)
    all_back(before)


@CASES.add(why_not)
def spb_taint_enomem():
    hold_until_full("set=full type=movable order=0 count=1024 force=1")
    wants("ENOMEM", "spb/taint", f"{pick(is_clean_and_full)} pages=4096 set=t")
    same("pages held", set_pages("t"), 0)
    LOG.last_has("above the watermarks")


# --- defrag --------------------------------------------------------------------------------


@CASES.add(why_not)
def spb_defrag():
    spb = taint_a_full_one()
    ok_knob("spb/defrag", spb)
    found = facts("spb/defrag")
    same("facts that are missing", [name for name in DEFRAG_FACTS if name not in found], [])
    same("state and error", [found["state"], found["error"]], ["done", "none"])
    same("superpageblocks", found["spbs"], 1)
    same("the one in the line", keys_of(found), spb)
    check(f"{found['pages']} pages were moved", found["pages"] > spb_pages() // 2)
    same("last run in the table", row_of(spb)["last_run"], found["stop"])
    check("how long ago", row_of(spb)["ms_ago"] < 60000)
    reasons = found["pinned"] + found["busy"] + found["no_target"]
    check("no movable page is left, or there is a reason", not movable_pages(spb) or reasons)


@CASES.add(why_not)
def spb_defrag_tainted():
    hold_movable_percent(40)
    for _ in range(2):
        ok_knob("spb/taint", f"{pick(is_clean_and_full)} pages=4 set=t")
    tainted = [row for row in rows("spb/table") if row["node"] == 0 and row["category"] == "tainted"]
    ok_knob("spb/defrag", "spb=tainted")
    found = facts("spb/defrag")
    near("superpageblocks gone through", found["spbs"], len(tainted), 2)
    ended = sum(value for name, value in found.items() if name.startswith("ended_"))
    same("each ended for a reason", ended, found["spbs"])
    same("superpageblocks left", found["left"], 0)
    check(f"{found['pages']} pages were moved", found["pages"] > spb_pages())


@CASES.add(why_not)
def spb_defrag_all():
    ok_knob("spb/defrag", "spb=all ms=10000")
    same("node and zone", answer("defrag", "node", "zone"), ["all", "all"])
    check("there are some", fact("spb/defrag", "spbs") > 0)


# A rejected line does not change the last answer.
@CASES.add(why_not)
def spb_defrag_of_others_is_einval():
    ok_knob("spb/defrag", "spb=tainted")
    hold_movable_percent(20)
    before = guest.knobs.read("spb/defrag")
    wants("EINVAL", "spb/defrag", pick(is_clean_and_full))
    LOG.last_has("is clean, only tainted ones are defragmented")
    wants("EINVAL", "spb/defrag", pick(is_empty))
    LOG.last_has("is empty, only tainted ones are defragmented")
    same("answer", guest.knobs.read("spb/defrag"), before)


@CASES.add(why_not)
def spb_defrag_keeps_its_limits():
    spb = taint_a_full_one()
    ok_knob("spb/defrag", f"{spb} pages=1")
    same("limit and why it ended", answer("defrag", "pages_limit", "stop"), [1, "pages"])
    check("not many pages were moved", fact("spb/defrag", "pages") < 512)
    ok_knob("spb/defrag", f"{spb} ms=1")
    same("limit", fact("spb/defrag", "ms_limit"), 1)
    check(f"it took {fact('spb/defrag', 'ns')} ns", fact("spb/defrag", "ns") < 1_000_000_000)


# --- evacuate ------------------------------------------------------------------------------


@CASES.add(why_not)
def spb_evacuate():
    spb = scatter_movable()
    ok_knob("spb/evacuate", spb)
    same("category", category(spb), "empty")
    same("emptied or not", answer("evacuate", "emptied", "not_emptied"), [1, 0])
    check("pages were moved", fact("spb/evacuate", "pages") > 0)
    check("they are still held", set_pages("m") > 0)
    ok_knob("spb/evacuate", spb)
    same("when it is empty already", answer("evacuate", "emptied", "already_empty", "pages"), [0, 1, 0])


@CASES.add(why_not)
def spb_evacuate_clean():
    scatter_movable()
    before = nr_of("empty")
    ok_knob("spb/evacuate", "spb=clean")
    found = facts("spb/evacuate")
    check("some became empty", found["emptied"] > 0)
    near("those that were empty", found["already_empty"], before, 2)
    check("the table has more empty ones", nr_of("empty") > before)
    in_the_way = found.get("in_the_way", [])
    same("lines about those not emptied", len(in_the_way), min(found["not_emptied"], 8))
    for line in in_the_way:
        keys = [word.partition("=")[0] for word in line.split()]
        same(f"keys of '{line}'", [keys[0], keys[-4:]], ["spb", ["pinned", "busy", "no_target", "fixed"]])


@CASES.add(why_not)
def spb_evacuate_all():
    ok_knob("spb/evacuate", "spb=all ms=10000")
    same("node and zone", answer("evacuate", "node", "zone"), ["all", "all"])


@CASES.add(why_not)
def spb_evacuate_tainted_is_einval():
    wants("EINVAL", "spb/evacuate", taint_a_full_one())
    LOG.last_has("is tainted, only clean ones are evacuated")


@CASES.add(why_not)
def spb_evacuate_ebusy_says_why():
    spb = scatter_movable()
    wants("EBUSY", "spb/evacuate", f"{spb} pages=1")
    LOG.last_has("not emptied, pages: ")
    found = facts("spb/evacuate")
    same("error and why it ended", [found["error"], found["stop"]], ["-EBUSY", "pages"])
    same("emptied or not", [found["emptied"], found["not_emptied"]], [0, 1])
    names = [line.split()[0] for line in found["in_the_way"]]
    check(f"the one that was not emptied is in {names}", spb.split()[0] in names)


# --- how a long run ends -------------------------------------------------------------------


def long_defrag():
    """Many that are tainted and full take a while, so that it can be disturbed."""
    hold_movable_percent(45)
    for _ in range(20):
        ok_knob("spb/taint", f"{pick(is_clean_and_full)} pages=1 set=t")
    return guest.writing("spb/defrag", "spb=tainted", lambda: fact("spb/defrag", "state") == "running")


@CASES.add(why_not)
def spb_second_defrag_is_ebusy():
    with long_defrag() as first:
        second = knob("spb/defrag", "spb=all")
        first.interrupt()
        first.ends_with("EINTR")
    same("the second got", second, "EBUSY")


@CASES.add(why_not)
def spb_signal_ends_defrag_with_eintr():
    with long_defrag() as writer:
        writer.interrupt()
        writer.ends_with("EINTR")
    same("state and error", answer("defrag", "state", "error"), ["done", "-EINTR"])
    check("some are left", fact("spb/defrag", "left") > 0)


@CASES.add(why_not)
def spb_reset_ends_defrag():
    with long_defrag() as writer:
        ok_knob("reset", "1")
        writer.ends_with("EINTR")
    nothing_held()


@CASES.add(why_not)
def spb_records_are_true():
    guest.records_are_true()
