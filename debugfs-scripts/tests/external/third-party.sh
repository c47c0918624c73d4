#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# third-party.sh ITEM...: runs third-party tests in a guest, each with a time limit, on any
# kernel of x86_64. fragbed.ko is not needed.
#
#   mm/CATEGORY     the kernel's selftests of mm; CATEGORY as in run_vmtests.sh -t
#   futex/PROGRAM   its selftests of futexes
#   stress-ng/NAME  two processes of a stressor, which verify their data
#   trinity/GROUP   system calls with random arguments: vm, vfs or all
#
#   FRAGBED_JOB_SELFTESTS=DIR  the folder that tools/external/selftests.sh prints
#   FRAGBED_JOB_SEED=1
#
# Leaves in $FRAGBED_OUT a folder per item with the files output, log (kernel reports while it
# ran) and, after its end, ended (exit code and seconds).
# Exit: 0 all items ended, whatever their results; 4 a requirement is missing.

. "$(dirname "$0")/../../lib/lib.sh"

selftests=${FRAGBED_JOB_SELFTESTS:-none}
seed=${FRAGBED_JOB_SEED:-1}
scratch=/run/scratch

need test "$(id -u)" = 0 -- "must be root"
need test -x "$selftests/mm/run_vmtests.sh" -- "no selftests: give their folder in FRAGBED_JOB_SELFTESTS"
need test -b /dev/zram0 -- "no /dev/zram0: CONFIG_ZRAM"
need which stress-ng -- "stress-ng is missing"
need which trinity -- "trinity is missing"
check_needs

# The tests expect swap, control groups and a folder to write to.
furnish() {
	echo 512M >/sys/block/zram0/disksize &&
		mkswap /dev/zram0 >/dev/null && swapon /dev/zram0 &&
		at_exit 'swapoff /dev/zram0' &&
		{ mount -t cgroup2 cgroup2 /sys/fs/cgroup || return; } &&
		busybox ip link set lo up &&
		mkdir -p $scratch && cp -r "$selftests/mm" "$selftests/futex" $scratch/ && chmod 1777 $scratch
}

# busybox's setpriv lacks these options, and its timeout has other exit codes.
as_nobody() { /usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"; }

# trinity_group GROUP: without sockets, since trinity crashes while it opens them.
trinity_group() {
	group="-g $1"
	[ "$1" != all ] || group=
	# shellcheck disable=SC2086  # words
	as_nobody $limit trinity -q -l off -a64 -C 2 -N 10000 -s "$seed" --disable-fds=sockets $group
}

# seconds_for ITEM: time limit on an emulated processor.
seconds_for() {
	case $1 in
	mm/*) echo 900 ;;
	*) echo 300 ;;
	esac
}

# The exit code is that of the test.
run_item() {
	cd $scratch/ || return
	limit="/usr/bin/timeout -k 10 $(seconds_for "$1")"
	# shellcheck disable=SC2086  # the limit is words
	case $1 in
	mm/*) cd mm && $limit ./run_vmtests.sh -t "${1#mm/}" ;;
	futex/*) $limit "futex/functional/${1#futex/}" ;;
	stress-ng/*) $limit stress-ng --"${1#stress-ng/}" 2 --timeout 3 --verify --seed "$seed" --temp-path $scratch ;;
	trinity/*) trinity_group "${1#trinity/}" ;;
	*) echo "no such test: $1" && return 1 ;;
	esac
}

progress() {
	while sleep 15; do
		say "$item ... $(($(now) - start)) s"
	done
}

# Failed allocations are expected here.
log_may_have_failed_allocations
furnish || exit 1
number=0
for item; do
	number=$((number + 1))
	folder=$FRAGBED_OUT/$item
	mkdir -p "$folder"
	log_mark
	start=$(now)
	progress &
	ticker=$!
	code=0
	(run_item "$item") >"$folder/output" 2>&1 </dev/null || code=$?
	kill $ticker
	log_check >"$folder/log"
	seconds=$(($(now) - start))
	echo "$code $seconds" >"$folder/ended"
	say "$number of $#: $item: exit code $code after $seconds s"
done
