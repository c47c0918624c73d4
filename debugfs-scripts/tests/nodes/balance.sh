#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# NUMA balancing end to end, in a guest with two nodes: which mappings of a process the
# balancing scan visits, which policy decides, and that the pages then migrate to the node
# of the process. One process per row; on node 1 it accesses memory of node 0.
#
# shellcheck disable=SC2317,SC2329  # functions are called by name

. "$(dirname "$0")/../../lib/lib.sh"

tracing=/sys/kernel/tracing
tuning=/sys/kernel/debug/sched/numa_balancing
work=${TMPDIR:-/tmp}/fragbed-balance

# mapping | task's policy | range's policy | why the scan skips it, or visited
rows='
file balance none visited
file none none visited
file bind none unsuitable
file balance bind unsuitable
file bind balance visited
anon balance none visited
anon bind none unsuitable
huge balance none unsuitable
device balance none unsuitable
readonly balance none shared_ro
closed balance none inaccessible
'

need test -w /proc/sys/kernel/numa_balancing -- "the kernel lacks CONFIG_NUMA_BALANCING"
need test "$(cat /sys/devices/system/node/node0/cpulist)" = 0 -- "CPU 0 has to be all of node 0"
need test "$(cat /sys/devices/system/node/node1/cpulist)" = 1 -- "CPU 1 has to be all of node 1"
need test -d $tracing/events/sched/sched_skip_vma_numa -- "tracefs is not mounted or has no sched_skip_vma_numa"
need test -d $tuning -- "debugfs is not mounted"
need which gcc -- "gcc is missing"
check_needs

vmstat() { awk -v name="$1" '$1 == name { print $2 }' /proc/vmstat; }
said() { awk -v name="$1" '$1 == name { print $2 }' "$work/said"; }

# Sets $updates and writes $work/said; $work/skips gets the mappings that the scan skipped.
touch_from_afar() {
	echo >"$tracing/trace"
	updates=$(vmstat numa_pte_updates)
	"$work/touch_from_afar" "$1" "$2" "$3" "$seconds" >"$work/said" || return 1
	updates=$(($(vmstat numa_pte_updates) - updates))
	grep -o 'vm_start=.*' "$tracing/trace" >"$work/skips"
}

skipped_as() { grep -q "vm_start=$(said start) .*reason=$1\$" "$work/skips"; }

# A scan that is late or pauses has other reasons than these.
was_visited() {
	[ "$updates" -ge "$(said pages)" ] &&
		! skipped_as unsuitable && ! skipped_as shared_ro && ! skipped_as inaccessible
}

# The other mappings of the process have few pages.
was_left_out() { skipped_as "$1" && [ "$updates" -lt 1024 ]; }

row_is_right() {
	touch_from_afar "$1" "$2" "$3" || return 1
	say "$1 $2 $3: $updates page table entries updated, $(said node1) of $(said pages) pages moved" \
		"$(sed -n "s/.*vm_start=$(said start) .*reason=/, skipped: /p" "$work/skips" | sort -u | tr -d '\n')"
	if [ "$4" = visited ]; then
		was_visited
	else
		was_left_out "$4"
	fi
}

pages_followed() { [ "$(said node1)" -gt $(($(said pages) / 2)) ]; }

# The scan gets a share of the process's time, most of which KASAN takes.
seconds=1.5
[ "$(kasan_pages)" = 0 ] || seconds=15

ktap_start
log_mark
mkdir -p "$work"
at_exit "rm -rf '$work'"
gcc -O2 -o "$work/touch_from_afar" "$(dirname "$0")/touch_from_afar.c" || exit 1

setting /proc/sys/kernel/numa_balancing 1
setting /proc/sys/vm/nr_hugepages 8
setting $tuning/scan_delay_ms 100
setting $tuning/scan_period_min_ms 100
setting $tracing/events/sched/sched_skip_vma_numa/enable 1

echo "$rows" | grep . >"$work/rows"
while read -r mapping task range wanted; do
	expect "$mapping, the task's policy $task, the range's $range: $wanted" \
		row_is_right "$mapping" "$task" "$range" "$wanted"
	[ "$wanted" != visited ] || expect "... and its pages follow" pages_followed
done <"$work/rows"

# Each scan continues where the last one ended; otherwise part of the mapping is never scanned.
setting $tuning/scan_size_mb 2
expect "2 MiB a scan: all is visited" row_is_right file balance none visited
expect "... and its pages follow" pages_followed
# The task's scan period is 0 until the first scan.
setting $tuning/scan_delay_ms 0
expect "no delay: all is visited" row_is_right file balance none visited
expect "... and its pages follow" pages_followed
expect "log is clean" log_check
finish 20
