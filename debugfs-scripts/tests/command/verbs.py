# SPDX-License-Identifier: GPL-2.0
#
# The subcommands that write knobs, for themselves and for as long as another command runs.
import contextlib
import io
import json
import os
import signal

import fragbed_command
import guest
from guest import fact, nothing_held, set_pages, wait_for
from ktap import Cases, check, same
from program import ended_by, exits, refused, start

CASES = Cases()

CHURN = "churn start rate=1000 order=0 unmovable=10 cpus=0 seed=1"
KEEP = "keep start order=3 index=10 unmovable=100 rate=5000 cpus=0 seed=1"
FRAGMENT = "fragment order=3 index=30 unmovable=50 seed=1"


def without(*features):
    """As guest.without(), with the feature's name."""
    def why_not():
        missing = [name for name in features if not guest.has_feature(name)]
        return missing and f"{missing[0]}: {fact('caps', missing[0]).removeprefix('no ')}"
    return why_not


# --- table and JSON ------------------------------------------------------------------------


def shown(name, as_json):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        fragbed_command.show([name], as_json)
    return text.getvalue()


def values_of(found):
    """All figures and words in an object, as text."""
    if isinstance(found, dict):
        return [text for value in found.values() for text in values_of(value)]
    if isinstance(found, list):
        return [text for value in found for text in values_of(value)]
    return str(found).split()


def same_figures(name):
    """The table and JSON have them. The knob must be at rest: it is read twice."""
    drawn = shown(name, False).split()
    found = json.loads(shown(name, True))
    same("knobs", list(found), [name])
    for value in values_of(found):
        check(f"{value} of {name} is drawn", value in drawn)
        drawn.remove(value)


# --- verbs -----------------------------------------------------------------------------------


@CASES.add()
def hold_and_free():
    exits(0, "hold").out_has("hold/sets: nothing")
    exits(0, "hold set=a type=unmovable order=0 count=30")
    same("pages held", set_pages("a"), 30)
    exits(0, "hold set=b type=reclaimable order=1 count=10 --json").is_json()
    same_figures("hold/sets")
    exits(0, "free set=a every=3")
    same("pages held when thinned", set_pages("a"), 20)
    exits(0, "free set=all")
    nothing_held()
    exits(2, "free")


@CASES.add()
def refusals_are_the_kernels_lines():
    refused("EINVAL", "hold set=a type=unmovable order=0 count=1 colour=red")
    refused("EINVAL", "hold set=a type=pinned order=0 count=1")
    refused("EINVAL", "hold set=a type=unmovable order=01 count=1")
    refused("ENXIO", "free set=nosuch")
    refused("EINVAL", "fragment order=99 index=1 unmovable=0 seed=1")
    refused("EINVAL", "churn go")
    refused("E2BIG", f"free set={0:0300d}")
    nothing_held()


@CASES.add()
def fragment_and_free():
    exits(0, "fragment").out_has("fragment/result")
    exits(0, FRAGMENT).out_has("reached_permille")
    check("pages are held", set_pages("fragment"))
    same_figures("fragment/result")
    exits(0, "fragment --json").is_json()
    exits(0, "fragment free")
    nothing_held()


@CASES.add()
def churn_starts_and_stops():
    exits(0, f"{CHURN} limit_kb=4096")
    same("running", fact("fragment/churn_status", "running"), "yes")
    # Not each errno has a line in the log.
    exits(1, CHURN).err_has("(EBUSY)")
    exits(0, "top --count 1").out_has("running yes")
    exits(0, "churn stop")
    same("running when stopped", fact("fragment/churn_status", "running"), "no")
    same_figures("fragment/churn_status")


@CASES.add()
def keep_starts_and_stops():
    exits(0, KEEP).out_has("running")
    exits(0, "top --count 1").out_has("index_target 10")
    exits(0, "keep stop --json").is_json()
    same("running when stopped", fact("fragment/keep_status", "running"), "no")
    same_figures("fragment/keep_status")
    refused("EINVAL", "keep go")


@CASES.add(without("compact"))
def compact():
    exits(0, "compact order=4 type=movable").out_has("compact/last", " ns ")
    same_figures("compact/last")
    exits(0, "compact --json").is_json()
    refused("EINVAL", "compact order=99 type=movable")


@CASES.add(without("mof"))
def mof():
    address = guest.text_of("/proc/self/maps").partition("-")[0]
    exits(0, f"mof {os.getpid()} {address}").out_has("decided_by")
    same_figures("mof")
    refused("EFAULT", f"mof {os.getpid()} 1000")


@CASES.add(without("spb"))
def spb():
    exits(0, "spb").out_has("spb/table")
    exits(0, "spb stats")
    exits(0, "spb check --json").is_json()
    exits(0, "spb defrag spb=tainted ms=2000").out_has("spb/defrag")
    exits(0, "spb evacuate spb=clean ms=2000")
    same_figures("spb/evacuate")
    refused("EINVAL", "spb taint pages=1 set=x")
    refused("EINVAL", "spb defrag spb=clean")
    exits(2, "spb table spb=1")


@CASES.add(without("spb"))
def spb_taint():
    empty = next(row["spb"] for row in guest.rows("spb/table")
                 if row["category"] == "empty" and row["blocks"] == row["usable"])
    exits(0, f"spb taint spb={empty} zone=Normal pages=4 set=t").out_has("unmovable")
    same("pages held", set_pages("t"), 4)


@CASES.add()
def caps():
    exits(0, "caps").out_has("page_size")
    same_figures("caps")
    exits(0, "caps --json").is_json()


@CASES.add()
def reset():
    exits(0, "hold set=a type=unmovable order=0 count=30")
    exits(0, "reset")
    nothing_held()


# --- for as long as a command runs -------------------------------------------------------------


@CASES.add()
def hold_while_a_command_runs():
    hold = "hold set=w type=unmovable order=0 count=50"
    ended = exits(7, f"{hold} -- sh -c", f"cat {guest.path_of('hold/sets')}; exit 7")
    ended.out_has("w unmovable 0 0 50 50 0").err_has("hold/sets")
    nothing_held()
    exits(0, f"{hold} --while true")
    nothing_held()
    exits(127, f"{hold} -- /no/such")
    nothing_held()
    exits(1, f"{hold} --").err_has("no command")


@CASES.add()
def fragment_while_a_command_runs():
    exits(0, f"{FRAGMENT} -- grep fragment", guest.path_of("hold/sets")).out_has("fragment ")
    nothing_held()


@CASES.add()
def churn_while_a_command_runs():
    exits(0, f"{CHURN} -- cat", guest.path_of("fragment/churn_status")).out_has("running yes")
    same("running when it has ended", fact("fragment/churn_status", "running"), "no")


@CASES.add()
def keep_while_a_command_runs():
    ended = exits(0, f"{KEEP} -- cat", guest.path_of("fragment/keep_status"))
    ended.out_has("running yes").err_has("cost_permille")
    same("running when it has ended", fact("fragment/keep_status", "running"), "no")


def hold_ended_by(number):
    child = start("hold set=k type=unmovable order=0 count=50 -- sleep 60")
    check("pages are held", wait_for(lambda: set_pages("k"), seconds=30, pause=0.1))
    return ended_by(child, number)


@CASES.add()
def terminated_hold_gives_back():
    same("exit code", hold_ended_by(signal.SIGTERM).code, 143)
    nothing_held()


# The command that it started goes on; that must not keep the memory.
@CASES.add(lambda: None if os.path.exists(guest.path_of("lease")) else "this module has no knob lease")
def killed_hold_gives_back():
    hold_ended_by(signal.SIGKILL)
    check("nothing is held any more", wait_for(lambda: not set_pages("k"), seconds=30, pause=0.1))
