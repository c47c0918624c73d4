#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs measure.py in a guest, which leaves its results in $FRAGBED_OUT/run.json. Works on any
# x86_64 kernel with 1 GiB pages; fragbed.ko is not needed.
#
#   FRAGBED_JOB_WORKLOAD=files   or buffers, build
#   FRAGBED_JOB_SEED=1 FRAGBED_JOB_ROUNDS=1 FRAGBED_JOB_PERCENT=52
#   FRAGBED_JOB_DEFRAG_MODE=0    vm.defrag_mode
#
# Exit: 0 done, 1 failed, 4 requirement missing.

. "$(dirname "$0")/../lib/lib.sh"

modules=$(dirname "${FRAGBED_MODULE:-none}")
gigantic=/sys/kernel/mm/hugepages/hugepages-1048576kB

need test "$(id -u)" = 0 -- "must be root"
need test -d $gigantic -- "no 1 GiB pages: the processor or CONFIG_HUGETLBFS"
need test -r /proc/kpageflags -- "no /proc/kpageflags: CONFIG_PROC_PAGE_MONITOR"
need test -f /proc/sys/vm/defrag_mode -- "no vm.defrag_mode"
need which python3 -- "python3 is missing"
check_needs

log_mark
if ! insmod "$modules/fragbed_drain.ko"; then
	say "without fragbed_drain.ko free pages on per-cpu lists count as used by the kernel"
fi
busybox ip link set lo up
mkdir -p /run/scratch
mount -t tmpfs -o size=100%,nr_inodes=0 tmpfs /run/scratch || exit 1
at_exit 'umount /run/scratch'
setting /proc/sys/vm/defrag_mode "${FRAGBED_JOB_DEFRAG_MODE:-0}"
status=0
python3 "$(dirname "$0")/measure.py" "${FRAGBED_OUT:?}/run.json" --scratch /run/scratch \
	--load "${FRAGBED_JOB_WORKLOAD:-files}" --seed "${FRAGBED_JOB_SEED:-1}" \
	--percent "${FRAGBED_JOB_PERCENT:-52}" --rounds "${FRAGBED_JOB_ROUNDS:-1}" || status=1
log_check || status=1
exit $status
