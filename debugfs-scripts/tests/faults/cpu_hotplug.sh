#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# cpu_hotplug.sh: CPU 1 goes offline and online while the module's threads are bound to it,
# and while superpageblocks are defragmented, if there are any. Prints KTAP.
#
#   FRAGBED_JOB_ROUNDS=20   times that the CPU goes offline in each case
#
# shellcheck disable=SC2317,SC2329  # cases are called by name

. "$(dirname "$0")/../../lib/lib.sh"
. "$(dirname "$0")/disturb.sh"

rounds=${FRAGBED_JOB_ROUNDS:-20}
cpu1=/sys/devices/system/cpu/cpu1/online
both='rate=200000 order=2 unmovable=50 cpus=0-1 seed=1'

# --- helpers -----------------------------------------------------------------

cpu1_is() { echo "$1" >"$cpu1" && [ "$(cat "$cpu1")" = "$1" ]; }

# turned COMMAND...: repeats the command until CPU 1 was offline $rounds times. Sets $times to
# the number of runs.
turned() {
	{
		turn=0
		while [ "$turn" -lt "$rounds" ] && cpu1_is 0 && cpu1_is 1; do
			turn=$((turn + 1))
		done
		echo "$turn" >"$tools/turns"
	} &
	turner=$!
	times=0
	while kill -0 "$turner" 2>/dev/null; do
		"$@" || break
		times=$((times + 1))
	done
	wait "$turner"
	say "CPU 1 was offline $(cat "$tools/turns") times, $times times: $*"
	[ "$(cat "$tools/turns")" -eq "$rounds" ] && [ "$times" -gt 0 ]
}

churns() { [ "$(fact fragment/churn_status running)" = yes ]; }
keeps() { [ "$(fact fragment/keep_status running)" = yes ]; }

# goes_on FILE NAME: the value grows. Threads whose CPU is offline run elsewhere.
goes_on() {
	before=$(fact "$1" "$2")
	tries=0
	until [ "$(fact "$1" "$2")" -gt "$before" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 50 ] || return 1
		sleep 0.1
	done
}

# --- cases -------------------------------------------------------------------

case_churn_outlives_its_cpu() {
	must_knob fragment/churn "start rate=20000 order=1 unmovable=50 cpus=1 seed=1 limit_kb=8192"
	cpu1_is 0 && churns && goes_on fragment/churn_status allocated && cpu1_is 1 &&
		goes_on fragment/churn_status allocated
}

case_churn_stops_while_its_cpu_is_gone() {
	must_knob fragment/churn "start rate=20000 order=1 unmovable=50 cpus=0-1 seed=1 limit_kb=8192"
	cpu1_is 0 && knob fragment/churn stop && [ "$(fact fragment/churn_status pages_held)" = 0 ] && cpu1_is 1
}

case_keeping_outlives_its_cpu() {
	must_knob fragment/keep "start order=4 index=900 unmovable=100 rate=100000 cpus=1 seed=1"
	cpu1_is 0 && keeps && goes_on fragment/keep_status planted && cpu1_is 1 && keeps
}

case_a_cpu_that_is_gone_is_enxio() {
	cpu1_is 0 || return 1
	knob fragment/churn "start rate=10 order=0 unmovable=0 cpus=1 seed=1"
	churn_errno=$knob_errno
	knob fragment/keep "start order=4 index=900 unmovable=100 rate=10 cpus=1 seed=1"
	cpu1_is 1 && [ "$churn_errno $knob_errno" = "ENXIO ENXIO" ]
}

start_and_stop() {
	knob fragment/churn "start $both" || [ "$knob_errno" = ENXIO ] || return 1
	knob fragment/keep "start order=4 index=900 unmovable=100 rate=100000 cpus=0-1 seed=1" ||
		[ "$knob_errno" = ENXIO ] || return 1
	knob fragment/churn stop && knob fragment/keep stop
}

case_churn_and_keeping_start_and_stop() { turned start_and_stop; }

hold_and_fragment() {
	knob hold/alloc "set=u type=unmovable order=3 count=100" &&
		knob hold/alloc "set=m type=movable order=0 count=1000" || [ "$knob_errno" = EOPNOTSUPP ] || return 1
	knob fragment/run "order=4 index=200 unmovable=100 seed=1" && knob reset 1
}

case_holds_and_fragmentation() { turned hold_and_fragment; }

case_compaction_beside_churn() {
	must_knob fragment/churn "start $both"
	turned knob compact/run "order=9 type=movable"
}

defrag_once() {
	with_tainted_spb && knob spb/defrag "$spb" && knob spb/evacuate "spb=clean pages=1024" && knob reset 1
}

case_defragmentation() { turned defrag_once; }

# --- main ------------------------------------------------------------------------

need_module
need test -w $cpu1 -- "no CPU 1 that can go offline: the kernel lacks CONFIG_HOTPLUG_CPU or has one CPU"
check_needs
# KASAN's quarantine holds what threads free when they end.
noise=$((noise + $(kasan_pages)))
mkdir -p "$tools"
begin
setting $cpu1 1
ktap_start
for name in churn_outlives_its_cpu churn_stops_while_its_cpu_is_gone keeping_outlives_its_cpu \
	a_cpu_that_is_gone_is_enxio churn_and_keeping_start_and_stop holds_and_fragmentation \
	compaction_beside_churn; do
	row_begins
	expect "$(echo $name | tr _ ' ')" "case_$name"
	expect "all pages are freed" eval 'is_true_after && row_ends'
done
if have_feature spb; then
	expect "defragmentation" case_defragmentation
	expect "all pages are freed" eval 'is_true_after && row_ends'
else
	skip "defragmentation" "$(fact caps spb)"
	skip "all pages are freed" "$(fact caps spb)"
fi
expect "the log is clean" log_check
finish 17
