# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # $work, $log, $built are the caller's
#
# tools/kunit.sh and tools/guest.sh report failures, crashes, hangs and skips.

canary() { "$TOOLS/kunit.sh" --kernel "$built" --out "$work/kunit" --limit "${limit:-60}" "canary.$1"; }

test_suite_passes() { exits 0 canary passes && says "1 passed, 0 failed, 0 skipped: passed"; }
test_suite_fails() { exits 1 canary fails && says "FAIL canary.fails"; }
test_suite_skips() { exits 4 canary skips && says "SKIP canary.skips: on purpose"; }
test_suite_warns() { exits 1 canary warns && says "kernel log:" && says "WARNING: "; }
test_suite_crashes() { exits 3 canary crashes && says "MISSING canary.crashes"; }
test_suite_hangs() { limit=4 exits 124 canary hangs && says "time limit"; }
test_no_test_ran() { exits 5 canary nothing && says "no test ran"; }
test_one_bad_of_two() { exits 1 canary '[pf]a*s' && says "1 passed, 1 failed"; }

test_reports_are_left() {
	exits 0 canary passes &&
		grep -q '"passes"' "$work/kunit/uml/kunit.json" &&
		grep -q 'testcase' "$work/kunit/uml/kunit.xml" &&
		grep -q 'ok 1 passes' "$work/kunit/uml/kernel.log"
}

# A case that is listed and never reported. No kernel does this, hence the synthetic report.
test_case_goes_missing() {
	exits 3 python3 -c '
import sys
sys.path.insert(0, sys.argv[1])
import suites
report = {"sub_groups": [{"name": "s", "test_cases": [{"name": "a", "status": "PASS"}]}]}
result = suites.Result("uml", ["s.a", "s.b"], 0, [], report)
result.show()
sys.exit(result.exit_code())' "$TOOLS" && says "MISSING s.b"
}

test_skipped_in_every_config() {
	printf '{"skipped": {"a.b": "no memory", "a.c": "x"}}' >"$work/1"
	printf '{"skipped": {"a.b": "no zone"}}' >"$work/2"
	exits 1 "$TOOLS/suites.py" compare "$work/1" "$work/2" && says "FAIL a.b" && ! says "a.c"
}

# guest SCRIPT-TEXT [ARGS...]; run_guest replaces this shell.
guest() { (run_guest "$@"); }
run_guest() {
	mkdir -p "$work/out"
	printf '#!/bin/sh\n%s\n' "$1" >"$work/out/job.sh"
	chmod +x "$work/out/job.sh"
	exec "$TOOLS/guest.sh" --kernel "$built" --out "$work/out" --timeout "${limit:-60}" "$work/out/job.sh" "${@:2}"
}

test_guest_exit_code() { exits 7 guest 'exit 7'; }
test_guest_arguments() { exits 0 guest "echo \"\$2 \$1\"" 'two  words' end && says 'end two  words'; }
test_guest_panic() { exits 3 guest 'echo c >/proc/sysrq-trigger' && says "the kernel died"; }
test_guest_power_off() { exits 3 guest 'busybox poweroff -f' && says "without an exit code"; }
test_guest_hang() { limit=4 exits 124 guest 'sleep 1000' && says "time limit"; }

test_guest_without_script() {
	exits 1 "$TOOLS/guest.sh" --kernel "$built" --out "$work/out" nowhere &&
		says "no scenario, test or command 'nowhere'; there are: atomic " && says " knobs "
}

test_guest_runs_a_command() {
	exits 0 "$TOOLS/guest.sh" --kernel "$built" --out "$work/out" busybox echo "it runs" &&
		says "it runs"
}

test_guest_output_folder() {
	exits 0 guest "echo written >\"\$FRAGBED_OUT/file\"" && grep -qx written "$work/out/file"
}

test_guest_reads_only() {
	exits 0 guest "! touch \"\$FRAGBED_REPO/Makefile\" && ! touch /etc/hostname"
}

# checked_guest KERNEL-ARGS COMMANDS: runs the commands between log_mark and log_check.
checked_guest() {
	mkdir -p "$work/out"
	cat >"$work/out/job.sh" <<-END
		. "\$FRAGBED_REPO/debugfs-scripts/lib/lib.sh"
		log_mark
		$2
		log_check || exit 9
	END
	"$TOOLS/guest.sh" --kernel "$built" --out "$work/out" --timeout 120 --args "$1" /bin/sh "$work/out/job.sh"
}

test_clean_log() { exits 0 checked_guest "" "echo nothing special >/dev/kmsg"; }
test_bug_in_log() { exits 9 checked_guest "" "echo 'BUG: on purpose' >/dev/kmsg" && says "BUG: on purpose"; }
test_lockdep_in_log() {
	exits 9 checked_guest "" "echo 'WARNING: possible circular locking dependency detected' >/dev/kmsg"
}
test_leak_in_guest() {
	exits 9 checked_guest "kunit.enable=1 kunit.filter_glob=canary.leaks kmemleak=on" : &&
		says "unreferenced object" && says "kunit_try_catch"
}

test_settings_are_restored() {
	echo "always [madvise] never" >"$work/choice"
	echo 60 >"$work/number"
	cat >"$work/job.sh" <<-END
		FRAGBED_REPO=$REPO
		. "$REPO/debugfs-scripts/lib/lib.sh"
		setting "$work/choice" never
		setting "$work/choice" always
		setting "$work/number" 0
		cat "$work/choice" "$work/number"
	END
	exits 0 sh "$work/job.sh" && says always && says 0 &&
		grep -qx madvise "$work/choice" && grep -qx 60 "$work/number"
}

test_guest_counts() {
	local counts=$work/counts/harness-guest
	export FRAGBED_COUNTS_DIR=$work/counts
	exits 0 "$TOOLS/guest.sh" --kernel "$built" --out "$work/out" --counts harness-guest \
		/bin/sh -c "echo 3 2 1 >\"\$FRAGBED_COUNTS\"" && grep -qx '3 2 1' "$counts" &&
		exits 3 "$TOOLS/guest.sh" --kernel "$built" --out "$work/out" --counts harness-guest \
			/bin/sh -c 'busybox poweroff -f' && grep -qx '0 1 0' "$counts"
}

# Starts a guest that boots and sleeps, as process $pid.
start_sleeper() {
	run_guest "echo up >\"\$FRAGBED_OUT/up\"; sync; sleep 1000" >"$log" 2>&1 &
	pid=$!
	wait_for test -s "$work/out/up"
}

# process_with TEXT...: the process whose arguments contain all the texts, if there is one.
process_with() {
	local file text
	for file in /proc/[0-9]*/cmdline; do
		for text; do
			grep -qsF -- "$text" "$file" || continue 2
		done
		basename "$(dirname "$file")"
	done
}

ends_with() {
	local wanted=$1 rc=0
	wait "$pid" || rc=$?
	sleep 0.3
	[ $rc -eq "$wanted" ] && [ -z "$(process_with "FRAGBED_RUN=$CACHE/run/$pid-")" ]
}

test_guest_does_not_outlive_a_signal() {
	local pid
	start_sleeper && kill -TERM "$pid" && ends_with 143 && ! ls -d "$CACHE/run/$pid-"* 2>/dev/null
}

test_guest_does_not_outlive_its_starter() {
	local pid
	start_sleeper && kill -KILL "$(process_with boot.py "$CACHE/run/$pid-")" && ends_with 137
}

test_two_guests_at_once() {
	local first second
	(work=$work/a guest "sleep 1; echo a >\"\$FRAGBED_OUT/file\"") >"$work/a.log" 2>&1 &
	first=$!
	(work=$work/b guest "sleep 1; echo b >\"\$FRAGBED_OUT/file\"") >"$work/b.log" 2>&1 &
	second=$!
	wait "$first" && wait "$second" && grep -qx a "$work/a/out/file" && grep -qx b "$work/b/out/file"
}

test_real_two_runs_at_once() {
	local first second
	"$TOOLS/kunit.sh" --out "$work/a" canary.passes >"$work/a.log" 2>&1 &
	first=$!
	"$TOOLS/kunit.sh" --out "$work/b" canary.passes >"$work/b.log" 2>&1 &
	second=$!
	wait "$first" && wait "$second" && grep -q "1 passed" "$work/a.log" && grep -q "1 passed" "$work/b.log"
}

# If dpkg-query fails, all packages are missing; packages.sh names them and installs nothing.
test_missing_package_is_named() {
	mkdir -p "$work/bin"
	printf '#!/bin/sh\nexit 1\n' >"$work/bin/dpkg-query"
	chmod +x "$work/bin/dpkg-query"
	PATH=$work/bin:$PATH FRAGBED_NO_INSTALL=1 exits 1 "$TOOLS/packages.sh" run &&
		says "sudo apt-get install -y --no-install-recommends gcc"
}
