#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs the modules of module/bench in a guest and leaves their rows in $FRAGBED_OUT/rows, and
# boot time and memory in $FRAGBED_OUT/start.
#
#   FRAGBED_JOB_CPUS=1   how many CPUs allocate at once; with one, and only one in the
#                        guest, the hold times of the zone lock are measured, too
#
# Exit: 0 done, 1 failed, 4 requirement missing.

. "$(dirname "$0")/../lib/lib.sh"

modules=$(dirname "${FRAGBED_MODULE:-none}")
cpus=${FRAGBED_JOB_CPUS:-1}

need test "$(id -u)" = 0 -- "must be root"
need test -f "$modules/fragbed_bench.ko" -- "there is no fragbed_bench.ko"
need test "$(nproc)" -ge "$cpus" -- "there are only $(nproc) CPUs"
check_needs

# Boot time in seconds of the guest, and how much memory is left.
note_start() {
	dmesg | sed -n 's/^\[ *\([0-9.]*\)\] Run .* as init process.*/boot_seconds \1/p' | tail -n 1
	echo "total_kb $(meminfo MemTotal)"
	dmesg | sed -n 's/.*Memory: \(.*\)/memory \1/p' | head -n 1
	echo "kernel $(uname -r)"
	echo "build $(uname -v)"
	echo "cpus $(nproc)"
}

# measure MODULE [PARAMETER...]
measure() {
	lib_module=$1
	shift
	insmod "$modules/$lib_module.ko" "$@" || return 1
	rmmod "$lib_module"
}

note_start >"${FRAGBED_OUT:?}/start"
log_mark
status=0
measure fragbed_bench cpus="$cpus" || status=1
# Short per-cpu lists, so that thousands of pages do not fit in one.
setting /proc/sys/vm/percpu_pagelist_high_fraction 1000000
measure fragbed_bench cpus="$cpus" short_lists=1 || status=1
if [ "$(nproc)" = 1 ]; then
	insmod "$modules/fragbed_drain.ko" || status=1
	for load in pages drain blocks; do
		measure fragbed_hold load=$load || status=1
	done
	rmmod fragbed_drain
fi
log_since_mark | sed -n 's/.*\(fragbed_[a-z]*: .*\)/\1/p' >"$FRAGBED_OUT/rows"
cat "$FRAGBED_OUT/rows"
log_check || status=1
exit $status
