# SPDX-License-Identifier: GPL-2.0
#
# Unloading the module while it holds memory or runs, reset, and memory running out.
import os
import subprocess
import time

import churn
import guest
import keep
from guest import LOG, all_back, free_pages, ok_knob
from ktap import Cases, check, same

CASES = Cases()


@CASES.add()
def open_file_pins_the_module():
    with open(guest.path_of("version"), encoding="utf-8"):
        refused = subprocess.run(["rmmod", "fragbed"], stderr=subprocess.DEVNULL, check=False)
    check("rmmod is refused", refused.returncode != 0)
    check("the module is still loaded", guest.module_loaded())


def unload_and_compare(before):
    guest.unload_module()
    check("the folder is gone", not os.path.exists(guest.FOLDER))
    guest.load_module()
    all_back(before)


@CASES.add()
def unload_during_churn():
    before = free_pages()
    last = len(os.sched_getaffinity(0)) - 1
    ok_knob("fragment/churn", f"start rate=1000000 order=2 unmovable=50 cpus=0-{last} seed=1")
    ok_knob("fragment/keep", keep.START)
    time.sleep(0.5)
    check("it holds pages", churn.status("pages_held") > 0)
    unload_and_compare(before)


@CASES.add()
def unload_with_holds():
    before = free_pages()
    ok_knob("hold/alloc", "set=u type=unmovable order=3 count=100")
    ok_knob("hold/alloc", "set=m type=movable order=0 count=1000")
    ok_knob("hold/alloc", "set=r type=reclaimable order=1 count=100")
    ok_knob("fragment/run", "order=4 index=600 unmovable=50 seed=1")
    unload_and_compare(before)


@CASES.add()
def reset_frees_everything():
    before = free_pages()
    ok_knob("hold/alloc", "set=u type=unmovable order=3 count=100")
    ok_knob("fragment/run", "order=4 index=300 unmovable=50 seed=1")
    ok_knob("fragment/churn", churn.START)
    ok_knob("fragment/keep", keep.START)
    ok_knob("reset", "1")
    same("keep is running", keep.status("running"), "no")
    guest.nothing_held()
    same("churn is running", churn.status("running"), "no")
    all_back(before)


def run_out_of_memory():
    """The kernel's test trigger kills a task in any case: there is one for it, and not this one."""
    victim = subprocess.Popen(["sleep", "1000"])
    try:
        guest.write_text(f"/proc/{victim.pid}/oom_score_adj", 1000)
        guest.write_text("/proc/self/oom_score_adj", -1000)
        time.sleep(0.3)
        guest.write_text("/proc/sysrq-trigger", "f")
        time.sleep(1)
    finally:
        victim.kill()
        victim.wait()
        guest.write_text("/proc/self/oom_score_adj", 0)


def no_sysrq():
    return None if os.access("/proc/sysrq-trigger", os.W_OK) else "no /proc/sysrq-trigger"


def check_oom():
    ok_knob("hold/alloc", "set=u type=unmovable order=3 count=100")
    ok_knob("hold/alloc", "set=m type=movable order=0 count=1000")
    ok_knob("fragment/churn", churn.START)
    ok_knob("fragment/keep", keep.START)
    run_out_of_memory()
    guest.nothing_held()
    for name, status in ("churn", churn.status), ("keep", keep.status):
        same(f"{name} yielded", status("yielded"), "yes")
        same(f"pages {name} holds", status("pages_held"), 0)
    LOG.has("fragbed: out of memory: freed")


OOM_CASES = Cases()


@OOM_CASES.add(no_sysrq)
def oom_gives_all_back():
    try:
        check_oom()
    finally:
        # The OOM report of the kernel was asked for: log_is_clean does not look at it.
        LOG.mark()
