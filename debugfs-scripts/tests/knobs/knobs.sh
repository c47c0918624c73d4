#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# knobs.sh [spb | CASE...]
#
# Tests of the module's knobs, inside a guest: each verb's success, each errno,
# bad input of every kind, unload in the middle of things. KTAP on stdout, the
# line "passed failed skipped" in the file $FRAGBED_COUNTS names.
# A CASE is a name of the lists at the end; without any, all run, and with "spb" those
# of spb/.
#
# shellcheck disable=SC2016,SC2317,SC2329  # awk programs; cases are called by name

FRAGBED_COUNTS=${FRAGBED_COUNTS:-${FRAGBED_JOB_COUNTS:-${FRAGBED_OUT:+$FRAGBED_OUT/counts}}}
. "$(dirname "$0")/../../lib/lib.sh"

tmp=$(mktemp -d)
at_exit "rm -rf '$tmp'"

# Pages that come and go by themselves: file cache, slabs, page tables.
noise=512

# --- helpers -----------------------------------------------------------------

# check WHAT TEST...: one fact of a case; the first that fails is told.
check() {
	check_what=$1
	shift
	"$@" && return 0
	say "$check_what: failed: $*"
	return 1
}

# cmp believes the size that debugfs tells, which is none.
same_text() { [ "$(cat "$1")" = "$(cat "$2")" ]; }

near() { [ "$1" -ge $(($2 - $3)) ] && [ "$1" -le $(($2 + $3)) ]; }

ok_knob() { check "$1 '$2'" knob "$1" "$2" || { say "$knob_errno"; return 1; }; }

# wants ERRNO KNOB LINE
wants() {
	knob "$2" "$3"
	check "$2 '$3' gives $knob_errno, wanted $1" [ "$knob_errno" = "$1" ]
}

# The n-th column of a set's row in hold/sets, of all its rows added up.
set_column() {
	awk -v name="$1" -v column="$2" '$1 == name { sum += $column } END { print sum + 0 }' \
		"$FRAGBED_DIR/hold/sets"
}

set_chunks() { set_column "$1" 5; }
set_pages() { set_column "$1" 6; }
sets_listed() { grep -vc '^#' "$FRAGBED_DIR/hold/sets"; }
vmstat() { awk -v name="$1" '$1 == name { print $2 }' /proc/vmstat; }
map_sum() { awk -v column="$1" '!/^#/ { sum += $column } END { print sum }' "$FRAGBED_DIR/map"; }
log_lines() { dmesg | grep -c 'fragbed: '; }
last_line() { dmesg | grep 'fragbed: ' | tail -n 1; }

# wait_for TEST...: until it is so, for a minute. What is waited for is soon over, so nothing
# sleeps or starts a process in between.
wait_for() {
	wait_end=$(($(now) + 60))
	until "$@"; do
		read -r uptime _ </proc/uptime
		[ "${uptime%.*}" -lt "$wait_end" ] || return 1
	done
}

# knob_in_background FILE LINE [BEGUN]: a write by another process; when this returns,
# the verb is at work, as the function BEGUN tells. It is bash that writes: busybox
# tries again on EINTR. It survives SIGTERM, so that the write can return.
knob_in_background() {
	begun_from=$(mem_free)
	bash -c 'trap : TERM; echo "$2" >"$1"' writer "$FRAGBED_DIR/$1" "$2" 2>"$tmp/background" &
	background=$!
	wait_for "${3:-has_begun}"
}

# Sets background_errno once the write is over.
background_ends() {
	wait "$background"
	background_errno=OK
	[ ! -s "$tmp/background" ] || background_errno=$(lib_errno_name "$(cat "$tmp/background")")
	check "it got $background_errno, wanted $1" [ "$background_errno" = "$1" ]
}

long_run='order=1 index=990 unmovable=0 seed=1'

mem_free() {
	while read -r name value _; do
		[ "$name" != MemFree: ] || echo "$value"
	done </proc/meminfo
}

# What a verb that takes pages does first is to make MemFree fall, in KiB; further than
# the start of the writer does, which takes 6 MiB for a moment where there is KASAN.
has_begun() { [ "$(mem_free)" -lt $((begun_from - 32768)) ]; }

# --- bad input: knob | line | errno | what the log must say --------------------

bad_input="
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
"

# The same for a kernel with superpageblocks, all of them in one zone of node 0.
bad_input_spb="
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
"

# Each is refused with its errno, with exactly one line in the log that names the
# key, and with what is held unchanged.
bad_row() {
	cp "$FRAGBED_DIR/hold/sets" "$tmp/sets"
	bad_before=$(log_lines)
	knob "$1" "$2"
	# One errno or the other, by how many CPUs the kernel was built for.
	[ "$3" != E ] || case $knob_errno in EINVAL | ENXIO) set -- "$1" "$2" "$knob_errno" "$4" ;; esac
	check "errno is $knob_errno" [ "$knob_errno" = "$3" ] &&
		check "log lines" [ "$(log_lines)" -eq $((bad_before + 1)) ] &&
		check "log says '$4', it has '$(last_line)'" grep -qF "$4" <<-END &&
			$(last_line)
		END
		check "sets unchanged" same_text "$tmp/sets" "$FRAGBED_DIR/hold/sets"
}

run_bad_rows() {
	echo "$1" >"$tmp/rows"
	while IFS='|' read -r bad_knob bad_line bad_errno bad_log <&3; do
		[ -n "$bad_knob" ] || continue
		case $bad_knob in
		compact/*) case $bad_line in *prio=* | *nofragment=*) have_feature compact_direct || {
			skip "$bad_knob '$bad_line'" "$(fact caps compact_direct)"
			continue
		} ;; esac ;;
		esac
		expect "bad input: $bad_knob '$bad_line' is $bad_errno" \
			bad_row "$bad_knob" "$bad_line" "$bad_errno" "$bad_log"
	done 3<"$tmp/rows"
}

# Bad lines take nothing, also not a little each time.
case_bad_input_takes_no_memory() {
	near "$(free_pages)" "$free_before_bad" $((noise + $(kasan_pages)))
}

# All rows, while a set is held that has to stay as it is.
run_bad_input() {
	wanted=$((wanted + $(printf '%s\n' "$1" | grep -c '|') + 1))
	knob hold/alloc "set=keep type=unmovable order=0 count=100"
	free_before_bad=$(free_pages)
	run_bad_rows "$1"
	expect "bad input takes no memory" case_bad_input_takes_no_memory
	knob reset 1
}

# In its rows @first@ is the first zone with SPBs; where there is no other it may be left out.
run_bad_input_spb() {
	if have_feature spb; then
		first=$(awk '!/^#/ { print $2; exit }' "$FRAGBED_DIR/spb/table")
		run_bad_input "$(printf '%s\n' "$bad_input_spb" | sed "s/@first@/$first/")"
	else
		wanted=$((wanted + 1))
		skip "bad input of spb/" "$(fact caps spb)"
	fi
}

# --- facts ---------------------------------------------------------------------

case_version_is_that_of_dkms_conf() {
	grep -qx "PACKAGE_VERSION=\"$(fact version fragbed)\"" "$FRAGBED_REPO/dkms.conf" &&
		check modinfo [ "$(cat /sys/module/fragbed/version)" = "$(fact version fragbed)" ]
}

case_caps_agree_with_the_kernel() {
	check "page size" [ "$(fact caps page_size)" = "$(getconf PAGESIZE 2>/dev/null || echo 4096)" ] &&
		check "pageblock order" grep -q "^Page block order: $(fact caps pageblock_order)\$" /proc/pagetypeinfo &&
		check "nodes" [ "$(fact caps nodes)" = "$(cat /sys/devices/system/node/has_memory 2>/dev/null || echo 0)" ]
}

mode() { find "$FRAGBED_DIR/$1" -perm "$2" | grep -q .; }

case_modes_say_verb_tunable_or_fact() {
	for knob in hold/alloc hold/free fragment/run fragment/free fragment/churn fragment/keep compact/run spb/taint lease reset; do
		check "$knob is a verb" mode "$knob" 0200 || return 1
	done
	for knob in mof spb/defrag spb/evacuate; do
		check "$knob is a verb with an answer" mode "$knob" 0600 || return 1
	done
	for knob in version caps hold/sets fragment/index fragment/result fragment/churn_status fragment/keep_status compact/last map; do
		check "$knob is a fact" mode "$knob" 0444 || return 1
	done
	check "map_chunk is a tunable" mode map_chunk 0600
}

# --- hold ------------------------------------------------------------------------

case_hold_unmovable() {
	hold_before=$(free_pages)
	ok_knob hold/alloc "set=u type=unmovable order=3 count=200" &&
		check "row" grep -q '^u unmovable 3 0 200 1600 0$' "$FRAGBED_DIR/hold/sets" &&
		check "free pages fell by it" near "$(free_pages)" $((hold_before - 1600)) "$noise" &&
		ok_knob hold/free set=u && check "gone" [ "$(set_pages u)" = 0 ] &&
		check "free again" near "$(free_pages)" "$hold_before" "$noise"
}

case_hold_movable() {
	hold_before=$(map_sum 5)
	ok_knob hold/alloc "set=m type=movable order=0 count=3000" &&
		check "row" [ "$(set_pages m)" = 3000 ] &&
		check "the map sees them on the LRU" near "$(map_sum 5)" $((hold_before + 3000)) "$noise" &&
		ok_knob hold/free set=m && check "gone" near "$(map_sum 5)" "$hold_before" "$noise"
}

case_hold_reclaimable_answers_the_shrinker() {
	ok_knob hold/alloc "set=r type=reclaimable order=2 count=300" &&
		ok_knob hold/alloc "set=u type=unmovable order=2 count=300" || return 1
	echo 2 >/proc/sys/vm/drop_caches
	check "given back" [ "$(set_chunks r)" = 0 ] &&
		check "counted" [ "$(set_column r 7)" = 300 ] &&
		check "unmovable ones stay" [ "$(set_chunks u)" = 300 ]
}

case_hold_atomic() {
	ok_knob hold/alloc "set=a type=unmovable order=2 count=50 gfp=atomic" &&
		ok_knob hold/alloc "set=b type=reclaimable order=0 count=50 gfp=atomic" &&
		ok_knob hold/alloc "set=c type=unmovable order=0 count=50 gfp=kernel" &&
		check "held" [ "$(set_pages a) $(set_pages b) $(set_pages c)" = "200 50 50" ]
}

case_hold_stride_leaves_holes() {
	ok_knob hold/alloc "set=s type=unmovable order=0 count=500 stride=4" &&
		check "a quarter kept" [ "$(set_pages s)" = 500 ] &&
		ok_knob hold/alloc "set=t type=movable order=0 count=500 stride=4" &&
		check "a quarter kept, movable" [ "$(set_pages t)" = 500 ]
}

case_hold_name_can_be_used_again() {
	ok_knob hold/alloc "set=a type=unmovable order=0 count=10" &&
		ok_knob hold/alloc "set=a type=reclaimable order=1 count=10" &&
		check "both count" [ "$(set_pages a)" = 30 ] &&
		ok_knob hold/free set=a && check "both went" [ "$(set_pages a)" = 0 ]
}

case_free_every_nth() {
	ok_knob hold/alloc "set=a type=unmovable order=0 count=900" &&
		ok_knob hold/alloc "set=b type=movable order=0 count=900" &&
		ok_knob hold/free "set=a every=3" && check "raw" [ "$(set_pages a)" = 600 ] &&
		ok_knob hold/free "set=b every=3" && check "shmem" [ "$(set_pages b)" = 600 ]
}

left_after_random() {
	knob hold/alloc "set=a type=unmovable order=0 count=2000" &&
		knob hold/free "set=a random=300 seed=$1" && set_pages a && knob hold/free set=a
}

case_free_random_follows_the_seed() {
	first=$(left_after_random 5)
	check "same seed, same figure" [ "$(left_after_random 5)" = "$first" ] &&
		check "another seed, another figure" [ "$(left_after_random 6)" != "$first" ] &&
		check "about 300 of 1000 freed" near "$first" 1400 100
}

case_hold_enomem_gives_all_back() {
	hold_before=$(free_pages)
	all=$(awk '/^ *managed/ { sum += $2 } END { print int(sum / 1024) }' /proc/zoneinfo)
	hold_order=$(fact caps max_page_order)
	all=$((all * 1024 >> hold_order))
	wants ENOMEM hold/alloc "set=big type=unmovable order=$hold_order count=$all" &&
		check "no set" [ "$(set_pages big)" = 0 ] &&
		check "all back" near "$(free_pages)" "$hold_before" "$noise" &&
		check "the log says why" eval 'last_line | grep -q "keep a tenth of it free; force=1 goes down"' &&
		wants ENOMEM hold/alloc "set=big type=unmovable order=$hold_order count=$all force=1" &&
		check "the log says why" eval 'last_line | grep -q "above its watermarks"'
}

# Nothing of order 6 is left, and what is held cannot move.
# So many are asked for that a few which become whole again meanwhile are not enough.
case_hold_tells_of_smaller_pieces() {
	ok_knob fragment/run "order=6 index=1000 unmovable=100 seed=1" &&
		wants ENOMEM hold/alloc "set=p type=unmovable order=6 count=512" &&
		check "the log says why" eval 'last_line | grep -q "the allocator gave .* of the 512 chunks, what else is free is in smaller pieces"' &&
		check "no set" [ "$(set_pages p)" = 0 ]
}

managed_pages() { awk '$1 == "managed" { sum += $2 } END { print sum }' /proc/zoneinfo; }

# Superpageblocks may refuse the large ones before that.
hold_all_but_a_tenth() {
	while knob hold/alloc "set=full type=unmovable order=6 count=16"; do :; done
	while knob hold/alloc "set=rest type=unmovable order=0 count=1024"; do :; done
}

# By a quarter of the tenth, so that pages which come back by themselves do not fill it up;
# not by all that might, or it would be down to the watermarks, which a PC may boost.
go_below_the_tenth() {
	ok_knob hold/alloc "set=more type=unmovable order=0 count=$(($(managed_pages) / 40 + $(kasan_pages) / 2)) force=1"
}

# What a node keeps differs by zone: a tenth at least, or a little above its watermarks.
case_holds_leave_a_tenth() {
	tenth=$(($(managed_pages) / 10))
	hold_all_but_a_tenth
	check "ended with $knob_errno" [ "$knob_errno" = ENOMEM ] &&
		check "free $(free_pages), a tenth is $tenth" [ "$(free_pages)" -ge $((tenth - noise - $(kasan_pages))) ] &&
		check "not much more" [ "$(free_pages)" -le $((tenth + tenth / 2 + 1024)) ] &&
		go_below_the_tenth &&
		wants ENOMEM hold/alloc "set=m type=movable order=0 count=1024" &&
		ok_knob hold/alloc "set=m type=movable order=0 count=1024 force=1"
}

case_fragment_leaves_a_tenth() {
	hold_all_but_a_tenth
	go_below_the_tenth || return 1
	fragment_held=$(sets_listed)
	wants ENOMEM fragment/run "order=6 index=1000 unmovable=50 seed=1" &&
		check "the log says why" eval 'last_line | grep -q "keep a tenth of it free; force=1 goes down"' &&
		check "nothing was kept" [ "$(sets_listed)" = "$fragment_held" ] &&
		ok_knob fragment/run "order=6 index=100 unmovable=50 seed=1 force=1"
}

case_holds_stop_above_the_watermarks() {
	while knob hold/alloc "set=full type=unmovable order=6 count=16 force=1"; do :; done
	check "ended with $knob_errno" [ "$knob_errno" = ENOMEM ] || return 1
	high=$(awk '$1 == "high" { sum += $2 } END { print sum }' /proc/zoneinfo)
	full_free=$(free_pages)
	stalls=$(vmstat allocstall_normal)
	check "free $full_free above high watermark $high" [ "$full_free" -gt "$high" ] &&
		check "no direct reclaim" [ "$(vmstat allocstall_normal)" = "$stalls" ]
}

case_line_too_long_is_e2big() {
	wants E2BIG hold/free "set=$(printf '%0300d' 0)"
}

case_line_with_control_character_is_einval() {
	wants EINVAL hold/free "$(printf 'set=a\001')"
}

# --- fragment ------------------------------------------------------------------

case_index_is_the_kernels() {
	ok_knob fragment/run "order=5 index=700 unmovable=30 seed=3" || return 1
	# 0.067 against 67; both move while pages come and go.
	awk '/zone/ { print $2 + 0, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 }' \
		/sys/kernel/debug/extfrag/unusable_index >"$tmp/theirs"
	grep -v '^#' "$FRAGBED_DIR/fragment/index" >"$tmp/ours"
	awk 'NR == FNR { for (i = 3; i <= NF; i++) ours[$1, $2, i] = $i; rows++; next }
		{ for (i = 3; i <= NF; i++) { d = ours[$1, $2, i] - $i * 1000; if (d > 5 || d < -5) bad++ } lines++ }
		END { exit !(rows && rows == lines && !bad) }' "$tmp/ours" "$tmp/theirs"
}

case_fragment_reaches_the_target() {
	ok_knob fragment/run "order=4 index=1000 unmovable=20 seed=1" &&
		check "status" [ "$(fact fragment/result status)" = reached ] &&
		check "index" [ "$(fact fragment/result reached_permille)" = 1000 ] &&
		check "nothing free at order 4 or above" \
			awk '{ for (i = 9; i <= NF; i++) sum += $i } END { exit sum > 64 }' /proc/buddyinfo
}

case_fragment_keeps_the_share() {
	ok_knob fragment/run "order=3 index=1000 unmovable=25 seed=1" || return 1
	kept=$(($(fact fragment/result kept_unmovable) + $(fact fragment/result kept_movable)))
	# Fall-backs near the end are told apart in the result.
	asked=$(($(fact fragment/result kept_unmovable) - $(fact fragment/result fallbacks)))
	check "$asked of $kept" near $((asked * 100 / kept)) 25 2 &&
		check "few fall back" [ "$(fact fragment/result fallbacks)" -lt $((kept / 20)) ]
}

case_fragment_partial_target() {
	# Half way from where the node is; at order 9 a step is worth a few permille.
	ok_knob fragment/run "order=9 index=1 unmovable=0 seed=1" || return 1
	target=$((($(fact fragment/result reached_permille) + 1000) / 2))
	ok_knob fragment/run "order=9 index=$target unmovable=0 seed=1" || return 1
	reached=$(fact fragment/result reached_permille)
	check "reached $reached, not far above $target" near "$reached" $((target + 15)) 15
}

# Permille of unmovable pages kept, from the first chunk to the last.
fragment_figures() {
	knob fragment/run "order=6 index=1000 unmovable=40 seed=$1" || return 1
	kept=$(($(fact fragment/result kept_unmovable) + $(fact fragment/result kept_movable)))
	[ "$kept" -gt 0 ] && echo $(($(fact fragment/result kept_unmovable) * 1000 / kept))
	knob fragment/free 1
}

case_fragment_same_seed_same_figures() {
	fragment_figures 9 >"$tmp/one" && fragment_figures 9 >"$tmp/two" || return 1
	check "$(cat "$tmp/one") and $(cat "$tmp/two") permille unmovable" \
		near "$(cat "$tmp/one")" "$(cat "$tmp/two")" 5
}

case_fragment_free_gives_back() {
	fragment_before=$(free_pages)
	ok_knob fragment/run "order=4 index=900 unmovable=50 seed=1" &&
		ok_knob fragment/free 1 && check "no set" [ "$(set_pages fragment)" = 0 ] &&
		check "all back" near "$(free_pages)" "$fragment_before" "$noise" &&
		wants ENXIO fragment/free 1
}

case_fragment_enospc_keeps_what_it_has() {
	# Little to spare, in whole free blocks: too few pages to break them all.
	while knob hold/alloc "set=full type=unmovable order=6 count=4 force=1"; do :; done
	ok_knob hold/free "set=full every=6" || return 1
	ok_knob hold/alloc "set=rest type=unmovable order=0 count=100 force=1" || return 1
	while knob hold/alloc "set=rest type=unmovable order=0 count=50 force=1"; do :; done
	ok_knob hold/free "set=full every=128" || return 1
	wants ENOSPC fragment/run "order=1 index=1000 unmovable=100 seed=1 force=1" &&
		check "status" [ "$(fact fragment/result status)" = short ] &&
		check "short of it" [ "$(fact fragment/result reached_permille)" -lt 1000 ] &&
		check "set is there" grep -q '^fragment ' "$FRAGBED_DIR/hold/sets"
}

case_second_run_is_ebusy() {
	knob_in_background fragment/run "$long_run"
	knob fragment/run "order=1 index=1 unmovable=0 seed=1"
	background_ends OK && check "second got $knob_errno" [ "$knob_errno" = EBUSY ]
}

case_signal_ends_fragment_with_eintr() {
	fragment_before=$(free_pages)
	knob_in_background fragment/run "$long_run"
	kill -TERM "$background"
	background_ends EINTR &&
		check "status" [ "$(fact fragment/result status)" = interrupted ] &&
		check "no set" [ "$(sets_listed)" = 0 ] &&
		check "all back" near "$(free_pages)" "$fragment_before" $((noise + $(kasan_pages)))
}

case_signal_ends_hold_with_eintr() {
	hold_before=$(free_pages)
	knob_in_background hold/alloc "set=long type=movable order=0 count=$((hold_before * 3 / 4))"
	kill -TERM "$background"
	background_ends EINTR &&
		check "no set" [ "$(sets_listed)" = 0 ] &&
		check "all back" near "$(free_pages)" "$hold_before" $((noise + $(kasan_pages)))
}

case_reset_ends_a_run() {
	knob_in_background fragment/run "$long_run"
	ok_knob reset 1 && background_ends EINTR &&
		check "nothing held" [ "$(sets_listed)" = 0 ]
}

# --- churn -----------------------------------------------------------------------

churn_line='start rate=4000 order=1 unmovable=50 cpus=0 seed=1'

# reaches_rate KNOB LINE RATE SLACK: never more, and in one of twenty seconds not less
# either: what a busy machine kept a thread from is not made up for. It still runs then.
reaches_rate() {
	rate_tries=0
	while ok_knob "$1" "$2"; do
		sleep 1
		rate=$(fact "${1}_status" rate_achieved)
		check "rate $rate is too high" [ "$rate" -le $(($3 + $4)) ] || return 1
		[ "$rate" -lt $(($3 - $4)) ] || return 0
		rate_tries=$((rate_tries + 1))
		check "rate $rate" [ "$rate_tries" -lt 20 ] && ok_knob "$1" stop || return 1
	done
	return 1
}

case_churn_keeps_its_rate() {
	reaches_rate fragment/churn "$churn_line limit_kb=8192" 4000 800 &&
		check "runs" [ "$(fact fragment/churn_status running)" = yes ] &&
		check "within its limit" [ "$(fact fragment/churn_status pages_held)" -le 2048 ] &&
		check "holds some" [ "$(fact fragment/churn_status pages_held)" -gt 0 ] &&
		ok_knob fragment/churn stop &&
		check "stopped" [ "$(fact fragment/churn_status running)" = no ] &&
		check "all back" [ "$(fact fragment/churn_status pages_held)" = 0 ]
}

case_churn_twice_is_ebusy() {
	ok_knob fragment/churn "$churn_line" && wants EBUSY fragment/churn "$churn_line"
}

case_churn_is_bound_to_its_cpus() {
	last=$(($(nproc) - 1))
	ok_knob fragment/churn "start rate=1000 order=0 unmovable=0 cpus=0-$last seed=1" || return 1
	threads=0
	for comm in /proc/[0-9]*/comm; do
		read -r name <"$comm" || continue
		case $name in
		fragbed_churn/*)
			threads=$((threads + 1))
			grep -q "^Cpus_allowed_list:[[:space:]]*${name#*/}\$" "${comm%comm}status" || {
				say "$name is not on its CPU"
				return 1
			}
			;;
		esac
	done
	check "threads" [ "$threads" -eq $((last + 1)) ]
}

case_churn_stop_twice_is_fine() {
	ok_knob fragment/churn stop && ok_knob fragment/churn stop
}

# --- keep ------------------------------------------------------------------------

keep_line='start order=4 index=800 unmovable=30 rate=300000 cpus=0 seed=1'

keep() { fact fragment/keep_status "$1"; }

# Its thread has the lowest priority: who waits for it must sleep.
wait_for_keep() {
	keep_tries=0
	until "$@"; do
		keep_tries=$((keep_tries + 1))
		check "$* in time, now at $(keep index_now)" [ "$keep_tries" -lt 600 ] || return 1
		sleep 0.1
	done
}

keep_reached() { [ "$(keep reached)" = yes ]; }
keep_at_target() { [ "$(keep index_now)" -ge 780 ]; }
keep_below() { [ "$(keep index_min)" -lt 780 ]; }

case_keep_holds_the_target() {
	keep_before=$(free_pages)
	# What is on a per-cpu list is in no free area, and they take up to an eighth of memory.
	setting /proc/sys/vm/percpu_pagelist_high_fraction 1000
	ok_knob fragment/keep "$keep_line" && wait_for_keep keep_reached || return 1
	sleep 1
	check "runs" [ "$(keep running)" = yes ] &&
		check "at $(keep index_now)" near "$(keep index_now)" 800 20 &&
		check "mean $(keep index_mean)" near "$(keep index_mean)" 800 20 &&
		check "never below $(keep index_min)" [ "$(keep index_min)" -ge 780 ] &&
		check "moves about" [ "$(keep unplanted)" -gt 0 ] &&
		check "holds $(keep pages_held)" [ "$(keep pages_held)" -gt 0 ] &&
		ok_knob fragment/keep stop && check "stopped" [ "$(keep running)" = no ] &&
		check "holds nothing" [ "$(keep pages_held)" = 0 ] &&
		check "the figures stay" [ "$(keep looks)" -gt 10 ] &&
		check "all back" near "$(free_pages)" "$keep_before" "$noise"
}

# Others give back whole chunks: what was kept is then too little.
case_keep_follows_what_others_do() {
	ok_knob hold/alloc "set=u type=unmovable order=6 count=$(($(free_pages) / 4 >> 6))" &&
		ok_knob fragment/keep "$keep_line" && wait_for_keep keep_reached || return 1
	kept=$(keep pages_held)
	ok_knob hold/free set=u && wait_for_keep keep_below && wait_for_keep keep_at_target &&
		check "by keeping more than $kept" [ "$(keep pages_held)" -gt "$kept" ]
}

case_keep_stays_within_its_rate() {
	reaches_rate fragment/keep "start order=4 index=1000 unmovable=100 rate=4000 cpus=0 seed=1" 3800 800
}

keep_costs() { [ "$(keep cpu_ns)" -gt 0 ]; }

# As fast as it can: UML counts a thread's run time in ticks, of which it must see the end.
case_keep_tells_its_cost() {
	ok_knob fragment/keep "start order=4 index=1000 unmovable=100 rate=100000000 cpus=0 seed=1" &&
		wait_for_keep keep_costs && check "in permille" [ "$(keep cost_permille)" -le 1000 ] &&
		check "no more than it took" [ "$(keep cpu_ns)" -le "$(($(keep ns) + 10000000))" ]
}

keep_threads() { grep -lx fragbed_keep /proc/[0-9]*/comm 2>/dev/null; }

# The one that was stopped just before may take its time to leave.
keep_is_one_thread() { [ "$(keep_threads | wc -l)" = 1 ]; }

case_keep_is_bound_and_nice() {
	ok_knob fragment/keep "$keep_line nice=7" && wait_for_keep keep_is_one_thread || return 1
	thread=$(keep_threads)
	check "CPU" grep -q '^Cpus_allowed_list:[[:space:]]*0$' "${thread%comm}status" &&
		check "nice" [ "$(cut -d' ' -f19 "${thread%comm}stat")" = 7 ]
}

case_keep_twice_is_ebusy() {
	ok_knob fragment/keep "$keep_line" && wants EBUSY fragment/keep "$keep_line" &&
		ok_knob fragment/keep stop && ok_knob fragment/keep stop
}

# --- leases, suspend ---------------------------------------------------------------

# Runs a script of someone who holds a lease, until it is killed.
begin_lease() {
	busybox sh -c 'exec 5>"$1/lease"
		echo "set=l type=unmovable order=3 count=200" >"$1/hold/alloc"
		echo "$2" >"$1/fragment/keep"
		: >"$3"
		while :; do busybox sleep 1 5>&-; done' lease "$FRAGBED_DIR" "$keep_line" "$tmp/leased" &
	holder=$!
	wait_for [ -e "$tmp/leased" ]
}

case_lease_of_a_killed_script() {
	rm -f "$tmp/leased"
	lease_before=$(free_pages)
	begin_lease && check "held" [ "$(set_pages l)" = 1600 ] && check "keeps" [ "$(keep running)" = yes ] || return 1
	kill -KILL "$holder"
	wait "$holder" 2>/dev/null
	check "nothing held" [ "$(sets_listed)" = 0 ] && check "no keeping" [ "$(keep running)" = no ] &&
		check "all back" near "$(free_pages)" "$lease_before" "$noise"
}

case_lease_ends_with_the_last_holder() {
	exec 5>"$FRAGBED_DIR/lease" 6>"$FRAGBED_DIR/lease"
	ok_knob hold/alloc "set=l type=movable order=0 count=500"
	lease_result=$?
	exec 5>&-
	check "still held" [ "$(set_pages l)" = 500 ] || lease_result=1
	exec 6>&-
	check "given back" [ "$(sets_listed)" = 0 ] && [ "$lease_result" -eq 0 ]
}

case_lease_takes_no_line() { wants EINVAL lease 1; }

# The kernel's own rehearsal: all is prepared, the tasks are frozen, and woken again.
case_suspend_gives_all_back() {
	suspend_before=$(free_pages)
	ok_knob hold/alloc "set=u type=unmovable order=3 count=100" && ok_knob fragment/keep "$keep_line" &&
		ok_knob fragment/churn "$churn_line" && setting /sys/power/pm_test freezer || return 1
	check "suspend" eval 'echo freeze >/sys/power/state' &&
		check "nothing held" [ "$(sets_listed)" = 0 ] && check "no keeping" [ "$(keep running)" = no ] &&
		check "no churn" [ "$(fact fragment/churn_status running)" = no ] &&
		check "said so" eval 'dmesg | grep -q "fragbed: the machine goes to sleep"' &&
		check "all back" near "$(free_pages)" "$suspend_before" "$noise"
}

# --- compact -----------------------------------------------------------------------

case_compact_reports() {
	ok_knob fragment/run "order=4 index=1000 unmovable=10 seed=1" &&
		ok_knob compact/run "order=9 type=movable prio=sync-full nofragment=off" || return 1
	for name in order type node prio nofragment result result_name entered compact_order got_page \
		captured deferred zones isolated moved migrate_scanned ns free_blocks_before free_blocks_after; do
		check "$name" grep -q "^$name " "$FRAGBED_DIR/compact/last" || return 1
	done
	check "entered" [ "$(fact compact/last entered)" = 1 ] &&
		check "served" [ "$(fact compact/last got_page)" = 1 ] &&
		check "success" [ "$(fact compact/last result_name)" = success ] &&
		check "moved" [ "$(fact compact/last delta_pgmigrate_success)" -gt 0 ]
}

# What the counters tell must fit what became of it. Only what the module itself does can
# be told for sure: another may compact at the same time.
compact_by_allocation() {
	ok_knob compact/run "order=1 type=movable" &&
		check "method" [ "$(fact compact/last method)" = allocation ] &&
		check "there was one" [ "$(fact compact/last result_name)" = no_need ] || return 1
	compact_tries=0
	# kcompactd is woken, too, and may be the one who makes room: then all is fragmented anew.
	until ok_knob fragment/run "order=6 index=1000 unmovable=0 seed=$compact_tries force=1" &&
		ok_knob compact/run "order=9 type=movable" && [ "$(fact compact/last result_name)" = success ]; do
		compact_tries=$((compact_tries + 1))
		check "compacted, the last was $(fact compact/last result_name)" [ "$compact_tries" -lt 20 ] || return 1
		knob fragment/free 1
	done
	check "served" [ "$(fact compact/last got_page)" = 1 ] &&
		check "counted" [ "$(fact compact/last delta_compact_stall)" -gt 0 ] &&
		check "moved" [ "$(fact compact/last delta_pgmigrate_success)" -gt 0 ] &&
		wants EINVAL compact/run "order=0 type=movable" &&
		wants EOPNOTSUPP compact/run "order=9 type=movable prio=async" &&
		check "says why" eval 'last_line | grep -q "prio=async: leave it out, only a kernel with CONFIG_FRAGBED"' &&
		wants EOPNOTSUPP compact/run "order=9 type=movable nofragment=on"
}

# What a kernel without our series cannot do, and that caps say so.
lacks_the_core() {
	check "caps say no" eval '! have_feature compact_direct' &&
		check "and why" [ "$(fact caps compact_direct)" = "no kernel built without CONFIG_FRAGBED" ] &&
		wants EOPNOTSUPP spb/defrag "spb=all" &&
		wants EOPNOTSUPP spb/evacuate "spb=all" &&
		wants EOPNOTSUPP spb/taint "spb=1 pages=1 set=x" &&
		ok_knob hold/alloc "set=u type=unmovable order=3 count=10" && ok_knob hold/free set=u
}

# The module as it is built for a kernel without our series.
case_stock_module() {
	unload_module || return 1
	insmod "${FRAGBED_MODULE%.ko}-stock.ko" || return 1
	lacks_the_core && compact_by_allocation
	result=$?
	unload_module && insmod "$FRAGBED_MODULE" && return "$result"
}

# --- map -------------------------------------------------------------------------

case_map_adds_up() {
	awk '!/^#/ { if ($3 != $4 + $5 + $6 + $7 + $8) bad++; rows++ } END { exit !(rows && !bad) }' "$FRAGBED_DIR/map" &&
		check "free in the map and in meminfo" near "$(map_sum 4)" "$(free_pages)" "$noise"
}

case_map_chunk_sets_the_rows() {
	read -r kb <"$FRAGBED_DIR/map_chunk"
	rows=$(grep -vc '^#' "$FRAGBED_DIR/map")
	ok_knob map_chunk $((kb * 2)) || return 1
	half=$(grep -vc '^#' "$FRAGBED_DIR/map")
	ok_knob map_chunk "$kb" && check "$rows rows, then $half" near $((half * 2)) "$rows" 2
}

# --- movable holds move, unmovable ones do not --------------------------------------

# Every 16th page of a long run: whole blocks can only be had by moving them.
blocks_after_compaction() {
	knob hold/alloc "set=spread type=$1 order=0 count=$(($(free_pages) / 32)) stride=16" || return 1
	spread=$(set_pages spread)
	had=$(map_sum 9)
	moved=$(vmstat pgmigrate_success)
	echo 1 >/proc/sys/vm/compact_memory
	moved=$(($(vmstat pgmigrate_success) - moved))
	now=$(map_sum 9)
	say "$1: $spread pages spread, $moved moved, free blocks $had before, $now after"
}

case_movable_holds_migrate() {
	blocks_after_compaction movable || return 1
	check "pages moved" [ "$moved" -gt $((spread / 2)) ] &&
		check "blocks became free" [ "$now" -gt $((had + 3)) ] &&
		check "all still held" [ "$(set_pages spread)" = "$spread" ]
}

case_unmovable_holds_do_not() {
	blocks_after_compaction unmovable || return 1
	# A few blocks hold movable pages of the system only; ours fill some hundred.
	check "few blocks became free" [ "$now" -le $((had + 20)) ]
}

# --- unloading, memory running out ----------------------------------------------------

case_open_file_pins_the_module() {
	exec 4<"$FRAGBED_DIR/version"
	unload_module 2>/dev/null
	pinned=$?
	exec 4<&-
	check "rmmod refused" [ "$pinned" -ne 0 ] && check "still there" module_loaded
}

unload_and_compare() {
	unload_module && check "directory gone" [ ! -e "$FRAGBED_DIR" ] &&
		load_module && check "all back" near "$(free_pages)" "$1" "$noise"
}

case_unload_during_churn() {
	unload_before=$(free_pages)
	ok_knob fragment/churn "start rate=1000000 order=2 unmovable=50 cpus=0-$(($(nproc) - 1)) seed=1" &&
		ok_knob fragment/keep "$keep_line" || return 1
	sleep 0.5
	check "holds some" [ "$(fact fragment/churn_status pages_held)" -gt 0 ] &&
		unload_and_compare "$unload_before"
}

case_unload_with_holds() {
	unload_before=$(free_pages)
	ok_knob hold/alloc "set=u type=unmovable order=3 count=100" &&
		ok_knob hold/alloc "set=m type=movable order=0 count=1000" &&
		ok_knob hold/alloc "set=r type=reclaimable order=1 count=100" &&
		ok_knob fragment/run "order=4 index=600 unmovable=50 seed=1" &&
		unload_and_compare "$unload_before"
}

case_oom_gives_all_back() {
	ok_knob hold/alloc "set=u type=unmovable order=3 count=100" &&
		ok_knob hold/alloc "set=m type=movable order=0 count=1000" &&
		ok_knob fragment/churn "$churn_line" && ok_knob fragment/keep "$keep_line" || return 1
	# The kernel's test trigger kills someone in any case: offer a victim.
	sleep 1000 &
	victim=$!
	echo 1000 >"/proc/$victim/oom_score_adj"
	echo -1000 >/proc/$$/oom_score_adj
	sleep 0.3
	echo f >/proc/sysrq-trigger
	sleep 1
	kill "$victim" 2>/dev/null
	wait "$victim" 2>/dev/null
	echo 0 >/proc/$$/oom_score_adj
	check "no set left" [ "$(sets_listed)" = 0 ] &&
		check "churn yielded" [ "$(fact fragment/churn_status yielded)" = yes ] &&
		check "churn holds nothing" [ "$(fact fragment/churn_status pages_held)" = 0 ] &&
		check "keeping yielded" [ "$(keep yielded)" = yes ] &&
		check "keeping holds nothing" [ "$(keep pages_held)" = 0 ] &&
		check "said so" eval 'dmesg | grep -q "fragbed: out of memory: gave back"'
}

case_reset_frees_everything() {
	reset_before=$(free_pages)
	ok_knob hold/alloc "set=u type=unmovable order=3 count=100" &&
		ok_knob fragment/run "order=4 index=300 unmovable=50 seed=1" &&
		ok_knob fragment/churn "$churn_line" && ok_knob fragment/keep "$keep_line" && ok_knob reset 1 &&
		check "no keeping" [ "$(keep running)" = no ] &&
		check "no set" [ "$(sets_listed)" = 0 ] &&
		check "no churn" [ "$(fact fragment/churn_status running)" = no ] &&
		check "all back" near "$(free_pages)" "$reset_before" "$noise"
}

# --- superpageblocks -------------------------------------------------------------------

empty_one='$5 == "empty" && $6 == $7'
full_clean_one='$5 == "clean" && $6 == $7 && $8 == 0'

# pick_spb CONDITION: in $spb, as a line names it, the first one of node 0 whose row in
# spb/table meets a condition in awk.
pick_spb() {
	spb=$(awk "!/^#/ && \$1 == 0 && $1 { print \"spb=\" \$3 \" zone=\" \$2; exit }" "$FRAGBED_DIR/spb/table")
	check "there is one with $1" [ -n "$spb" ]
}

# The n-th column of its row.
spb_column() {
	awk -v spb="$spb" -v column="$1" '$1 == 0 && ("spb=" $3 " zone=" $2) == spb { print $column }' \
		"$FRAGBED_DIR/spb/table"
}

# Pages in it that can move, by the map.
spb_movable() {
	awk -v first="$(spb_column 4)" -v pages="$(spb_pages)" \
		'!/^#/ && $2 >= first && $2 < first + pages { sum += $5 } END { print sum + 0 }' "$FRAGBED_DIR/map"
}

sum_of_facts() {
	awk -v pattern="$2" '$1 ~ pattern { sum += $2 } END { print sum + 0 }' "$FRAGBED_DIR/$1"
}

hold_movable_percent() {
	ok_knob hold/alloc "set=m type=movable order=0 count=$(($(free_pages) * $1 / 100))"
}

# One that is full of what can move, with some pages that cannot.
taint_a_full_one() {
	hold_movable_percent 40 && pick_spb "$full_clean_one" || return 1
	# Somebody may be looking at one of its pages just now.
	knob spb/taint "$spb pages=16 set=t" || { sleep 1 && ok_knob spb/taint "$spb pages=16 set=t"; } || return 1
	check "tainted" [ "$(spb_column 5)" = tainted ]
}

# Clean ones half full of single pages.
scatter_movable() {
	ok_knob hold/alloc "set=m type=movable order=0 count=$(($(spb_pages) * 8))" &&
		ok_knob hold/free "set=m random=500 seed=1" && pick_spb "$full_clean_one"
}

case_spb_without_is_eopnotsupp() {
	wants EOPNOTSUPP spb/defrag "spb=all" && wants EOPNOTSUPP spb/evacuate "spb=all" &&
		wants EOPNOTSUPP spb/taint "spb=1 pages=1 set=x" &&
		check "nothing to read" eval '! cat "$FRAGBED_DIR/spb/defrag" 2>/dev/null' &&
		check "no table" [ ! -e "$FRAGBED_DIR/spb/table" ]
}

case_spb_facts() {
	for knob in spb/table spb/stats spb/check; do
		check "$knob is a fact" mode "$knob" 0444 || return 1
	done
	check "each row has all columns" awk '{ nr = NF - ($1 == "#") } NR == 1 { columns = nr } nr != columns { bad++ }
		END { exit !(NR > 1 && columns == 14 && !bad) }' "$FRAGBED_DIR/spb/table" &&
		check "a counter" [ -n "$(spb_stat became_tainted_too_early)" ]
}

case_spb_nothing_was_done_before() {
	unload_module && load_module || return 1
	check "defrag" [ "$(cat "$FRAGBED_DIR/spb/defrag")" = "state none" ] &&
		check "evacuate" [ "$(cat "$FRAGBED_DIR/spb/evacuate")" = "state none" ]
}

case_spb_taint() {
	became=$(spb_stat became_tainted)
	pick_spb "$empty_one" && ok_knob spb/taint "$spb pages=8 set=t" &&
		check "tainted" [ "$(spb_column 5)" = tainted ] &&
		check "counted" [ "$(spb_stat became_tainted)" -gt "$became" ] &&
		check "in eight pageblocks" [ "$(spb_column 10)" -ge 8 ] &&
		check "held" grep -q '^t unmovable 0 0 8 8 0$' "$FRAGBED_DIR/hold/sets" &&
		ok_knob hold/free set=t && check "gone" [ "$(spb_column 10)" -lt 8 ]
}

case_spb_taint_every_pageblock() {
	pick_spb "$empty_one" && ok_knob spb/taint "$spb pages=$(($(spb_column 6) * 2)) set=t" &&
		check "all of them" [ "$(spb_column 10)" = "$(spb_column 6)" ]
}

# Where something is held that cannot move, nothing else can be moved away.
case_spb_taint_ebusy_gives_all_back() {
	pick_spb "$empty_one" && ok_knob spb/taint "$spb pages=2 set=b" &&
		ok_knob hold/free "set=b every=2" || return 1
	taint_before=$(free_pages)
	wants EBUSY spb/taint "$spb pages=$(spb_pages) set=c" &&
		check "the log says how far it got" eval 'last_line | grep -q "pages taken, no more to be had"' &&
		check "no set" [ "$(set_pages c)" = 0 ] && check "others stay" [ "$(set_pages b)" = 1 ] &&
		check "all back" near "$(free_pages)" "$taint_before" "$noise"
}

case_spb_taint_enomem() {
	while knob hold/alloc "set=full type=movable order=0 count=1024 force=1"; do :; done
	pick_spb "$full_clean_one" && wants ENOMEM spb/taint "$spb pages=4096 set=t" &&
		check "no set" [ "$(set_pages t)" = 0 ] &&
		check "the log says why" eval 'last_line | grep -q "above the watermarks"'
}

case_spb_defrag() {
	taint_a_full_one && ok_knob spb/defrag "$spb" || return 1
	for name in spb node zone pages_limit ms_limit state error spbs left pages pinned busy no_target \
		fixed stop ended_room ended_empty ended_stuck ended_no_target ended_pages ended_time ended_signal ns; do
		check "$name" grep -q "^$name " "$FRAGBED_DIR/spb/defrag" || return 1
	done
	check "done" [ "$(fact spb/defrag state) $(fact spb/defrag error)" = "done none" ] &&
		check "one" [ "$(fact spb/defrag spbs)" = 1 ] &&
		check "asked" [ "spb=$(fact spb/defrag spb) zone=$(fact spb/defrag zone)" = "$spb" ] &&
		check "moved" [ "$(fact spb/defrag pages)" -gt $(($(spb_pages) / 2)) ] &&
		check "the table has it" [ "$(spb_column 13)" = "$(fact spb/defrag stop)" ] &&
		check "and when" [ "$(spb_column 14)" -lt 60000 ] &&
		check "nothing to move is left, or why" \
			[ $(($(spb_movable) == 0 || $(sum_of_facts spb/defrag '^(pinned|busy|no_target)$') > 0)) = 1 ]
}

case_spb_defrag_tainted() {
	hold_movable_percent 40 && pick_spb "$full_clean_one" && ok_knob spb/taint "$spb pages=4 set=t" &&
		pick_spb "$full_clean_one" && ok_knob spb/taint "$spb pages=4 set=t" || return 1
	tainted=$(awk '$1 == 0 && $5 == "tainted" { nr++ } END { print nr + 0 }' "$FRAGBED_DIR/spb/table")
	ok_knob spb/defrag "spb=tainted" &&
		check "$tainted gone through" near "$(fact spb/defrag spbs)" "$tainted" 2 &&
		check "each ended somehow" [ "$(sum_of_facts spb/defrag '^ended_')" = "$(fact spb/defrag spbs)" ] &&
		check "none is left" [ "$(fact spb/defrag left)" = 0 ] &&
		check "moved" [ "$(fact spb/defrag pages)" -gt "$(spb_pages)" ]
}

case_spb_defrag_all() {
	ok_knob spb/defrag "spb=all ms=10000" &&
		check "where" [ "$(fact spb/defrag node) $(fact spb/defrag zone)" = "all all" ] &&
		check "some" [ "$(fact spb/defrag spbs)" -gt 0 ]
}

# What is refused leaves the last answer alone.
case_spb_defrag_of_others_is_einval() {
	ok_knob spb/defrag "spb=tainted" && hold_movable_percent 20 || return 1
	cp "$FRAGBED_DIR/spb/defrag" "$tmp/answer"
	pick_spb "$full_clean_one" && wants EINVAL spb/defrag "$spb" &&
		check "the log says so" eval 'last_line | grep -q "is clean, only tainted ones are defragmented"' &&
		pick_spb "$empty_one" && wants EINVAL spb/defrag "$spb" &&
		check "the log says so" eval 'last_line | grep -q "is empty, only tainted ones are defragmented"' &&
		check "same answer" same_text "$tmp/answer" "$FRAGBED_DIR/spb/defrag"
}

case_spb_defrag_keeps_its_limits() {
	taint_a_full_one && ok_knob spb/defrag "$spb pages=1" &&
		check "the limit is told" [ "$(fact spb/defrag pages_limit)" = 1 ] &&
		check "that is why it ended" [ "$(fact spb/defrag stop)" = pages ] &&
		check "not much was moved" [ "$(fact spb/defrag pages)" -lt 512 ] &&
		ok_knob spb/defrag "$spb ms=1" && check "the limit is told" [ "$(fact spb/defrag ms_limit)" = 1 ] &&
		check "it took $(fact spb/defrag ns) ns" [ "$(fact spb/defrag ns)" -lt 1000000000 ]
}

case_spb_evacuate() {
	scatter_movable && ok_knob spb/evacuate "$spb" &&
		check "empty" [ "$(spb_column 5)" = empty ] &&
		check "told" [ "$(fact spb/evacuate emptied) $(fact spb/evacuate not_emptied)" = "1 0" ] &&
		check "moved" [ "$(fact spb/evacuate pages)" -gt 0 ] &&
		check "all still held" [ "$(set_pages m)" -gt 0 ] &&
		ok_knob spb/evacuate "$spb" &&
		check "empty already" [ "$(fact spb/evacuate emptied) $(fact spb/evacuate already_empty)" = "0 1" ] &&
		check "nothing to move" [ "$(fact spb/evacuate pages)" = 0 ]
}

case_spb_evacuate_clean() {
	scatter_movable || return 1
	had=$(spb_count empty)
	ok_knob spb/evacuate "spb=clean" || return 1
	ways=$(fact spb/evacuate not_emptied)
	check "some became empty" [ "$(fact spb/evacuate emptied)" -gt 0 ] &&
		check "those that were" near "$(fact spb/evacuate already_empty)" "$had" 2 &&
		check "the table has them" [ "$(spb_count empty)" -gt "$had" ] &&
		check "what is in the way" \
			[ "$(grep -c '^in_the_way spb=[0-9]* .*pinned=.*busy=.*no_target=.*fixed=' "$FRAGBED_DIR/spb/evacuate")" = $((ways < 8 ? ways : 8)) ]
}

case_spb_evacuate_all() {
	ok_knob spb/evacuate "spb=all ms=10000" &&
		check "where" [ "$(fact spb/evacuate node) $(fact spb/evacuate zone)" = "all all" ]
}

case_spb_evacuate_tainted_is_einval() {
	taint_a_full_one && wants EINVAL spb/evacuate "$spb" &&
		check "the log says so" eval 'last_line | grep -q "is tainted, only clean ones are evacuated"'
}

case_spb_evacuate_ebusy_says_why() {
	scatter_movable && wants EBUSY spb/evacuate "$spb pages=1" &&
		check "the log says why" eval 'last_line | grep -q "not emptied, pages: "' &&
		check "told" [ "$(fact spb/evacuate error) $(fact spb/evacuate stop)" = "-EBUSY pages" ] &&
		check "counted" [ "$(fact spb/evacuate emptied) $(fact spb/evacuate not_emptied)" = "0 1" ] &&
		check "which" grep -q "^in_the_way ${spb%% *} " "$FRAGBED_DIR/spb/evacuate"
}

defrag_has_begun() { [ "$(fact spb/defrag state)" = running ]; }

# Many that are tainted and full take a while, so that it can be disturbed.
begin_long_defrag() {
	hold_movable_percent 45 || return 1
	number=0
	while [ "$number" -lt 20 ]; do
		number=$((number + 1))
		pick_spb "$full_clean_one" && ok_knob spb/taint "$spb pages=1 set=t" || return 1
	done
	knob_in_background spb/defrag "spb=tainted" defrag_has_begun
	check "it was seen to run" [ "$(fact spb/defrag state)" = running ]
}

case_spb_second_defrag_is_ebusy() {
	begin_long_defrag || return 1
	knob spb/defrag "spb=all"
	kill -TERM "$background"
	background_ends EINTR && check "second got $knob_errno" [ "$knob_errno" = EBUSY ]
}

case_spb_signal_ends_defrag_with_eintr() {
	begin_long_defrag || return 1
	kill -TERM "$background"
	background_ends EINTR &&
		check "told" [ "$(fact spb/defrag state) $(fact spb/defrag error)" = "done -EINTR" ] &&
		check "not all gone through" [ "$(fact spb/defrag left)" -gt 0 ]
}

case_spb_reset_ends_defrag() {
	begin_long_defrag || return 1
	ok_knob reset 1 && background_ends EINTR && check "nothing held" [ "$(sets_listed)" = 0 ]
}

case_spb_records_are_true() { spb_records_are_true; }

# By log_check, where the kernel was told to: its log is clean of leaks, too, then.
case_leaks_are_looked_for() { check "scan" eval 'echo scan >"$lib_kmemleak"'; }

case_log_is_clean() { log_check; }

cases='
version_is_that_of_dkms_conf caps_agree_with_the_kernel modes_say_verb_tunable_or_fact
hold_unmovable hold_movable hold_reclaimable_answers_the_shrinker hold_atomic hold_stride_leaves_holes
hold_name_can_be_used_again free_every_nth free_random_follows_the_seed
hold_enomem_gives_all_back hold_tells_of_smaller_pieces holds_leave_a_tenth holds_stop_above_the_watermarks
line_too_long_is_e2big line_with_control_character_is_einval
index_is_the_kernels fragment_reaches_the_target fragment_keeps_the_share fragment_partial_target
fragment_same_seed_same_figures fragment_free_gives_back fragment_enospc_keeps_what_it_has
fragment_leaves_a_tenth
second_run_is_ebusy signal_ends_fragment_with_eintr signal_ends_hold_with_eintr reset_ends_a_run
churn_keeps_its_rate churn_twice_is_ebusy churn_is_bound_to_its_cpus churn_stop_twice_is_fine
keep_holds_the_target keep_follows_what_others_do keep_stays_within_its_rate keep_tells_its_cost
keep_is_bound_and_nice keep_twice_is_ebusy
lease_of_a_killed_script lease_ends_with_the_last_holder lease_takes_no_line suspend_gives_all_back
compact_reports stock_module
map_adds_up map_chunk_sets_the_rows
movable_holds_migrate unmovable_holds_do_not
open_file_pins_the_module unload_during_churn unload_with_holds
reset_frees_everything leaks_are_looked_for log_is_clean oom_gives_all_back log_is_clean'

spb_cases='
spb_without_is_eopnotsupp spb_facts spb_nothing_was_done_before
spb_taint spb_taint_every_pageblock spb_taint_ebusy_gives_all_back spb_taint_enomem
spb_defrag spb_defrag_tainted spb_defrag_all spb_defrag_of_others_is_einval spb_defrag_keeps_its_limits
spb_evacuate spb_evacuate_clean spb_evacuate_all spb_evacuate_tainted_is_einval spb_evacuate_ebusy_says_why
spb_second_defrag_is_ebusy spb_signal_ends_defrag_with_eintr spb_reset_ends_defrag
spb_records_are_true'

# A case that cannot be built here, and why.
skip_reason() {
	case $1 in
	compact_reports) have_feature compact_direct || fact caps compact_direct ;;
	suspend_gives_all_back) grep -qw freezer /sys/power/pm_test 2>/dev/null || echo "no /sys/power/pm_test" ;;
	stock_module)
		[ -f "${FRAGBED_MODULE%.ko}-stock.ko" ] || echo "no fragbed-stock.ko beside fragbed.ko" ;;
	hold_tells_of_smaller_pieces | fragment_reaches_the_target | fragment_partial_target | fragment_same_seed_same_figures | \
		second_run_is_ebusy | \
		movable_holds_migrate | map_adds_up)
		# What sits on per-cpu lists hides whole blocks.
		have_feature drain || fact caps drain ;;
	leaks_are_looked_for) grep -qw kmemleak=on /proc/cmdline || echo "no kmemleak=on on the command line" ;;
	oom_gives_all_back) [ -w /proc/sysrq-trigger ] || echo "no /proc/sysrq-trigger" ;;
	spb_without_is_eopnotsupp) ! have_feature spb || echo "this kernel has superpageblocks" ;;
	spb_*)
		if ! have_feature spb; then
			fact caps spb
		elif [ "$(spb_pages)" -gt 4096 ]; then
			echo "superpageblocks of $(spb_pages) pages are too large for a test"
		fi
		;;
	esac
}

# Each case starts with nothing held and leaves nothing behind.
run_case() {
	reason=$(skip_reason "$1")
	if [ -n "$reason" ]; then
		skip "$(echo "$1" | tr _ ' ')" "$reason"
		return
	fi
	expect "$(echo "$1" | tr _ ' ')" "case_$1"
	knob reset 1
	# The kernel's OOM report is what was asked for: the watch starts anew.
	[ "$1" != oom_gives_all_back ] || log_mark
}

# --- main ------------------------------------------------------------------------

need_module
need test -d /sys/kernel/debug/extfrag -- "debugfs is not mounted or the kernel lacks CONFIG_COMPACTION"
need which bash -- "bash is missing: it writes for the cases of EINTR"
check_needs
log_mark
load_module || exit 1
at_exit "[ ! -e $FRAGBED_DIR ] || knob reset 1"
setting /proc/sys/vm/compaction_proactiveness 0
ktap_start
wanted=0
# shellcheck disable=SC2086  # lists of words
case $* in
'')
	run_bad_input "$bad_input"
	run_bad_input_spb
	set -- $spb_cases $cases
	;;
spb)
	run_bad_input_spb
	set -- $spb_cases log_is_clean
	;;
esac
wanted=$((wanted + $#))
for name; do
	run_case "$name"
done
finish $wanted
