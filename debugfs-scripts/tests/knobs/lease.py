# SPDX-License-Identifier: GPL-2.0
#
# lease, and what is freed when the machine suspends.
import contextlib
import os
import signal

import churn
import guest
import keep
from guest import LOG, all_back, free_pages, ok_knob, set_pages, wants
from ktap import Cases, check, same

CASES = Cases()


def open_lease():
    return os.open(guest.path_of("lease"), os.O_WRONLY | os.O_CLOEXEC)


def hold_a_lease(ready):
    """A process that holds a lease and memory, until it is killed."""
    with contextlib.suppress(BaseException):
        open_lease()
        ok_knob("hold/alloc", "set=l type=unmovable order=3 count=200")
        ok_knob("fragment/keep", keep.START)
        os.write(ready, b"!")
        while True:
            signal.pause()
    os._exit(1)     # it is a copy of this script, whose end is not its own


@contextlib.contextmanager
def lease_holder():
    told, ready = os.pipe()
    holder = os.fork()
    if not holder:
        hold_a_lease(ready)
    os.close(ready)
    try:
        check("a process holds a lease", os.read(told, 1))
        yield
    finally:
        os.close(told)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)


@CASES.add()
def lease_of_a_killed_script():
    before = free_pages()
    with lease_holder():
        same("pages held", set_pages("l"), 1600)
        same("keep is running", keep.status("running"), "yes")
    guest.nothing_held()
    same("keep is running", keep.status("running"), "no")
    all_back(before)


@CASES.add()
def lease_ends_with_the_last_holder():
    leases = [open_lease(), open_lease()]
    try:
        ok_knob("hold/alloc", "set=l type=movable order=0 count=500")
        os.close(leases.pop())
        same("pages held", set_pages("l"), 500)
    finally:
        for lease in leases:
            os.close(lease)
    guest.nothing_held()


@CASES.add()
def lease_takes_no_line():
    wants("EINVAL", "lease", "1")


def no_pm_test():
    return None if "freezer" in guest.knobs.text_of("/sys/power/pm_test") else "no /sys/power/pm_test"


# The kernel's own rehearsal: it prepares all, freezes the tasks and wakes them again.
@CASES.add(no_pm_test)
def suspend_gives_all_back():
    before = free_pages()
    ok_knob("hold/alloc", "set=u type=unmovable order=3 count=100")
    ok_knob("fragment/keep", keep.START)
    ok_knob("fragment/churn", churn.START)
    guest.setting("/sys/power/pm_test", "freezer")
    guest.write_text("/sys/power/state", "freeze")
    guest.nothing_held()
    same("keep is running", keep.status("running"), "no")
    same("churn is running", churn.status("running"), "no")
    LOG.has("fragbed: the machine suspends")
    all_back(before)
