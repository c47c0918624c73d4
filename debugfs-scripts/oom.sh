#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# oom.sh: someone takes all memory there is beside what the knobs take. Ours goes first,
# that one second, and nobody else. KTAP on stdout.
#
# shellcheck disable=SC2016,SC2317,SC2329  # cases are called by name

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/disturb.sh"

# --- helpers -----------------------------------------------------------------

# Fills a file that goes with it, and is the first to be killed. Not memory of its own:
# each page of that may be a mapping of the host in UML, and of these there are 65530.
start_hog() {
	(
		echo 1000 >/proc/self/oom_score_adj
		exec busybox sh -c 'exec 9>"$1/hog" && rm "$1/hog" && exec busybox cat /dev/zero >&9' hog "$files"
	) 2>/dev/null &
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
files=${TMPDIR:-/tmp}/fragbed-hog
mkdir -p "$files"
mount -t tmpfs -o size=200% hog "$files" || exit 1
at_exit "umount '$files'"
begin
ktap_start
for name in fragmentation holds churn_and_keeping; do
	row_begins
	expect "out of memory beside $(echo $name | tr _ ' ')" "case_$name"
	expect "the log is clean" log_check
	expect "all is given back" row_ends
done
finish 9
