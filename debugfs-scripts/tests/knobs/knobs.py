#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# knobs.py [spb | CASE...]
#
# Tests of the module's knobs, in a guest: each command file's success, each errno, bad input of
# every kind, and what happens when the module is unloaded while it works. KTAP on stdout, the
# line "passed failed skipped" in the file that $FRAGBED_COUNTS names. A CASE is the name of a
# function in a file beside this one; without any, all cases run, with "spb" those of spb.py.
import os
import sys

# The folder may be read-only, and the files are read once.
sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))

import bad_input  # noqa: E402
import caps  # noqa: E402
import churn  # noqa: E402
import compact  # noqa: E402
import fragment  # noqa: E402
import guest  # noqa: E402
import hold  # noqa: E402
import keep  # noqa: E402
import ktap  # noqa: E402
import lease  # noqa: E402
import memory_map  # noqa: E402
import spb  # noqa: E402
import unload  # noqa: E402

LOG_CASES = ktap.Cases()


def no_kmemleak():
    found = "kmemleak=on" in guest.text_of("/proc/cmdline").split()
    return None if found else "no kmemleak=on on the command line"


# For log_is_clean: where the kernel looks for leaks, its log has none either.
@LOG_CASES.add(no_kmemleak)
def leaks_are_looked_for():
    guest.write_text(guest.KMEMLEAK, "scan")


@LOG_CASES.add()
def log_is_clean():
    guest.LOG.check()


CASES = {**spb.CASES, **caps.CASES, **hold.CASES, **fragment.CASES, **churn.CASES, **keep.CASES, **lease.CASES,
         **compact.CASES, **memory_map.CASES, **unload.CASES, **LOG_CASES, **unload.OOM_CASES}


def bodies(names):
    """What runs, in order: tables of bad input, and cases."""
    if names == ["spb"]:
        return [bad_input.run_spb], [*spb.CASES.values(), log_is_clean]
    if names:
        return [], [CASES[name] for name in names]
    return [bad_input.run, bad_input.run_spb], [*CASES.values(), log_is_clean]


def prepare():
    guest.require_module(
        (os.path.isdir("/sys/kernel/debug/extfrag"), "debugfs is not mounted or the kernel lacks CONFIG_COMPACTION"))
    guest.LOG.mark()
    guest.load_module()
    guest.reset_at_end()
    guest.setting("/proc/sys/vm/compaction_proactiveness", 0)


def main():
    unknown = [name for name in sys.argv[1:] if name != "spb" and name not in CASES]
    if unknown:
        sys.exit(f"knobs.py: no such case: {' '.join(unknown)}")
    tables, cases = bodies(sys.argv[1:])
    prepare()
    results = ktap.Results()
    expected = sum(table(results) for table in tables) + len(cases)
    for body in cases:
        # Each case starts with nothing held and leaves nothing behind.
        results.run(body)
        guest.knob("reset", "1")
    return results.finish(expected)


if __name__ == "__main__":
    ktap.end_with(main)
