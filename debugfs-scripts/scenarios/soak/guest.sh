#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# While memory is nearly full: churn, held memory, files, compaction, defragmentation,
# evacuation and tainting in random order. Every few seconds the kernel's records of
# superpageblocks are compared with its pages.
#
# Exit: 0 done, 1 a record was wrong or the log has trouble, 4 cannot run here.

. "$(dirname "$0")/../../lib/scenario.sh"

seconds=$FRAGBED_JOB_SECONDS
seed=$FRAGBED_JOB_SEED
level=$((FRAGBED_JOB_PERCENT * 10))
files=${TMPDIR:-/tmp}/fragbed-soak
random=$seed

check_records() {
	checks=$((checks + 1))
	spb_records_are_true && return 0
	say "after $(($(now) - begun)) s"
	return 1
}

# May fail: memory may be full of what the soak holds already.
hold_some() {
	dice 4
	name=soak$dice
	knob hold/free "set=$name"
	dice 3
	type=$(type_of "$dice")
	dice 5
	[ "$type" = movable ] && dice=0
	shift_by=$dice
	dice 3000
	knob hold/alloc "set=$name type=$type order=$shift_by count=$(((dice + 100) >> shift_by)) stride=1 $force" &&
		holds=$((holds + 1))
}

compact() {
	dice 8
	order=$dice
	dice 3
	knob compact/run "order=$order type=$(type_of "$dice") prio=sync-light" &&
		compactions=$((compactions + 1))
}

# Most of the memory is in use, so that few superpageblocks have free pages.
fill() {
	while [ "$(used_permille)" -lt "$level" ]; do
		knob hold/alloc "set=fill type=movable order=0 count=2048 $force" || break
	done
}

make_holes() {
	dice 1000000
	knob hold/free "set=fill random=100 seed=$dice"
}

# Taints a random superpageblock and frees the oldest set, so that its one gets clean again.
taint_some() {
	taints=$((taints % 4 + 1))
	knob hold/free "set=taint$taints"
	dice "$(grep -vc '^#' "$FRAGBED_DIR/spb/table")"
	knob spb/taint "spb=$dice zone=Normal pages=8 set=taint$taints"
}

move_some() {
	dice 4
	case $dice in
	0) knob spb/defrag "spb=tainted zone=Normal" ;;
	1) knob spb/evacuate "spb=clean zone=Normal pages=4096" ;;
	2) taint_some ;;
	3) make_holes ;;
	esac && moves=$((moves + 1))
}

restart_churn() {
	knob fragment/churn stop
	dice 3
	order=$dice
	dice 70
	knob fragment/churn "start rate=20000 order=$order unmovable=$((dice + 20)) cpus=0 seed=$random limit_kb=262144"
}

# How many superpageblocks the unmovable pages would fill.
least_tainted() {
	awk -v pages="$pages" '!/^#/ { sum += $6 + $7 } END { print int((sum + pages - 1) / pages) }' "$FRAGBED_DIR/map"
}

report() {
	say "$1 s: $checks checks, $holds holds, $compactions compactions, $moves moves;" \
		"$(used_permille) permille in use; superpageblocks:" \
		"$(spb_count empty) empty, $(spb_count clean) clean, $(spb_count tainted) tainted, $(least_tainted) would be enough"
}

round() {
	hold_some
	write_files "$files"
	compact
	move_some
	fill
	dice 5
	[ "$dice" -ne 0 ] || restart_churn
}

soak() {
	checks=0 holds=0 compactions=0 moves=0 taints=0 reported=0
	begun=$(now)
	checked=$begun
	fill
	restart_churn
	while [ $(($(now) - begun)) -lt "$seconds" ]; do
		round
		if [ $(($(now) - checked)) -ge 3 ]; then
			check_records || return 1
			checked=$(now)
		fi
		if [ $((($(now) - begun) / 60)) -gt $reported ]; then
			reported=$((reported + 1))
			report $(($(now) - begun))
		fi
	done
	report $(($(now) - begun))
}

# Free pages of the largest order in /proc/buddyinfo or /proc/pagetypeinfo. In the latter
# they are counted by migratetype, and the numbers of pageblocks follow, which do not count.
largest_free() {
	awk '/^Number/ { blocks = 1 } /^Free/ { blocks = 0 } /^Node/ && !blocks { sum += $NF }
		END { print sum + 0 }' "$1"
}

# Pages of tainted superpageblocks have a free list of their own. A page may be allocated
# between reading the two files: so several tries.
lists_agree() {
	for _ in 1 2 3 4 5; do
		[ "$(largest_free /proc/pagetypeinfo)" -ne "$(largest_free /proc/buddyinfo)" ] || return 0
	done
	say "pagetypeinfo has $(largest_free /proc/pagetypeinfo) free pages of the largest order, buddyinfo $(largest_free /proc/buddyinfo)"
	return 1
}

need_module
check_needs
load_with_spb
at_exit "rm -rf '$files'"
mkdir -p "$files" || exit 1
say "soak: $seconds s, seed $seed, kernel $(uname -r)"
pages=$(spb_pages)
status=0
soak || status=1
knob reset 1
rm -rf "$files"
check_records || status=1
lists_agree || status=1
spb_stats | sed 's/^/# /'
unload_module || status=1
log_check || status=1
[ $status -eq 0 ] && say "soak: no record was wrong in $checks checks, the log is clean"
finish_one $status
