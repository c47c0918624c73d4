# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # $work is the caller's
#
# The table of third-party tests, on synthetic runs: regressions are reported, flaky tests are
# not.

# said RUN KERNEL ITEM CODE LINE...: the output of an item; CODE "died" if the guest died.
said() {
	local folder=$work/run-$1/$2/$3
	mkdir -p "$folder"
	printf '%s\n' "${@:5}" >"$folder/output"
	: >"$folder/log"
	[ "$4" = died ] || printf '%s 1\n' "$4" >"$folder/ended"
	printf 'kernel=7.2\nconfig=0\nseed=1\ncommit=0\n' | tee "$work/facts-ours" >"$work/facts-mainline"
}

third_party_table() { "$TOOLS/external/third_party_table.py" "$@" "$work" mainline ours; }
both_said() { said "$1" mainline "${@:2}" && said "$1" ours "${@:2}"; }

test_third_party_same_is_not_worse() {
	both_said 1 mm/cow 0 '# ok 1 a' 'ok 1 cow' && both_said 1 mm/thp 1 'not ok 1 khugepaged # exit=1' &&
		exits 0 third_party_table && says 'fails on both' && says 'third-party: 1 passes, 1 fails on both'
}

test_third_party_measured_is_no_name() {
	said 1 mainline mm/pagemap 0 '# ok 1 a Extra pages 1 (0.0%), extra thread faults 2.' 'ok 1 pagemap_ioctl' &&
		said 1 ours mm/pagemap 0 '# ok 1 a Extra pages 3 (0.0%), extra thread faults 4.' 'ok 1 pagemap_ioctl' &&
		exits 0 third_party_table && says 'third-party: 1 passes'
}

test_third_party_failure_is_worse() {
	said 1 mainline stress-ng/vm 0 && said 1 ours stress-ng/vm 2 && exits 1 third_party_table &&
		says 'worse: stress-ng/vm: outcome: mainline pass; ours fail'
}

test_third_party_failed_check_is_worse() {
	said 1 mainline mm/cow 0 '# ok 1 a' '# not ok 2 b' 'not ok 1 cow' &&
		said 1 ours mm/cow 0 '# not ok 1 a' '# not ok 2 b' 'not ok 1 cow' &&
		exits 1 third_party_table && says 'worse: mm/cow cow: a: mainline pass; ours fail'
}

test_third_party_skip_is_worse() {
	said 1 mainline mm/cow 0 '# ok 1 a' 'ok 1 cow' && said 1 ours mm/cow 0 '# ok 1 # SKIP a' 'ok 1 cow' &&
		exits 1 third_party_table && says 'worse: mm/cow cow: a: mainline pass; ours skip'
}

test_third_party_lost_check_is_worse() {
	said 1 mainline mm/cow 0 '# ok 1 a' 'ok 1 cow' && said 1 ours mm/cow 0 'ok 1 cow' &&
		exits 1 third_party_table && says 'worse: mm/cow cow: a: mainline pass; ours fail'
}

test_third_party_report_in_the_log_is_worse() {
	both_said 1 stress-ng/vm 0 &&
		printf '# the kernel log has:\n#   [   12.3] BUG: Bad page state in process vm  pfn:12ab3\n' \
			>"$work/run-1/ours/stress-ng/vm/log" &&
		exits 1 third_party_table && says 'worse: stress-ng/vm: kernel log: BUG: Bad page state'
}

test_third_party_dead_guest_is_worse() {
	said 1 mainline trinity/vm 0 && said 1 ours trinity/vm died && exits 1 third_party_table &&
		says 'worse: trinity/vm: outcome'
}

test_third_party_chance_is_flaky() {
	local number
	both_said 1 stress-ng/vm 0 && said 1 ours stress-ng/vm 2 || return
	[ "$(third_party_table --differing)" = stress-ng/vm ] || return
	for number in 2 3 4; do
		both_said $number stress-ng/vm 0
	done
	exits 1 third_party_table && says 'flaky: stress-ng/vm' && both_said 1 stress-ng/brk 0 && exits 0 third_party_table &&
		said 3 ours stress-ng/vm 2 && exits 1 third_party_table && says 'worse: stress-ng/vm'
}

test_third_party_nothing_ran() { mkdir -p "$work/run-1/mainline" "$work/run-1/ours" && exits 1 third_party_table; }
