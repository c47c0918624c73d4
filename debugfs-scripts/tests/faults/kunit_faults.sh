#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kunit_faults.sh [SUITE...]
#
# Runs each suite several times; each time one allocation of the kernel fails, a later one
# than in the run before. The suite's cases may fail then, but the log has no splat, and
# without faults no more cases fail than at first, and no memory is lost. Prints KTAP. For a
# guest that was started with kunit.enable=1 kunit.autorun=0.
#
#   FRAGBED_JOB_POINTS=5    allocations of each kind that fail, per suite
#
# shellcheck disable=SC2317,SC2329  # cases are called by name

. "$(dirname "$0")/../../lib/lib.sh"

points=${FRAGBED_JOB_POINTS:-5}
# Less than a superpageblock: a suite that is stopped may leak one or two pageblocks, and
# KASAN's quarantine holds some freed pages.
slack=3072
faults=/sys/kernel/debug
suites=/sys/kernel/debug/kunit

# --- helpers -----------------------------------------------------------------

# fail_one KIND NR: the allocation of that kind after NR other ones fails.
fail_one() {
	echo "$2" >"$faults/$1/interval"
	echo 1 >"$faults/$1/times"
	echo 100 >"$faults/$1/probability"
}

fail_none() {
	echo 0 >"$faults/failslab/probability"
	echo 0 >"$faults/fail_page_alloc/probability"
}

# Free pages and page cache: the cache that one suite reclaims is read again for the next one.
not_in_use() {
	awk '/^nr_(free_pages|(in)?active_file) / { sum += $2 } END { print sum }' /proc/vmstat
}

# The shell itself writes: a new process would fail instead of the suite.
run_suite() { echo 1 >"$suites/$suite/run"; }

# Sets $bad to the number of cases that failed in the last run.
read_result() {
	bad=$(log_since_mark | sed -n 's/.*# Totals: pass:[0-9]* fail:\([0-9]*\) .*/\1/p' | tail -n 1)
	[ -n "$bad" ]
}

# one_point KIND NR: runs the suite while fail_one is set. The file is opened before that, so
# that only the suite fails.
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

# Some cases are flaky in a busy kernel: the best of three runs.
as_good_as_before() {
	for _ in 1 2 3; do
		run_suite && read_result || return 1
		[ "$bad" -gt "$usual" ] || return 0
	done
	return 0
}

# Some cases need a kernel that has just booted, and always fail here.
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
	say "$suite: $hits allocations failed, and $failed times more cases than usual;" \
		"failing cases before: $usual, after: $bad; $lost fewer of $free pages are free"
	[ "$hits" -gt 0 ] && [ "$bad" -le "$usual" ]
}

# RCU and the quarantine free pages late.
memory_is_back() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		lost=$((free_at_first - $(not_in_use)))
		[ "$lost" -gt "$slack" ] || break
		sleep 1
	done
	say "$lost fewer of $free_at_first pages are free"
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
	expect "$suite survives, and no more cases fail afterwards" survives
	expect "the log is clean" log_check
done
expect "no memory is lost" memory_is_back
finish $(($# * 2 + 1))
