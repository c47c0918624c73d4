#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Atomic allocations of order 0 to 3 while little memory is free. The steps and their sizes
# depend on the seed alone, so that report.py can compare two kernels: $FRAGBED_OUT/steps has
# a line "step order count ok|fail" for each step.
#
# An allocation that fails is no failure here, but the kernel logs each at length: the guest
# needs log_buf_len=4M on its command line.
# Exit: 0 done, 1 failed, 4 cannot run here.

. "$(dirname "$0")/../../lib/scenario.sh"

steps=$FRAGBED_JOB_STEPS
seed=$FRAGBED_JOB_SEED
out=${FRAGBED_OUT:?}
random=$seed

# The module refuses to go below this many free pages, so the kernel would see no request.
floor() {
	awk '$1 == "high" { sum += $2 } $1 == "managed" { sum += int($2 / 64) } END { print sum }' /proc/zoneinfo
}

# A step allocates 192 pages at most, all sets together 3072.
room=6144
slack=512

# keep_tight ROOM: brings free memory to ROOM pages above the floor, more or less $slack.
keep_tight() {
	target=$((floor + $1))
	tries=0
	while [ "$(free_pages)" -lt $((target - slack)) ] && [ $tries -lt 50 ]; do
		knob hold/free "set=fill random=10 seed=$tries"
		tries=$((tries + 1))
	done
	while [ "$(free_pages)" -gt $((target + slack)) ] && [ $tries -lt 1000 ]; do
		spare=$(($(free_pages) - target))
		knob hold/alloc "set=fill type=movable order=0 count=$((spare > 8192 ? 8192 : spare)) $force" || return 1
		tries=$((tries + 1))
	done
	[ "$(free_pages)" -ge $((target - slack)) ]
}

# Unmovable pages among movable ones, with random holes in both.
mix() {
	number=0
	while [ $number -lt 8 ]; do
		must_knob hold/alloc "set=base type=unmovable order=0 count=1024 $force"
		must_knob hold/alloc "set=fill type=movable order=0 count=8192 $force"
		number=$((number + 1))
	done
	must_knob hold/free "set=base random=300 seed=$seed"
	keep_tight $((room / 2)) || refuse "memory could not be filled"
	must_knob hold/free "set=fill random=15 seed=$seed"
}

held=' '

# The random numbers come first: they must not depend on which allocations succeed.
step() {
	dice 16
	name=atomic$dice
	dice 4
	order=$dice
	dice 24
	count=$((dice + 1))
	case $held in
	*" $name "*) must_knob hold/free "set=$name" ;;
	*) held="$held$name " ;;
	esac
	if knob hold/alloc "set=$name type=unmovable order=$order count=$count gfp=atomic $force"; then
		echo "$1 $order $count ok" >>"$out/steps"
		return 0
	fi
	[ "$knob_errno" = ENOMEM ] || {
		say "step $1: $knob_errno"
		return 1
	}
	held=$(echo "$held" | sed "s/ $name / /")
	failed=$((failed + 1))
	echo "$1 $order $count fail" >>"$out/steps"
}

# Each failure fills dozens of lines of the log.
check_log() {
	log_check || return 1
	log_mark
}

# In between, some movable pages are freed and allocated elsewhere.
run_steps() {
	number=0
	while [ $number -lt "$steps" ]; do
		number=$((number + 1))
		step $number || return 1
		[ $((number % 8)) -eq 0 ] || continue
		dice 1000
		must_knob hold/free "set=fill random=5 seed=$dice"
		keep_tight $room || refuse "step $number: $(free_pages) pages are free, not $((floor + room))"
		[ $((number % 40)) -ne 0 ] || check_log || return 1
	done
}

need_module
check_needs
log_may_have_failed_allocations
log_mark
load_module || exit 1
at_exit 'knob reset 1'
# Per-cpu lists may hold an eighth of memory, which the watermarks do not count as free.
setting /proc/sys/vm/percpu_pagelist_high_fraction 1000
: >"$out/steps"
failed=0
floor=$(floor)
mix
scenario_meta >"$out/meta"
say "atomic: $steps steps, seed $seed, kernel $(uname -r), $(free_pages) pages free, $floor is the floor"
status=0
run_steps || status=1
say "$failed of $number steps failed"
knob reset 1
unload_module || status=1
log_check || status=1
finish_one $status
