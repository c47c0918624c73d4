# SPDX-License-Identifier: GPL-2.0
#
# fragment/churn: threads that keep allocating and freeing at a rate.
import glob
import os
import time

import guest
from guest import fact, ok_knob, wants
from ktap import Cases, Failed, check, same

CASES = Cases()

START = "start rate=4000 order=1 unmovable=50 cpus=0 seed=1"


def status(name):
    return fact("fragment/churn_status", name)


def threads(name):
    """Folders in /proc of threads whose name begins so."""
    found = {os.path.dirname(path): guest.knobs.text_of(path) for path in glob.glob("/proc/[0-9]*/comm")}
    return {folder: comm.strip() for folder, comm in found.items() if comm.startswith(name)}


def allowed_cpus(folder):
    lines = guest.text_of(f"{folder}/status").splitlines()
    return next(line.split()[1] for line in lines if line.startswith("Cpus_allowed_list:"))


def reaches_rate(name, line, wanted, slack):
    """Never more, and in one of twenty seconds not less either: a thread does not make up for what
    a busy machine kept it from. It still runs at the end."""
    for _ in range(20):
        ok_knob(name, line)
        time.sleep(1)
        rate = fact(f"{name}_status", "rate_achieved")
        check(f"rate {rate} is not too high", rate <= wanted + slack)
        if rate >= wanted - slack:
            return
        ok_knob(name, "stop")
    raise Failed(f"failed: the last rate was {rate}, wanted {wanted}")


@CASES.add()
def churn_keeps_its_rate():
    reaches_rate("fragment/churn", f"{START} limit_kb=8192", 4000, 800)
    same("running", status("running"), "yes")
    check("within its limit", status("pages_held") <= 2048)
    check("holds some", status("pages_held") > 0)
    ok_knob("fragment/churn", "stop")
    same("running when stopped", status("running"), "no")
    same("pages held when stopped", status("pages_held"), 0)


@CASES.add()
def churn_twice_is_ebusy():
    ok_knob("fragment/churn", START)
    wants("EBUSY", "fragment/churn", START)


@CASES.add()
def churn_is_bound_to_its_cpus():
    last = len(os.sched_getaffinity(0)) - 1
    ok_knob("fragment/churn", f"start rate=1000 order=0 unmovable=0 cpus=0-{last} seed=1")
    found = threads("fragbed_churn/")
    for folder, name in found.items():
        same(f"CPUs of {name}", allowed_cpus(folder), name.partition("/")[2])
    same("threads", len(found), last + 1)


@CASES.add()
def churn_stop_twice_is_fine():
    ok_knob("fragment/churn", "stop")
    ok_knob("fragment/churn", "stop")
