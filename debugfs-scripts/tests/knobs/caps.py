# SPDX-License-Identifier: GPL-2.0
#
# Version, features and modes of the knobs.
import os

import guest
from guest import fact, has_mode, text_of
from ktap import Cases, check, same

CASES = Cases()

COMMAND_FILES = ("hold/alloc", "hold/free", "fragment/run", "fragment/free", "fragment/churn", "fragment/keep",
                 "compact/run", "spb/taint", "lease", "reset")
COMMAND_FILES_WITH_ANSWER = ("mof", "spb/defrag", "spb/evacuate")
READ_ONLY_FILES = ("version", "caps", "hold/sets", "fragment/index", "fragment/result", "fragment/churn_status",
                   "fragment/keep_status", "compact/last", "map")


@CASES.add()
def version_is_that_of_dkms_conf():
    version = fact("version", "fragbed")
    lines = text_of(f"{guest.REPO}/dkms.conf").splitlines()
    check(f"dkms.conf has {version}", f'PACKAGE_VERSION="{version}"' in lines)
    same("modinfo", text_of("/sys/module/fragbed/version").strip(), version)


@CASES.add()
def caps_agree_with_the_kernel():
    same("page size", fact("caps", "page_size"), os.sysconf("SC_PAGESIZE"))
    order = f"Page block order: {fact('caps', 'pageblock_order')}"
    check(order, order in text_of("/proc/pagetypeinfo").splitlines())
    has_memory = guest.knobs.text_of("/sys/devices/system/node/has_memory").strip()
    same("nodes", str(fact("caps", "nodes")), has_memory or "0")


@CASES.add()
def modes_say_verb_tunable_or_fact():
    for name in COMMAND_FILES:
        has_mode(name, 0o200)
    for name in COMMAND_FILES_WITH_ANSWER:
        has_mode(name, 0o600)
    for name in READ_ONLY_FILES:
        has_mode(name, 0o444)
    has_mode("map_chunk", 0o600)
