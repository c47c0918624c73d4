#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# harness-test.sh [--quick | --list] [TEST...]
#
# Tests the tools: do they report failures, crashes, hangs, skips and missing cases? Prints
# one KTAP line per test. The tests are the functions test_* of tools/harness/*.sh; --quick
# runs those that the result of every other test depends on.
#
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
. "$TOOLS/harness/expect.sh"
. "$TOOLS/harness/runner.sh"
. "$TOOLS/harness/prepare.sh"
. "$TOOLS/harness/mutants.sh"
. "$TOOLS/harness/nodes.sh"
. "$TOOLS/harness/experiment.sh"
. "$TOOLS/harness/qemu.sh"
. "$TOOLS/harness/matrix.sh"
. "$TOOLS/harness/third-party.sh"
. "$TOOLS/harness/splats.sh"

# wait_for COMMAND...: until it succeeds, for a minute or $patience seconds.
wait_for() {
	local end=$(($(seconds) + ${patience:-60}))
	while [ "$(seconds)" -lt $end ]; do
		! "$@" 2>/dev/null || return 0
		sleep 0.1
	done
	printf '# timed out waiting for: %s\n' "$*"
	return 1
}

# Each test runs in a subshell and has a folder, $work. Tests chain their steps with &&,
# since errexit has no effect in a condition.
run_test() {
	local number=$1 name=$2 rc=0
	local work=$run/$name log=$run/$name/log
	mkdir -p "$work"
	: >"$log"
	("test_$name") >"$work/notes" 2>&1 || rc=$?
	if [ $rc -eq 0 ]; then
		passed=$((passed + 1))
		printf 'ok %s %s\n' "$number" "$name"
		return
	fi
	failed=$((failed + 1))
	cat "$work/notes"
	tail -n 20 "$log" | sed 's/^/# /'
	# The failed cases of a guest's script, with the lines before them, which have the reason.
	{ grep -B 4 '^not ok' "$log" || :; } | sed 's/^/# /'
	printf 'not ok %s %s\n' "$number" "$name"
}

list_tests() { declare -F | sed -n 's/^declare -f test_//p'; }

QUICK=(suite_passes suite_fails suite_skips suite_warns suite_crashes suite_hangs no_test_ran
	case_goes_missing skipped_in_every_config guest_exit_code guest_panic guest_hang
	two_guests_at_once splats_found_by_grep splats_found_by_busybox splats_found_by_python splats_have_examples)

# For the tests: the prepared tree, and a copy of a kernel that no build replaces.
prepare_bench() {
	# shellcheck disable=SC2034
	TREE=$("$TOOLS/prepare.sh")
	built=$run/built
	mkdir -p "$built"
	"$TOOLS/build.sh" "${CONFIG:-uml}" "$built" >/dev/null
}

counts=harness
case ${1:-} in
--list) list_tests && exit ;;
--quick) counts=harness-quick && tests=("${QUICK[@]}") ;;
'') mapfile -t tests < <(list_tests) ;;
*) counts='' && tests=("$@") ;;
esac

make_run_folder
prepare_bench
passed=0 failed=0 number=0
printf 'KTAP version 1\n1..%s\n' ${#tests[@]}
for name in "${tests[@]}"; do
	number=$((number + 1))
	run_test $number "$name"
done
[ $((passed + failed)) -eq ${#tests[@]} ] || failed=$((failed + 1))
[ -z "$counts" ] || write_counts "$counts" $passed $failed 0
printf '# harness: %s passed, %s failed of %s\n' $passed $failed ${#tests[@]}
if [ $failed -gt 0 ] || [ $passed -eq 0 ]; then
	exit 1
fi
