#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kunit_faults.sh [SUITE...]: each suite of ours is run again and again, and each time one
# allocation of the kernel fails, a later one than the time before. Its cases may fail then,
# with their reasons, but the kernel must not: the log stays clean, and when nothing fails
# any more no more cases fail than did at first, and the memory is back. KTAP on stdout.
# For a guest that was started with kunit.enable=1 kunit.autorun=0.
#
#   FRAGBED_JOB_POINTS=5    how many allocations of each kind are made to fail, per suite
#
# shellcheck disable=SC2317,SC2329  # cases are called by name

. "$(dirname "$0")/../../lib/lib.sh"

points=${FRAGBED_JOB_POINTS:-5}
# Less than a superpageblock: a suite may keep a pageblock or two of those that it was to
# free when it was stopped, and KASAN keeps some of what was freed.
slack=3072
faults=/sys/kernel/debug
suites=/sys/kernel/debug/kunit

# --- helpers -----------------------------------------------------------------

# It is the first allocation after @$2 others of the kind $1.
fail_one() {
	echo "$2" >"$faults/$1/interval"
	echo 1 >"$faults/$1/times"
	echo 100 >"$faults/$1/probability"
}

fail_none() {
	echo 0 >"$faults/failslab/probability"
	echo 0 >"$faults/fail_page_alloc/probability"
}

# Pages free, or cache of files: what was reclaimed for one suite is read again for the next.
not_in_use() {
	awk '/^nr_(free_pages|(in)?active_file) / { sum += $2 } END { print sum }' /proc/vmstat
}

# The shell writes itself: a program that is started would fail in place of the suite.
run_suite() { echo 1 >"$suites/$suite/run"; }

# Sets $bad to how many cases failed in the last run.
read_result() {
	bad=$(log_since_mark | sed -n 's/.*# Totals: pass:[0-9]* fail:\([0-9]*\) .*/\1/p' | tail -n 1)
	[ -n "$bad" ]
}

# The first allocation after @$2 others of the kind $1. All is open before that: it is
# the suite that is to fail.
one_point() {
	exec 3>"$suites/$suite/run"
	{
		fail_one "$1" "$2"
		echo 1 >&3
		fail_none
	} 2>/dev/null
	exec 3>&-
	read -r left <"$faults/$1/times"
	hits=$((hits + (left == 0)))
	read_result && [ "$bad" -le "$usual" ] || failed=$((failed + 1))
}

# In a busy kernel a case may fail by chance: the best of three.
as_good_as_before() {
	for _ in 1 2 3; do
		run_suite && read_result || return 1
		[ "$bad" -gt "$usual" ] || return 0
	done
	return 0
}

# Some cases want a kernel that has just booted, and fail here in any case.
survives() {
	hits=0 failed=0 at=1 free=$(not_in_use)
	run_suite && read_result || return 1
	usual=$bad
	for point in $(seq "$points"); do
		one_point failslab "$at"
		one_point fail_page_alloc "$at"
		at=$((at * 6 + point % 2))
	done
	as_good_as_before || return 1
	lost=$((free - $(not_in_use)))
	say "$suite: $hits allocations failed, $failed times more cases than usual did;" \
		"before it $usual, after it $bad; $lost pages of $free less are free"
	[ "$hits" -gt 0 ] && [ "$bad" -le "$usual" ]
}

# What was freed last may take a while.
memory_is_back() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		lost=$((free_at_first - $(not_in_use)))
		[ "$lost" -gt "$slack" ] || break
		sleep 1
	done
	say "$lost pages of $free_at_first less are free"
	[ "$lost" -le "$slack" ]
}

# --- main ------------------------------------------------------------------------

need test "$(id -u)" = 0 -- "must be root"
need test -w $faults/failslab/verbose -- "the kernel was built without CONFIG_FAILSLAB"
need test -d $suites -- "there are no suites: start the guest with kunit.enable=1 kunit.autorun=0"
check_needs
for kind in failslab fail_page_alloc; do
	setting $faults/$kind/ignore-gfp-wait N
	setting $faults/$kind/verbose 0
done
setting $faults/fail_page_alloc/ignore-gfp-highmem N
setting $faults/fail_page_alloc/min-order 0
at_exit fail_none
log_may_have_failed_allocations
ktap_start
# shellcheck disable=SC2046  # names
[ $# -gt 0 ] || set -- $(cd $suites && echo fragbed_*)
free_at_first=$(not_in_use)
for suite; do
	log_mark
	expect "$suite survives, and is as good after it" survives
	expect "the log is clean" log_check
done
expect "the memory is back" memory_is_back
finish $(($# * 2 + 1))
