#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# oom.sh: someone takes all memory there is beside what the knobs take. Ours goes first,
# that one second, and nobody else. KTAP on stdout.
#
# shellcheck disable=SC2317,SC2329  # cases are called by name

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/disturb.sh"

# --- helpers -----------------------------------------------------------------

# Holds all that it reads, since there is no line in it, and is the first to be killed.
start_hog() {
	(
		echo 1000 >/proc/self/oom_score_adj
		exec busybox tail -n 1 /dev/zero >/dev/null 2>&1
	) &
	hog=$!
}

hog_is_killed() {
	wait "$hog"
	hog_status=$?
	say "the hog ended with $hog_status"
	[ "$hog_status" -eq 137 ]
}

ours_went_first() { dmesg | sed -n "/$lib_mark/,\$p" | grep -q 'fragbed: out of memory: gave back'; }

# Begins a new stretch of the log: what OOM has to say is looked at in each case.
beside_a_hog() {
	log_mark
	start_hog
	"$@"
	hog_is_killed && is_true_after
}

# --- cases -------------------------------------------------------------------

fragment_on_and_on() {
	ended=
	while kill -0 "$hog" 2>/dev/null; do
		knob fragment/run "order=2 index=1000 unmovable=50 seed=1 force=1"
		ended="$ended $knob_errno"
		knob fragment/free 1
	done
	say "fragment/run:$ended"
}

case_fragmentation() {
	beside_a_hog fragment_on_and_on || return 1
	for errno in $ended; do
		case $errno in OK | EINTR | ENOMEM | ENOSPC) ;; *) return 1 ;; esac
	done
}

wait_for_hog() {
	while kill -0 "$hog" 2>/dev/null; do
		sleep 0.1
	done
}

case_holds() {
	must_knob hold/alloc "set=u type=unmovable order=0 count=$(($(free_pages) / 3)) force=1"
	must_knob hold/alloc "set=m type=movable order=0 count=$(($(free_pages) / 3)) force=1"
	beside_a_hog wait_for_hog && ours_went_first
}

case_churn_and_keeping() {
	must_knob fragment/churn "start rate=100000 order=1 unmovable=50 cpus=0 seed=1"
	must_knob fragment/keep "start order=4 index=900 unmovable=50 rate=300000 cpus=0 seed=1"
	sleep 1
	log_mark
	start_hog
	wait_for_hog
	hog_is_killed && ours_went_first &&
		[ "$(fact fragment/churn_status yielded) $(fact fragment/keep_status yielded)" = "yes yes" ] &&
		[ "$(fact fragment/churn_status pages_held) $(fact fragment/keep_status pages_held)" = "0 0" ] &&
		is_true_after
}

# --- main ------------------------------------------------------------------------

need test "$(id -u)" = 0 -- "must be root"
need test -f "${FRAGBED_MODULE:-}" -- "FRAGBED_MODULE names no fragbed.ko"
need test "${FRAGBED_FORCE:-}" = 1 -- "runs out of memory: only for a guest"
check_needs
log_may_have_failed_allocations
begin
ktap_start
for name in fragmentation holds churn_and_keeping; do
	row_begins
	expect "out of memory beside $(echo $name | tr _ ' ')" "case_$name"
	expect "the log is clean" log_check
	expect "all is given back" row_ends
done
finish 9
