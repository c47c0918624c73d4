# SPDX-License-Identifier: GPL-2.0
#
# compact/run and compact/last, directly and, in a module for kernels without our series, by an
# allocation.
import os

import guest
from guest import LOG, fact, has_feature, knob, ok_knob, wants
from ktap import Cases, Failed, check, same

CASES = Cases()

FACTS = ("order", "type", "node", "prio", "nofragment", "result", "result_name", "entered", "compact_order",
         "got_page", "captured", "deferred", "zones", "isolated", "moved", "migrate_scanned", "ns",
         "free_blocks_before", "free_blocks_after")


def last(name):
    return fact("compact/last", name)


@CASES.add(guest.without("compact_direct"))
def compact_reports():
    ok_knob("fragment/run", "order=4 index=1000 unmovable=10 seed=1")
    ok_knob("compact/run", "order=9 type=movable prio=sync-full nofragment=off")
    for name in FACTS:
        check(f"there is {name}", last(name) is not None)
    same("entered", last("entered"), 1)
    same("got_page", last("got_page"), 1)
    same("result", last("result_name"), "success")
    check("pages were moved", last("delta_pgmigrate_success") > 0)


def compact_until_success():
    """kcompactd is woken as well, and it may be the one that frees a block: then memory is
    fragmented anew."""
    for seed in range(20):
        ok_knob("fragment/run", f"order=6 index=1000 unmovable=0 seed={seed} force=1")
        ok_knob("compact/run", "order=9 type=movable")
        if last("result_name") == "success":
            return
        knob("fragment/free", "1")
    raise Failed(f"failed: compacted, the last result was {last('result_name')}")


def compact_by_allocation():
    """The result has to fit the counters. Only the module's own doing is certain: another task may
    compact at the same time."""
    ok_knob("compact/run", "order=1 type=movable")
    same("method", last("method"), "allocation")
    same("result when there is a chunk", last("result_name"), "no_need")
    compact_until_success()
    same("got_page", last("got_page"), 1)
    check("it was counted", last("delta_compact_stall") > 0)
    check("pages were moved", last("delta_pgmigrate_success") > 0)
    wants("EINVAL", "compact/run", "order=0 type=movable")
    wants("EOPNOTSUPP", "compact/run", "order=9 type=movable prio=async")
    LOG.last_has("prio=async: leave it out, only a kernel with CONFIG_FRAGBED")
    wants("EOPNOTSUPP", "compact/run", "order=9 type=movable nofragment=on")


def lacks_the_core():
    """What a kernel without our series cannot do, and that caps report it."""
    check("caps have no compact_direct", not has_feature("compact_direct"))
    same("reason in caps", fact("caps", "compact_direct"), "no kernel built without CONFIG_FRAGBED")
    wants("EOPNOTSUPP", "spb/defrag", "spb=all")
    wants("EOPNOTSUPP", "spb/evacuate", "spb=all")
    wants("EOPNOTSUPP", "spb/taint", "spb=1 pages=1 set=x")
    ok_knob("hold/alloc", "set=u type=unmovable order=3 count=10")
    ok_knob("hold/free", "set=u")


def stock_module_file():
    return f"{guest.MODULE.removesuffix('.ko')}-stock.ko"


def no_stock_module():
    return None if os.path.isfile(stock_module_file()) else "no fragbed-stock.ko beside fragbed.ko"


# The module as it is built for a kernel without our series.
@CASES.add(no_stock_module)
def stock_module():
    guest.unload_module()
    guest.insert(stock_module_file())
    try:
        lacks_the_core()
        compact_by_allocation()
    finally:
        guest.unload_module()
        guest.insert(guest.MODULE)
