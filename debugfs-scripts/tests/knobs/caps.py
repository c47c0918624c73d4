# SPDX-License-Identifier: GPL-2.0
#
# Version, features and modes of the knobs, and the file that describes them.
import os
import stat

import guest
from guest import LOG, fact, has_mode, path_of, text_of, wants
from ktap import Cases, check, same

CASES = Cases()

COMMAND_FILES = ("hold/alloc", "hold/free", "fragment/run", "fragment/free", "fragment/churn", "fragment/keep",
                 "compact/run", "spb/taint", "lease", "reset")
COMMAND_FILES_WITH_ANSWER = ("mof", "spb/defrag", "spb/evacuate")
READ_ONLY_FILES = ("version", "caps", "hold/sets", "fragment/index", "fragment/result", "fragment/churn_status",
                   "fragment/keep_status", "compact/last", "map", "knobs")


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


def modes_of_files():
    """By path below the module's folder."""
    return {os.path.relpath(os.path.join(folder, name), guest.FOLDER):
            f"{stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode):04o}"
            for folder, _, names in os.walk(guest.FOLDER) for name in names}


@CASES.add()
def knobs_describes_every_file():
    rows = [line.split() for line in text_of(path_of("knobs")).splitlines() if not line.startswith("#")]
    same("files", {row[1]: row[2] for row in rows if row[0] == "file"}, modes_of_files())


# The parser uses the tables that the file prints: the largest order plus one is refused.
@CASES.add()
def knobs_has_the_range_that_is_checked():
    rows = [line.split() for line in text_of(path_of("knobs")).splitlines()]
    row = next(row for row in rows if row[:3] == ["key", "hold/alloc", "order"])
    same("order", row[3:], ["number", "required", "-", "0", str(fact("caps", "max_page_order"))])
    wants("EINVAL", "hold/alloc", f"set=x type=unmovable order={int(row[7]) + 1} count=1")
    LOG.last_has(f"must be a decimal number from {row[6]} to {row[7]}")
