#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# command.py [stock]
#
# Tests of the command fragbed, in a guest: each subcommand, JSON against the table, its messages
# when something is missing or refused, and that it frees and restores. KTAP on stdout. With
# "stock" the module is the one for kernels without our series.
import os
import shutil
import sys

# The folder may be read-only, and the files are read once.
sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path += [os.path.join(HERE, "../..", folder) for folder in ("lib", "command")]

if sys.argv[1:] == ["stock"] and os.environ.get("FRAGBED_MODULE"):
    # For fragbed, too: it starts scenarios.
    os.environ["FRAGBED_MODULE"] = os.environ["FRAGBED_MODULE"].removesuffix(".ko") + "-stock.ko"

import around  # noqa: E402
import guest  # noqa: E402
import ktap  # noqa: E402
import map_and_top  # noqa: E402
import missing  # noqa: E402
import program  # noqa: E402
import verbs  # noqa: E402


def log_is_clean():
    guest.LOG.check()


FIRST_CASES = missing.FIRST_CASES
CASES = {**missing.CASES, **map_and_top.CASES, **verbs.CASES, **around.CASES}


def run_case(results, body):
    """It starts with nothing held and leaves nothing behind."""
    failed = results.failed
    program.LAST.clear()
    results.run(body)
    if results.failed > failed:
        ktap.say("\n".join(ended.tail() for ended in program.LAST))
    guest.knob("reset", "1")


def main():
    guest.require_module((shutil.which("bash"), "bash is missing: completion is for it"),
                         (not guest.module_loaded(), "fragbed.ko is loaded already"))
    guest.LOG.mark()
    results = ktap.Results()
    for body in FIRST_CASES.values():
        run_case(results, body)
    guest.load_module()
    for body in CASES.values():
        run_case(results, body)
    results.expect("log is clean", log_is_clean)
    return results.finish(len(FIRST_CASES) + len(CASES) + 1)


if __name__ == "__main__":
    ktap.end_with(main)
