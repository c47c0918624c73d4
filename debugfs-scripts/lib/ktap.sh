# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# Part of lib.sh: KTAP, and how a script ends.

lib_passed=0
lib_failed=0
lib_skipped=0

ktap_start() { echo 'KTAP version 1'; }

lib_number() { echo $((lib_passed + lib_failed + lib_skipped)); }

pass() {
	lib_passed=$((lib_passed + 1))
	echo "ok $(lib_number) - $1"
}

fail() {
	lib_failed=$((lib_failed + 1))
	echo "not ok $(lib_number) - $1"
}

skip() {
	lib_skipped=$((lib_skipped + 1))
	echo "ok $(lib_number) - $1 # SKIP $2"
}

# expect DESC TEST...: pass or fail by the exit status of the test.
expect() {
	lib_desc=$1
	shift
	if "$@"; then
		pass "$lib_desc"
	else
		fail "$lib_desc"
	fi
}

# finish EXPECTED: prints the plan, writes the counts and exits: 0 passed, 1 a case failed
# or the number of cases is not the expected one, 4 all skipped.
finish() {
	echo "1..$(lib_number)"
	echo "# $lib_passed passed, $lib_failed failed, $lib_skipped skipped"
	[ "$(lib_number)" -eq "$1" ] || {
		say "expected $1 cases, ran $(lib_number)"
		lib_failed=$((lib_failed + 1))
	}
	echo "$lib_passed $lib_failed $lib_skipped" >"${FRAGBED_COUNTS:-/dev/null}"
	[ "$lib_failed" -eq 0 ] || exit 1
	[ "$lib_passed" -gt 0 ] || exit 4
	exit 0
}

# finish_one STATUS: writes the counts of a script that is one test, and exits.
finish_one() {
	echo "$((1 - $1)) $1 0" >"${FRAGBED_COUNTS:-/dev/null}"
	exit "$1"
}
