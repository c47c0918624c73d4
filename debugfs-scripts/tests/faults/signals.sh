#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# signals.sh [ROW...]
#
# Sends SIGINT, SIGTERM and SIGKILL to writers of each knob that waits or takes long, at many
# moments from its first to its last microsecond. Prints KTAP. A ROW is a line number of the
# table.
#
#   FRAGBED_JOB_MOMENTS=12   per row and signal
#
# shellcheck disable=SC2016,SC2034,SC2317,SC2329  # rows are made lines, and call by name

. "$(dirname "$0")/../../lib/lib.sh"
. "$(dirname "$0")/disturb.sh"

moments=${FRAGBED_JOB_MOMENTS:-12}
much=8192

# Setup | file | line, none: read the file | EINTR if a signal must end it at least once
#
# Lines that wait for threads to end or free memory do not stop at a signal.
rows='
nothing|hold/alloc|set=x type=unmovable order=0 count=30000|EINTR
nothing|hold/alloc|set=x type=movable order=0 count=30000 stride=2|EINTR
nothing|hold/alloc|set=x type=reclaimable order=1 count=60000|EINTR
holds|hold/free|set=all every=2|
holds|hold/free|set=all|
nothing|fragment/run|order=3 index=1000 unmovable=50 seed=1|EINTR
nothing|fragment/run|order=1 index=1000 unmovable=0 seed=1 force=1|EINTR
fragmented|fragment/free|1|
nothing|fragment/churn|$churn_line|
churn|fragment/churn|stop|
nothing|fragment/keep|$keep_line|
keep|fragment/keep|stop|
scattered|compact/run|order=$max_order type=movable|
all|map||
all|hold/sets||
all|reset|1|
tainted_spbs|spb/defrag|spb=tainted|EINTR
clean_spb|spb/evacuate|spb=clean|EINTR
empty_spb|spb/taint|$spb pages=4000 set=x|EINTR
nothing|spb/table||
nothing|spb/check||
'

# --- helpers -----------------------------------------------------------------

# Pages of an SPB may be busy for a moment: it is tried again.
with_tainted_spbs() {
	number_of=0
	must_knob hold/alloc "set=m type=movable order=0 count=$((much * 4))"
	while [ "$number_of" -lt 6 ] && pick_spb '$5 == "clean" && $6 == $7 && $8 == 0'; do
		number_of=$((number_of + 1))
		knob spb/taint "$spb pages=1 set=t" || [ "$knob_errno" = EBUSY ] || return 1
	done
}

# act SIGNAL MICROSECONDS: sets $errno and $took.
act() {
	"with_$row_needs" || return 1
	held=$(held_now)
	eval "set -- $1 $2 '$FRAGBED_DIR/$row_file' ${row_line:+\"$row_line\"}"
	"$tools/signal_after" "$@" >"$answer" || return 1
	read -r errno took <"$answer"
}

# A write that a signal ended keeps no pages; any other one is complete.
one_try() {
	act "$1" "$2" || return 1
	case $errno in
	EINTR) [ -n "$row_errnos" ] && [ "$(held_now)" = "$held" ] && is_true_after ;;
	OK | killed) is_true_after ;;
	*) false ;;
	esac && return 0
	say "signal $1 after $2 us: $errno after $took us, and then:"
	sed 's/^/#   /' "$FRAGBED_DIR/hold/sets"
	return 1
}

# How long the line takes without a signal; number 0 is none.
measure() {
	act 0 0 && [ "$errno" = OK ] && is_true_after && return 0
	say "undisturbed: $errno"
	return 1
}

# sweep SIGNAL: counts in $ended the writes that the signal ended.
sweep() {
	moment=0
	while [ "$moment" -lt "$moments" ]; do
		one_try "$1" $((moment * whole / moments)) || return 1
		[ "$errno" != EINTR ] || ended=$((ended + 1))
		moment=$((moment + 1))
	done
}

sweep_all() {
	row_begins && measure || return 1
	whole=$took ended=0
	for signal in 2 15 9; do
		sweep "$signal" || return 1
	done
	row_ends || return 1
	say "takes $whole us, $((moments * 3)) signals, $ended times EINTR"
	[ -z "$row_errnos" ] || [ "$ended" -gt 0 ]
}

# --- main ------------------------------------------------------------------------

need_module
need which gcc -- "gcc is missing"
check_needs
build_tool signal_after || exit 1
answer=$tools/answer
begin
find_target
max_order=$(fact caps max_page_order)
ktap_start
echo "$rows" | sed 1d >"$tools/rows"
number=0 wanted=1
while IFS='|' read -r row_needs row_file row_line row_errnos <&3; do
	[ -n "$row_needs" ] || continue
	number=$((number + 1))
	[ $# -eq 0 ] || case " $* " in *" $number "*) ;; *) continue ;; esac
	wanted=$((wanted + 1))
	desc="$number: signals to $row_file '$row_line'"
	case $row_file in
	spb/*) have_feature spb || {
		skip "$desc" "$(fact caps spb)"
		continue
	} ;;
	esac
	expect "$desc" sweep_all
done 3<"$tools/rows"
expect "the log is clean" log_check
finish $wanted
