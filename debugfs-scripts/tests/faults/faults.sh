#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# faults.sh [ROW...]
#
# Tries each command file, each read-only file, loading and unloading with one allocation that
# fails: the first one, the second one and so on, until no allocation is left to fail. Prints
# KTAP. A ROW is a line number of the table.
#
#   FRAGBED_JOB_EACH=400   after that allocation, steps of an eighth
#
# shellcheck disable=SC2016,SC2034,SC2317,SC2329  # rows are made lines, and call by name

. "$(dirname "$0")/../../lib/lib.sh"
. "$(dirname "$0")/disturb.sh"

faults=/sys/kernel/debug
each=${FRAGBED_JOB_EACH:-400}

# Setup | action of fail_nth.c | file | line | errnos that are allowed
#
# Lines that free memory must not fail. Reads may, if they need memory.
rows='
nothing|write|hold/alloc|set=x type=unmovable order=1 count=24 stride=2|ENOMEM
nothing|write|hold/alloc|set=x type=movable order=0 count=24 stride=2|ENOMEM
nothing|write|hold/alloc|set=x type=reclaimable order=0 count=24|ENOMEM
nothing|write|hold/alloc|set=x type=unmovable order=0 count=24 gfp=atomic|ENOMEM
nothing|write|hold/alloc|set=x type=unmovable order=0 count=24 force=1|ENOMEM
holds|write|hold/free|set=all every=2|
holds|write|hold/free|set=m random=500 seed=1|
holds|write|hold/free|set=all|
nothing|write|fragment/run|$fragment|ENOMEM ENOSPC
nothing|write|fragment/run|$fragment force=1|ENOMEM ENOSPC
fragmented|write|fragment/free|1|
nothing|write|fragment/churn|$churn_line|ENOMEM
churn|write|fragment/churn|stop|
nothing|write|fragment/keep|$keep_line|ENOMEM
keep|write|fragment/keep|stop|
scattered|write|compact/run|order=$max_order type=movable|ENOMEM
scattered|write|compact/run|order=4 type=unmovable prio=sync-full nofragment=off|ENOMEM
nothing|write|mof|1 400000|EFAULT ENOMEM
nothing|write|map_chunk|$chunk|
all|write|reset|1|
nothing|write|hold/alloc|set=x colour=red|EINVAL
all|read|hold/sets||ENOMEM
all|read|fragment/index||ENOMEM
all|read|fragment/result||ENOMEM
all|read|fragment/churn_status||ENOMEM
all|read|fragment/keep_status||ENOMEM
all|read|compact/last||ENOMEM
nothing|read|mof||ENOMEM
all|read|map||ENOMEM
nothing|read|caps||ENOMEM
nothing|read|version||ENOMEM
tainted_spb|write|spb/defrag|$spb|ENOMEM
tainted_spb|write|spb/defrag|spb=all|ENOMEM
clean_spb|write|spb/evacuate|$spb|ENOMEM EBUSY
clean_spb|write|spb/evacuate|spb=clean pages=512|ENOMEM
empty_spb|write|spb/taint|$spb pages=8 set=x|ENOMEM EBUSY
nothing|read|spb/table||ENOMEM
nothing|read|spb/stats||ENOMEM
nothing|read|spb/check||ENOMEM
nothing|kthreadd|fragment/churn|$churn_line|ENOMEM EAGAIN
nothing|kthreadd|fragment/keep|$keep_line|ENOMEM EAGAIN
unloaded|insert|||ENOMEM
all|remove|||
'

# --- helpers -----------------------------------------------------------------

# Each allocation of a task may fail, also one that may sleep.
fail_all_kinds() {
	for kind in failslab fail_page_alloc; do
		setting $faults/$kind/ignore-gfp-wait N
		setting $faults/$kind/verbose 0
	done
	setting $faults/failslab/cache-filter N
	setting $faults/fail_page_alloc/ignore-gfp-highmem N
	setting $faults/fail_page_alloc/min-order 0
}

with_unloaded() { ! module_loaded || unload_module; }

# Sets $nth to the next allocation to fail.
next_nth() { nth=$((nth < each ? nth + 1 : nth + nth / 8)); }

# Runs the row's action while its $nth allocation fails; sets $errno and $hit.
act() {
	line=
	eval "line=\"$row_line\""
	case $row_action in
	insert) set -- self "$nth" insert "$FRAGBED_MODULE" ;;
	remove) set -- self "$nth" remove fragbed ;;
	# kthreadd creates the threads.
	kthreadd) set -- "$kthreadd" "$nth" write "$FRAGBED_DIR/$row_file" "$line" ;;
	*) set -- self "$nth" "$row_action" "$FRAGBED_DIR/$row_file" "$line" ;;
	esac
	"$tools/fail_nth" "$@" >"$answer" || return 1
	read -r errno hit <"$answer"
}

# A loaded module works, except for debugfs files that could not be created.
answers_the_shrinker() {
	[ -e "$FRAGBED_DIR/hold/alloc" ] && [ -e "$FRAGBED_DIR/hold/sets" ] || return 0
	knob hold/alloc "set=r type=reclaimable order=0 count=8" && echo 2 >/proc/sys/vm/drop_caches &&
		grep -q '^r reclaimable 0 [0-9]* 0 ' "$FRAGBED_DIR/hold/sets"
}

# A rejected write has no side effect: the holds are the same.
state_is_right() {
	case $row_action in
	insert) if [ "$errno" = OK ]; then answers_the_shrinker && unload_module; else ! module_loaded; fi ;;
	remove) ! module_loaded && load_module ;;
	*)
		[ "$errno" = OK ] || [ "$errno" = ENOSPC ] || [ "$(held_now)" = "$held" ] || return 1
		is_true_after
		;;
	esac
}

one_try() {
	"with_$row_needs" || return 1
	[ ! -e "$FRAGBED_DIR" ] || held=$(held_now)
	act || return 1
	case " OK $row_errnos " in
	*" $errno "*) ;;
	*)
		say "allocation $nth: $errno"
		return 1
		;;
	esac
	state_is_right && return 0
	say "allocation $nth: $errno, and then the state was wrong:"
	sed 's/^/#   /' "$FRAGBED_DIR/hold/sets"
	return 1
}

# The row, with one failing allocation after the other.
until_none_is_left() {
	row_begins || return 1
	nth=0 tries=0 refused=0 hit=hit
	while [ "$hit" = hit ]; do
		next_nth
		one_try || return 1
		tries=$((tries + 1))
		[ "$errno" = OK ] || refused=$((refused + 1))
	done
	load_module && row_ends || return 1
	say "$((tries - 1)) allocations failed, one at a time; $refused times the action failed"
}

# --- main ------------------------------------------------------------------------

need_module
need test -w $faults/failslab/verbose -- "the kernel was built without CONFIG_FAILSLAB"
need test -w $faults/fail_page_alloc/verbose -- "the kernel was built without CONFIG_FAIL_PAGE_ALLOC"
need test -w /proc/self/fail-nth -- "there is no /proc/self/fail-nth"
need which gcc -- "gcc is missing"
check_needs
build_tool fail_nth || exit 1
answer=$tools/answer
kthreadd=$(awk '$1 == "kthreadd" { print FILENAME }' /proc/[0-9]/comm | tr -dc '0-9')
log_may_have_failed_allocations
begin
fail_all_kinds
find_target
fragment=$(fragment_line "$target")
max_order=$(fact caps max_page_order)
chunk=$(cat "$FRAGBED_DIR/map_chunk")
ktap_start
echo "$rows" | sed 1d >"$tools/rows"
number=0 wanted=1
while IFS='|' read -r row_needs row_action row_file row_line row_errnos <&3; do
	[ -n "$row_needs" ] || continue
	number=$((number + 1))
	[ $# -eq 0 ] || case " $* " in *" $number "*) ;; *) continue ;; esac
	wanted=$((wanted + 1))
	desc="$number: $row_action $row_file '$row_line'"
	case $row_file in
	spb/*) have_feature spb || {
		skip "$desc" "$(fact caps spb)"
		continue
	} ;;
	esac
	expect "$desc" until_none_is_left
done 3<"$tools/rows"
expect "the log is clean" log_check
finish $wanted
