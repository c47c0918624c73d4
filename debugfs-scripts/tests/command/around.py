# SPDX-License-Identifier: GPL-2.0
#
# Scenarios and reports, help, version and completion.
import os
import shutil

import guest
from guest import fact
from ktap import Cases, check, same
from program import COMMAND, FRAGBED, exits, run, tmp
from verbs import without

CASES = Cases()

COMPLETE = """
. "$0"
COMP_WORDS=(fragbed "$@") COMP_CWORD=$#
_fragbed
printf "%s\\n" "${COMPREPLY[@]}"
"""


@CASES.add()
def run_lists_the_scenarios():
    exits(0, "run").out_has("quick", "defrag")
    exits(2, "run nosuch")
    exits(1, "run quick nonsense")


@CASES.add()
def run_quick():
    exits(0, "run quick --out", tmp("quick")).out_has("KTAP version 1")
    check("there are counts", os.path.getsize(tmp("quick/counts")))
    check("the module is still loaded", guest.module_loaded())


@CASES.add()
def run_passes_the_exit_code():
    exits(0, "hold set=a type=unmovable order=0 count=30")
    exits(4, "run quick --out", tmp("quick")).out_has("held already")


def no_scenario():
    if os.path.isdir("/sys/devices/system/node/node1") and not shutil.which("numactl"):
        return "numactl is missing"
    return without("drain")()


# It ends by unloading the module, which was loaded before.
@CASES.add(no_scenario)
def run_scenario_and_report():
    exits(0, "run compact SWEEP=3 --out", tmp("compact"))
    check("the module is loaded again", guest.module_loaded())
    exits(0, "report", tmp("compact")).out_has("Verdict", "this-machine")
    check("JSON is kept", os.path.getsize(tmp("compact/report.json")))


@CASES.add()
def help_fits_a_screen():
    lines = exits(0, "--help").out.splitlines()
    check(f"{len(lines)} lines fit a screen", len(lines) <= 24)
    exits(2, "")
    exits(2, "nonsense").err_has("no such command")
    exits(0, "map --help")
    exits(0, "hold --help").out_has("hold/alloc:", "count", "required")
    exits(0, "help churn").out_has("a line begins with start or stop", "limit_kb")


@CASES.add()
def version():
    number = fact("version", "fragbed")
    exits(0, "--version").out_has(f"fragbed {number}, module {number} is loaded")


@CASES.add()
def found_by_a_symlink():
    os.symlink(FRAGBED, tmp("fragbed"))
    run([tmp("fragbed"), "caps"]).out_has("page_size")


def completed(*words):
    """What is offered for the last word."""
    return run(["bash", "-c", COMPLETE, f"{COMMAND}/fragbed.bash-completion", *words]).err_is_empty()


@CASES.add()
def completion():
    completed("ho").out_has("hold")
    completed("hold", "cou").out_has("count=")
    same("a value", completed("hold", "type", "=", "un").out, "unmovable\n")
    completed("run", "").out_has("quick")
    completed("run", "beside", "R").out_has("RATE=", "ROUNDS=")
    completed("churn", "").out_has("start", "stop", "limit_kb=")
    if guest.has_feature("spb"):
        completed("spb", "defrag", "s").out_has("spb=tainted")
