#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A soak for superpageblocks: while memory is nearly full there are churn,
# holds, files, compaction, defragmentation, evacuation and tainting by choice, and every
# few seconds the kernel's records are compared with its pages.
#
#   FRAGBED_JOB_SECONDS=30   how long
#   FRAGBED_JOB_PERCENT=85   of memory in use
#   FRAGBED_JOB_SEED=1
#
# Exit: 0 done, 1 a record was wrong or the log has trouble, 4 cannot run here.

. "$(dirname "$0")/../../lib/lib.sh"

seconds=${FRAGBED_JOB_SECONDS:-30}
seed=${FRAGBED_JOB_SEED:-1}
level=$((${FRAGBED_JOB_PERCENT:-85} * 10))
files=${TMPDIR:-/tmp}/fragbed-soak
random=$seed

check_records() {
	checks=$((checks + 1))
	spb_records_are_true && return 0
	say "after $(($(now) - begun)) s"
	return 1
}

# Not all can be had: memory may be full of what the soak holds already.
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

# Most of memory is in use, so that superpageblocks press on each other.
fill() {
	while [ "$(used_permille)" -lt "$level" ]; do
		knob hold/alloc "set=fill type=movable order=0 count=2048 $force" || break
	done
}

make_holes() {
	dice 1000000
	knob hold/free "set=fill random=100 seed=$dice"
}

# Some are tainted by chance, the oldest of these get clean again.
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

churn_anew() {
	knob fragment/churn stop
	dice 3
	order=$dice
	dice 70
	knob fragment/churn "start rate=20000 order=$order unmovable=$((dice + 20)) cpus=0 seed=$random limit_kb=262144"
}

# As many superpageblocks as what cannot move would fill.
least_tainted() {
	awk -v pages="$pages" '!/^#/ { sum += $6 + $7 } END { print int((sum + pages - 1) / pages) }' "$FRAGBED_DIR/map"
}

tell() {
	say "$1 s: $checks checks, $holds holds, $compactions compactions, $moves moves;" \
		"$(used_permille) permille in use; superpageblocks:" \
		"$(spb_count empty) empty, $(spb_count clean) clean, $(spb_count tainted) tainted, $(least_tainted) would do"
}

round() {
	hold_some
	write_files "$files"
	compact
	move_some
	fill
	dice 5
	[ "$dice" -ne 0 ] || churn_anew
}

soak() {
	checks=0 holds=0 compactions=0 moves=0 taints=0 told=0
	begun=$(now)
	checked=$begun
	fill
	churn_anew
	while [ $(($(now) - begun)) -lt "$seconds" ]; do
		round
		if [ $(($(now) - checked)) -ge 3 ]; then
			check_records || return 1
			checked=$(now)
		fi
		if [ $((($(now) - begun) / 60)) -gt $told ]; then
			told=$((told + 1))
			tell $(($(now) - begun))
		fi
	done
	tell $(($(now) - begun))
}

# Free pages of the largest order, in /proc/buddyinfo or, by type, in pagetypeinfo, where
# after those of each node come its blocks.
largest_free() {
	awk '/^Number/ { blocks = 1 } /^Free/ { blocks = 0 } /^Node/ && !blocks { sum += $NF }
		END { print sum + 0 }' "$1"
}

# Those of tainted superpageblocks have a list of their own. Now and then one is taken
# between the two looks.
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
