#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# memory_hotplug.sh: memory goes offline and online, is plugged in and unplugged while the
# knobs hold pages of it. Prints KTAP. For the configuration x86_64-hotplug, in which QEMU's
# monitor is on the third serial line and node 2 has no memory until it is plugged in.
#
#   FRAGBED_JOB_ROUNDS=3   times that each block goes offline beside churn and keep
#
# shellcheck disable=SC2016,SC2317,SC2329  # awk programs; cases are called by name

. "$(dirname "$0")/../../lib/lib.sh"
. "$(dirname "$0")/disturb.sh"

rounds=${FRAGBED_JOB_ROUNDS:-3}
memory=/sys/devices/system/memory
nodes=/sys/devices/system/node
monitor=/dev/ttyS2

# --- helpers -----------------------------------------------------------------

# blocks NODE ZONE: the numbers of the memory blocks that are online.
blocks() {
	for block in "$nodes/node$1"/memory[0-9]*; do
		[ "$(cat "$block/state" 2>/dev/null)" = online ] &&
			[ "$(cat "$block/valid_zones")" = "$2" ] && echo "${block##*/memory}"
	done
}

# turn BLOCK offline|online_movable|online_kernel: sets $turn_errno.
turn() {
	turn_errno=OK
	{ $lib_echo "$2" >"$memory/memory$1/state"; } 2>"$lib_error" ||
		turn_errno=$(lib_errno_name "$(cat "$lib_error")")
}

turns() {
	turn "$1" "$2"
	[ "$turn_errno" = OK ] && return 0
	say "block $1 $2: $turn_errno"
	return 1
}

set_pages() {
	awk -v name="$1" '$1 == name { sum += $6 } END { print sum + 0 }' "$FRAGBED_DIR/hold/sets"
}

# The map counts all free pages but those of per-cpu lists; offline pages count as reserved.
map_is_true() {
	awk -v managed="$(awk '$1 == "managed" { sum += $2 } END { print sum }' /proc/zoneinfo)" '/^#/ { next }
		$3 != $4 + $5 + $6 + $7 + $8 { bad++ }
		{ sum += $3 - $8 }
		END { printf "# map: %d pages, managed: %d\n", sum, managed
			off = sum > managed ? sum - managed : managed - sum
			exit !(NR > 2 && !bad && off <= managed / 64) }' "$FRAGBED_DIR/map"
}

# Each node that has memory has rows, and no value is above 1000.
index_is_true() {
	awk '/^#/ { next } { rows++; for (i = 3; i <= NF; i++) if ($i > 1000) bad++ }
		END { exit !(rows && !bad) }' "$FRAGBED_DIR/fragment/index" &&
		[ "$(awk '!/^#/ && !seen[$1]++ { printf "%s%s", n++ ? "," : "", $1 }' "$FRAGBED_DIR/fragment/index")" = \
			"$(sed 's/0-2/0,1,2/; s/0-1/0,1/' "$nodes/has_memory")" ]
}

facts_are_true() { map_is_true && index_is_true; }

wait_until() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || return 1
		sleep 0.2
	done
}

node2_has() { [ "$(find "$nodes/node2/" -name 'memory[0-9]*' 2>/dev/null | wc -l)" -eq "$1" ]; }

# QEMU's monitor answers on the same serial line.
ask_qemu() { printf '%s\n' "$1" >&8; }

plug_in() {
	ask_qemu "object_add memory-backend-ram,id=plugged,size=256M"
	ask_qemu "device_add pc-dimm,id=dimm,memdev=plugged,node=2"
	wait_until node2_has 2
}

pull_out() { ask_qemu "device_del dimm"; }

online_all() {
	for block in "$nodes"/node2/memory[0-9]*; do
		turns "${block##*/memory}" "$1" || return 1
	done
}

# The module allocates movable pages with the writer's policy: this one is bound to node 2.
knob_on_node2() {
	numactl --membind=2 bash -c 'echo "$2" >"$1"' writer "$FRAGBED_DIR/$1" "$2" 2>"$lib_error" && return 0
	say "$(cat "$lib_error")"
	return 1
}

# --- memory blocks that are there from boot ----------------------------------------

# Not every block can go offline: one has pages of the kernel from boot.
case_movable_pages_leave_a_block() {
	must_knob hold/alloc "set=m type=movable order=0 count=$much"
	for block in $(blocks 0 Movable); do
		turn "$block" offline
		say "block $block offline: $turn_errno"
		[ "$turn_errno" != OK ] || break
	done
	[ "$turn_errno" = OK ] && [ "$(set_pages m)" = "$much" ] && facts_are_true &&
		turns "$block" online_movable && [ "$(set_pages m)" = "$much" ] && facts_are_true
}

# One unmovable page in each chunk of the node. EINVAL: the block has a hole.
case_unmovable_pages_stay() {
	must_knob fragment/run "$(fragment_line 900 | sed 's/unmovable=50/unmovable=100/') node=0 force=1"
	held=$(held_now) refused=0
	for block in $(blocks 0 Normal) $(blocks 0 DMA32); do
		turn "$block" offline
		case $turn_errno in
		EBUSY) refused=$((refused + 1)) ;;
		EINVAL) ;;
		*) say "block $block: $turn_errno" && return 1 ;;
		esac
	done
	say "$refused blocks refused"
	[ "$refused" -gt 0 ] && [ "$(held_now)" = "$held" ] && facts_are_true
}

# turn_round BLOCK: offline and online, unless the block has unmovable pages.
turn_round() {
	turn "$1" offline
	case $turn_errno in
	OK) gone=$((gone + 1)) && turns "$1" online_movable ;;
	EBUSY) stayed=$((stayed + 1)) ;;
	*) say "block $1 offline: $turn_errno" && return 1 ;;
	esac
}

case_blocks_turn_beside_all_that_runs() {
	must_knob fragment/churn "start rate=50000 order=2 unmovable=30 cpus=0-1 seed=1"
	must_knob fragment/keep "start order=4 index=900 unmovable=30 rate=100000 cpus=0 seed=1 node=0"
	gone=0 stayed=0 round=0
	while [ "$round" -lt "$rounds" ]; do
		round=$((round + 1))
		must_knob hold/alloc "set=m type=movable order=0 count=$much"
		for block in $(blocks 0 Movable) $(blocks 1 Movable); do
			turn_round "$block" || return 1
		done
		[ "$(set_pages m)" = "$much" ] && knob hold/free set=m || return 1
	done
	say "a block went offline $gone times and stayed online $stayed times"
	[ "$gone" -gt 0 ] && facts_are_true
}

# --- memory that is plugged in and unplugged -----------------------------------------

case_a_node_is_plugged_in() {
	knob hold/alloc "set=u type=unmovable order=0 count=8 node=2"
	[ "$knob_errno" = ENXIO ] && plug_in && online_all online_movable && facts_are_true &&
		[ "$(fact caps nodes)" = 0-2 ]
}

case_it_has_no_room_for_what_cannot_move() {
	knob hold/alloc "set=u type=unmovable order=0 count=8 node=2"
	[ "$knob_errno" = ENOMEM ]
}

case_it_holds_what_can_move() {
	knob_on_node2 hold/alloc "set=m type=movable order=0 count=$much node=2" &&
		[ "$(set_pages m)" = "$much" ] && facts_are_true
}

case_it_is_pulled_out_and_nothing_is_lost() {
	knob_on_node2 hold/alloc "set=m type=movable order=0 count=$much node=2" || return 1
	pull_out && wait_until node2_has 0 || return 1
	[ "$(set_pages m)" = "$much" ] && facts_are_true && [ "$(fact caps nodes)" = 0-1 ] || return 1
	knob hold/alloc "set=u type=unmovable order=0 count=8 node=2"
	[ "$knob_errno" = ENXIO ]
}

# The kernel rejects the request of QEMU and logs that; the memory stays.
case_it_is_not_pulled_out_under_what_cannot_move() {
	plug_in && online_all online_kernel || return 1
	must_knob hold/alloc "set=u type=unmovable order=3 count=100 node=2"
	must_knob fragment/run "$(fragment_line 500 | sed 's/unmovable=50/unmovable=100/') node=2 force=1"
	must_knob fragment/keep "start order=4 index=900 unmovable=100 rate=100000 cpus=0 seed=1 node=2"
	held=$(held_now)
	pull_out
	sleep 3
	node2_has 2 && [ "$(held_now)" = "$held" ] && facts_are_true
}

block_cases='movable_pages_leave_a_block unmovable_pages_stay blocks_turn_beside_all_that_runs'
plug_cases='a_node_is_plugged_in it_has_no_room_for_what_cannot_move it_holds_what_can_move
it_is_pulled_out_and_nothing_is_lost it_is_not_pulled_out_under_what_cannot_move'

# --- main ------------------------------------------------------------------------

need_module
need test -e $memory/block_size_bytes -- "the kernel was built without CONFIG_MEMORY_HOTPLUG"
need test "$(cat $nodes/possible)" = 0-2 -- "no third node is possible: needs the configuration x86_64-hotplug"
need test -c $monitor -- "there is no third serial line"
need which numactl bash -- "numactl or bash is missing"
check_needs
much=20000
begin
taskset -p 1 $$ >/dev/null
exec 8<>$monitor
stty raw -echo <&8
# Before stty the terminal echoed QEMU's greeting to it, as an unfinished command.
sleep 1
ask_qemu ""
ktap_start
for name in $block_cases $plug_cases; do
	desc=$(echo "$name" | tr _ ' ')
	case " $block_cases " in
	*" $name "*) ;;
	*) [ -d /sys/firmware/acpi/hotplug/memory ] || {
		skip "$desc" "the kernel was built without CONFIG_ACPI_HOTPLUG_MEMORY"
		skip "all pages are freed" "nothing was held"
		continue
	} ;;
	esac
	expect "$desc" "case_$name"
	expect "all pages are freed" is_true_after
done
expect "unload" unload_module
expect "the log is clean" log_check
finish 18
