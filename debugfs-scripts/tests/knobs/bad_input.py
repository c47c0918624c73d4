# SPDX-License-Identifier: GPL-2.0
#
# Lines that the knobs refuse, as data: knob | line | errno | what the log must say. A rejected
# write returns its errno, leaves exactly one line in the log that names the key, and changes
# nothing that is held.
import guest
from guest import LOG, knob
from ktap import check, same

# E is one errno or the other, by how many CPUs the kernel was built for.
ERRNOS = {"E": ("EINVAL", "ENXIO")}

ROWS = """
hold/alloc|set=x type=unmovable order=1 count=1 colour=red|EINVAL|colour: unknown key
hold/alloc|set=x type=unmovable order count=1|EINVAL|order: has no value
hold/alloc|set=x type=unmovable order= count=1|EINVAL|order=:
hold/alloc|set=x type=unmovable order=1x count=1|EINVAL|order=1x:
hold/alloc|set=x type=unmovable order=1 count=10pages|EINVAL|count=10pages:
hold/alloc|set=x type=unmovable order=-1 count=1|EINVAL|order=-1:
hold/alloc|set=x type=unmovable order=+1 count=1|EINVAL|order=+1:
hold/alloc|set=x type=unmovable order=01 count=1|EINVAL|order=01:
hold/alloc|set=x type=unmovable order=0x1 count=1|EINVAL|order=0x1:
hold/alloc|set=x type=unmovable order=1 count=-5|EINVAL|count=-5:
hold/alloc|set=x type=unmovable order=1 count=0|EINVAL|count=0:
hold/alloc|set=x type=unmovable order=1 count=99999999999999999999|EINVAL|count=99999999999999999999:
hold/alloc|set=x type=unmovable order=0 count=18446744073709551617|EINVAL|count=18446744073709551617:
hold/alloc|set=x type=unmovable order=0 count=4294967297|EINVAL|count=4294967297:
hold/alloc|set=x type=unmovable order=0 count=4294967295|EINVAL|count=4294967295:
hold/alloc|set=x type=unmovable order=0 count=1 stride=4294967295|EINVAL|stride=4294967295:
hold/alloc|set=x type=unmovable order=0 count=1 stride=0|EINVAL|stride=0:
hold/alloc|set=x type=unmovable order=99 count=1|EINVAL|order=99:
hold/alloc|set=x type=unmovable order=256 count=1|EINVAL|order=256:
hold/alloc|set=x type=pinned order=0 count=1|EINVAL|type=pinned: must be one of unmovable, movable, reclaimable
hold/alloc|set=x type=movable order=2 count=1|EINVAL|order=2: must be 0
hold/alloc|set=x type=unmovable order=0 order=1 count=1|EINVAL|order=1: given twice
hold/alloc|set=x type=unmovable order=0|EINVAL|count: missing
hold/alloc|type=unmovable order=0 count=1|EINVAL|set: missing
hold/alloc|set=a/b type=unmovable order=0 count=1|EINVAL|set=a/b:
hold/alloc|set=../x type=unmovable order=0 count=1|EINVAL|set=../x:
hold/alloc|set= type=unmovable order=0 count=1|EINVAL|set=:
hold/alloc|set=abcdefghijklmnopqrstuvwxyz0123456789 type=unmovable order=0 count=1|EINVAL|set=abcdefghijklmnopqrstuvwxyz0123456789:
hold/alloc|set=all type=unmovable order=0 count=1|EINVAL|set=all: is reserved
hold/alloc|set=fragment type=unmovable order=0 count=1|EINVAL|set=fragment: is reserved
hold/alloc|set=x type=unmovable order=0 count=1 node=9|ENXIO|node=9: no such node
hold/alloc|set=x type=unmovable order=0 count=1 node=1000000|ENXIO|node=1000000: no such node
hold/alloc|set=x type=unmovable order=0 count=1 node=-1|EINVAL|node=-1:
hold/alloc|set=x type=unmovable order=0 count=1 gfp=later|EINVAL|gfp=later: must be one of kernel, atomic
hold/alloc|set=x type=movable order=0 count=1 gfp=atomic|EINVAL|gfp=atomic: must be kernel
hold/alloc|set=x type=unmovable order=0 count=1 force=2|EINVAL|force=2: must be a decimal number from 0 to 1
hold/alloc|set=x type=unmovable order=0 count=1 force=yes|EINVAL|force=yes:
hold/alloc||EINVAL|the line is empty
hold/free|set=nosuch|ENXIO|set=nosuch: no such set
hold/free|set=keep every=0|EINVAL|every=0:
hold/free|set=keep random=1001 seed=1|EINVAL|random=1001:
hold/free|set=keep random=500|EINVAL|seed: must be given
hold/free|set=keep seed=1|EINVAL|seed: must be given
hold/free|set=keep every=2 random=500 seed=1|EINVAL|random=500:
hold/free|every=2|EINVAL|set: missing
fragment/run|order=0 index=500 unmovable=0 seed=1|EINVAL|order=0:
fragment/run|order=99 index=500 unmovable=0 seed=1|EINVAL|order=99:
fragment/run|order=4 index=1001 unmovable=0 seed=1|EINVAL|index=1001:
fragment/run|order=4 index=500 unmovable=101 seed=1|EINVAL|unmovable=101:
fragment/run|order=4 index=500 unmovable=0 seed=-1|EINVAL|seed=-1:
fragment/run|order=4 index=500 unmovable=0|EINVAL|seed: missing
fragment/run|order=4 index=500 unmovable=0 seed=1 node=77|ENXIO|node=77:
fragment/run|order=4 index=500 unmovable=0 seed=1 force=2|EINVAL|force=2:
fragment/free|2|EINVAL|2: must be 1
fragment/churn|go|EINVAL|go: must be start
fragment/churn|stop now|EINVAL|stop: must be start
fragment/churn|start rate=0 order=0 unmovable=0 cpus=0 seed=1|EINVAL|rate=0:
fragment/churn|start rate=10 order=0 unmovable=0 cpus=zero seed=1|EINVAL|cpus=zero:
fragment/churn|start rate=10 order=0 unmovable=0 cpus=900 seed=1|E|cpus=900:
fragment/churn|start rate=10 order=4 unmovable=0 cpus=0 seed=1 limit_kb=64|EINVAL|limit_kb=64:
fragment/churn|start rate=10 order=0 unmovable=0 seed=1|EINVAL|cpus: missing
fragment/churn|start rate=10 order=0 unmovable=0 cpus=0 seed=1 force=2|EINVAL|force=2:
fragment/keep|go|EINVAL|go: must be start
fragment/keep|stop now|EINVAL|stop: must be start
fragment/keep|start|EINVAL|order: missing
fragment/keep|start order=0 index=500 unmovable=0 rate=10 cpus=0 seed=1|EINVAL|order=0:
fragment/keep|start order=99 index=500 unmovable=0 rate=10 cpus=0 seed=1|EINVAL|order=99:
fragment/keep|start order=4 index=0 unmovable=0 rate=10 cpus=0 seed=1|EINVAL|index=0:
fragment/keep|start order=4 index=1001 unmovable=0 rate=10 cpus=0 seed=1|EINVAL|index=1001:
fragment/keep|start order=4 index=500 unmovable=101 rate=10 cpus=0 seed=1|EINVAL|unmovable=101:
fragment/keep|start order=4 index=500 unmovable=0 rate=0 cpus=0 seed=1|EINVAL|rate=0:
fragment/keep|start order=4 index=500 unmovable=0 rate=100000001 cpus=0 seed=1|EINVAL|rate=100000001:
fragment/keep|start order=4 index=500 unmovable=0 rate=10 cpus=zero seed=1|EINVAL|cpus=zero:
fragment/keep|start order=4 index=500 unmovable=0 rate=10 cpus=900 seed=1|E|cpus=900:
fragment/keep|start order=4 index=500 unmovable=0 rate=10 cpus=0 seed=1 node=9|ENXIO|node=9:
fragment/keep|start order=4 index=500 unmovable=0 rate=10 cpus=0 seed=1 nice=20|EINVAL|nice=20:
fragment/keep|start order=4 index=500 unmovable=0 rate=10 cpus=0 seed=1 nice=-1|EINVAL|nice=-1:
fragment/keep|start order=4 index=500 unmovable=0 rate=10 cpus=0 seed=1 force=2|EINVAL|force=2:
compact/run|order=99 type=movable|EINVAL|order=99:
compact/run|order=1 type=movable prio=later|EINVAL|prio=later:
compact/run|order=1 type=movable nofragment=maybe|EINVAL|nofragment=maybe:
compact/run|order=1|EINVAL|type: missing
compact/run|order=1 type=movable node=9|ENXIO|node=9:
map_chunk|4095|EINVAL|map_chunk: 4095
map_chunk|-4096|EINVAL|map_chunk: -4096
map_chunk|1|EINVAL|map_chunk: 1
map_chunk|4096k|EINVAL|map_chunk: 4096k
reset|0|EINVAL|reset: 0
"""

# For a kernel with superpageblocks, all of them in one zone of node 0, which is @first@. Where
# there is only one zone it may be left out.
SPB_ROWS = """
spb/defrag||EINVAL|the line is empty
spb/defrag|pages=5|EINVAL|spb: missing
spb/defrag|spb=all colour=red|EINVAL|colour: unknown key
spb/defrag|spb|EINVAL|spb: has no value
spb/defrag|spb=|EINVAL|spb=: must be a decimal number, tainted or all
spb/defrag|spb=5x|EINVAL|spb=5x: must be a decimal number
spb/defrag|spb=-1|EINVAL|spb=-1: must be a decimal number
spb/defrag|spb=+1|EINVAL|spb=+1: must be a decimal number
spb/defrag|spb=01|EINVAL|spb=01: must be a decimal number
spb/defrag|spb=0x1|EINVAL|spb=0x1: must be a decimal number
spb/defrag|spb=4294967296|EINVAL|spb=4294967296: must be a decimal number
spb/defrag|spb=99999999999999999999|EINVAL|spb=99999999999999999999: must be a decimal number
spb/defrag|spb=clean|EINVAL|spb=clean: must be a decimal number, tainted or all
spb/defrag|spb=all spb=tainted|EINVAL|spb=tainted: given twice
spb/defrag|spb=all pages=0|EINVAL|pages=0:
spb/defrag|spb=all pages=many|EINVAL|pages=many:
spb/defrag|spb=all pages=18446744073709551615|EINVAL|pages=18446744073709551615:
spb/defrag|spb=all ms=0|EINVAL|ms=0: must be a decimal number from 1 to 3600000
spb/defrag|spb=all ms=3600001|EINVAL|ms=3600001:
spb/defrag|spb=all ms=1s|EINVAL|ms=1s:
spb/defrag|spb=all node=0|EINVAL|node=0: does not go with spb=all
spb/defrag|spb=all zone=Normal|EINVAL|zone=Normal: does not go with spb=all
spb/defrag|spb=tainted node=9|ENXIO|node=9: no such node
spb/defrag|spb=tainted node=1000000|ENXIO|node=1000000: no such node
spb/defrag|spb=tainted node=-1|EINVAL|node=-1:
spb/defrag|spb=tainted zone=Nosuch|ENXIO|zone=Nosuch: has no superpageblocks, those of node 0 are in
spb/defrag|spb=1 zone=|ENXIO|zone=: has no superpageblocks
spb/defrag|spb=99999 zone=@first@|ENXIO|spb=99999: no such superpageblock, zone
spb/evacuate|spb=tainted|EINVAL|spb=tainted: must be a decimal number, clean or all
spb/evacuate|spb=all node=0|EINVAL|node=0: does not go with spb=all, which is all nodes and zones; write spb=clean
spb/evacuate|spb=99999 zone=@first@|ENXIO|spb=99999: no such superpageblock
spb/evacuate|spb=clean node=9|ENXIO|node=9: no such node
spb/evacuate|spb=clean ms=0|EINVAL|ms=0:
spb/taint|spb=1 set=x|EINVAL|pages: missing
spb/taint|spb=1 pages=1|EINVAL|set: missing
spb/taint|pages=1 set=x|EINVAL|spb: missing
spb/taint|spb=tainted pages=1 set=x|EINVAL|spb=tainted: must be a decimal number
spb/taint|spb=99999999999 pages=1 set=x|EINVAL|spb=99999999999: must be a decimal number
spb/taint|spb=99999 pages=1 set=x zone=@first@|ENXIO|spb=99999: no such superpageblock
spb/taint|spb=1 pages=0 set=x|EINVAL|pages=0:
spb/taint|spb=1 pages=4097 set=x|EINVAL|pages=4097: must be a decimal number from 1 to 4096
spb/taint|spb=1 pages=1 set=all|EINVAL|set=all: is reserved
spb/taint|spb=1 pages=1 set=fragment|EINVAL|set=fragment: is reserved
spb/taint|spb=1 pages=1 set=a/b|EINVAL|set=a/b:
spb/taint|spb=1 pages=1 set=x node=9|ENXIO|node=9: no such node
spb/taint|spb=1 pages=1 set=x zone=Nosuch|ENXIO|zone=Nosuch: has no superpageblocks
"""

# What only a kernel with our series has.
NEEDS_THE_CORE = ("prio=", "nofragment=")


def parsed(rows):
    return [row.split("|") for row in rows.splitlines() if row]


def why_not(name, line):
    if name.startswith("compact/") and any(key in line for key in NEEDS_THE_CORE):
        return guest.without("compact_direct")()
    return None


def bad_row(name, line, wanted, message):
    sets, lines = guest.sets(), len(LOG.of_module())
    result = knob(name, line)
    check(f"errno is {result}", result in ERRNOS.get(wanted, (wanted,)))
    same("new lines in the log", len(LOG.of_module()) - lines, 1)
    check(f"the log has '{message}': {LOG.last()}", message in LOG.last())
    same("sets", guest.sets(), sets)


def takes_no_memory(before):
    """Bad lines allocate nothing, also not a little each time."""
    guest.all_back(before, guest.NOISE + guest.kept_back())


def run_rows(results, rows):
    """All of them while a set is held that must not change. Returns the number of cases."""
    knob("hold/alloc", "set=keep type=unmovable order=0 count=100")
    before = guest.free_pages()
    for name, line, wanted, message in parsed(rows):
        reason = why_not(name, line)
        if reason:
            results.skip(f"{name} '{line}'", reason)
        else:
            results.expect(f"bad input: {name} '{line}' is {wanted}", bad_row, name, line, wanted, message)
    results.expect("bad input takes no memory", takes_no_memory, before)
    knob("reset", "1")
    return len(parsed(rows)) + 1


def run(results):
    return run_rows(results, ROWS)


def run_spb(results):
    if not guest.has_feature("spb"):
        results.skip("bad input of spb/", guest.fact("caps", "spb"))
        return 1
    first = guest.rows("spb/table")[0]["zone"]
    return run_rows(results, SPB_ROWS.replace("@first@", first))
