# SPDX-License-Identifier: GPL-2.0
#
# fragment/keep: a thread that keeps a node at a degree of fragmentation.
import time

import guest
from churn import allowed_cpus, reaches_rate, threads
from guest import all_back, fact, free_pages, ok_knob, wants
from ktap import Cases, check, near, same

CASES = Cases()

START = "start order=4 index=800 unmovable=30 rate=300000 cpus=0 seed=1"


def status(name):
    return fact("fragment/keep_status", name)


def wait_for(what, test):
    """The thread has the lowest priority: the script has to sleep while it waits for it."""
    came_true = guest.wait_for(test, seconds=120, pause=0.1)
    check(f"{what} in time, the index is {status('index_now')}", came_true)


def wait_until_reached():
    wait_for("the target is reached", lambda: status("reached") == "yes")


@CASES.add()
def keep_holds_the_target():
    before = free_pages()
    # Pages on a per-cpu list are in no free area, and these lists hold up to an eighth of memory.
    guest.setting("/proc/sys/vm/percpu_pagelist_high_fraction", 1000)
    ok_knob("fragment/keep", START)
    wait_until_reached()
    time.sleep(1)
    same("running", status("running"), "yes")
    near("index", status("index_now"), 800, 20)
    near("mean of the index", status("index_mean"), 800, 20)
    check(f"never below {status('index_min')}", status("index_min") >= 780)
    check("it moves about", status("unplanted") > 0)
    check("it holds pages", status("pages_held") > 0)
    ok_knob("fragment/keep", "stop")
    same("running when stopped", status("running"), "no")
    same("pages held when stopped", status("pages_held"), 0)
    check("the figures stay", status("looks") > 10)
    all_back(before)


# Another set frees whole chunks: the pages that were kept are then too few.
@CASES.add()
def keep_follows_what_others_do():
    ok_knob("hold/alloc", f"set=u type=unmovable order=6 count={free_pages() // 4 >> 6}")
    ok_knob("fragment/keep", START)
    wait_until_reached()
    kept = status("pages_held")
    ok_knob("hold/free", "set=u")
    wait_for("the index fell", lambda: status("index_min") < 780)
    wait_for("the target is reached again", lambda: status("index_now") >= 780)
    check(f"more than {kept} pages are kept", status("pages_held") > kept)


@CASES.add()
def keep_stays_within_its_rate():
    reaches_rate("fragment/keep", "start order=4 index=1000 unmovable=100 rate=4000 cpus=0 seed=1", 3800, 800)


# As fast as it can: UML counts a thread's run time in ticks, and must see the end of one.
@CASES.add()
def keep_tells_its_cost():
    ok_knob("fragment/keep", "start order=4 index=1000 unmovable=100 rate=100000000 cpus=0 seed=1")
    wait_for("it costs something", lambda: status("cpu_ns") > 0)
    check("the cost is in permille", status("cost_permille") <= 1000)
    cpu = status("cpu_ns")
    check("no more CPU time than time", cpu <= status("ns") + 10_000_000)


@CASES.add()
def keep_is_bound_and_nice():
    ok_knob("fragment/keep", f"{START} nice=7")
    # The one that was stopped just before may take its time to leave.
    wait_for("there is one thread", lambda: len(threads("fragbed_keep")) == 1)
    folder, = threads("fragbed_keep")
    same("CPUs", allowed_cpus(folder), "0")
    same("nice", guest.text_of(f"{folder}/stat").split()[18], "7")


@CASES.add()
def keep_twice_is_ebusy():
    ok_knob("fragment/keep", START)
    wants("EBUSY", "fragment/keep", START)
    ok_knob("fragment/keep", "stop")
    ok_knob("fragment/keep", "stop")
