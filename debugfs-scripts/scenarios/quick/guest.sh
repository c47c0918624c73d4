#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tries everything the module can do once, on any machine. It holds at most one sixty-fourth
# of memory at a time and leaves everything as it was. A feature that this kernel lacks is
# skipped with the reason. KTAP on stdout.
#
# Exit: 0 done, 1 something failed, 4 cannot run here.
#
# shellcheck disable=SC2016,SC2317,SC2329  # awk programs; the cases are called by name

. "$(dirname "$0")/../../lib/lib.sh"

# At most one sixty-fourth of memory is held, at most 65536 pages.
share=64
most=65536

# --- helpers -----------------------------------------------------------------

# wants ERRNO KNOB LINE TEXT: the write fails with ERRNO and logs one line, which has TEXT.
wants() {
	wants_before=$(log_lines)
	knob "$2" "$3"
	[ "$knob_errno" = "$1" ] || {
		say "$2 '$3' fails with $knob_errno, expected $1"
		return 1
	}
	[ "$(log_lines)" -eq $((wants_before + 1)) ] &&
		dmesg | grep 'fragbed: ' | tail -n 1 | grep -qF "$4"
}

log_lines() { dmesg | grep -c 'fragbed: '; }
nothing_held() { ! grep -qv '^#' "$FRAGBED_DIR/hold/sets"; }

set_pages() {
	awk -v name="$1" '$1 == name { sum += $6 } END { print sum + 0 }' "$FRAGBED_DIR/hold/sets"
}

has_module() { module_loaded || [ -f "${FRAGBED_MODULE:-}" ]; }
has_room() { [ "$(meminfo MemAvailable)" -gt $(($(meminfo MemTotal) / 4)) ]; }

# unless_missing FEATURE DESC TEST...: skips with the reason that caps reports.
unless_missing() {
	missing_feature=$1
	shift
	if have_feature "$missing_feature"; then
		expect "$@"
	else
		missing_reason=$(fact caps "$missing_feature")
		skip "$1" "$missing_feature: ${missing_reason#no }"
	fi
}

# --- the cases -----------------------------------------------------------------

caps_can_be_read() {
	[ "$(fact caps page_size)" -gt 0 ] && [ -n "$(fact caps hold)" ] &&
		[ -n "$(fact version fragbed)" ]
}

hold_and_free() {
	must_knob hold/alloc "set=quick type=$1 order=$2 count=$((hold_pages >> $2))"
	held=$(set_pages quick)
	must_knob hold/free set=quick
	say "$1: $held pages held"
	# The kernel may reclaim reclaimable pages at any time.
	[ "$1" = reclaimable ] || [ "$held" -eq $((hold_pages >> $2 << $2)) ] || return 1
	nothing_held
}

# Fragments a fiftieth of free memory at order 3, of which an eighth is kept.
fragment_a_little() {
	must_knob fragment/run "order=3 index=1 unmovable=100 seed=1"
	begun=$(fact fragment/result reached_permille)
	target=$((begun + 20))
	[ "$target" -le 1000 ] || target=1000
	must_knob fragment/run "order=3 index=$target unmovable=100 seed=1"
	say "index at order 3: $begun before, $(fact fragment/result reached_permille) reached," \
		"$(set_pages fragment) pages kept"
	[ "$(fact fragment/result status)" = reached ] || return 1
	must_knob fragment/free 1
	nothing_held
}

compact_once() {
	must_knob compact/run "order=4 type=movable"
	[ "$(fact compact/last order)" = 4 ] && [ -n "$(fact compact/last ns)" ]
}

# Each row adds up, and all pages but the reserved ones are as many as the zones manage.
map_is_the_memory() {
	chunk=$(cat "$FRAGBED_DIR/map_chunk")
	must_knob map_chunk 1048576
	cat "$FRAGBED_DIR/map" >"$map"
	must_knob map_chunk "$chunk"
	managed=$(awk '$1 == "managed" { sum += $2 } END { print sum }' /proc/zoneinfo)
	awk -v managed="$managed" '/^#/ { next }
		$4 + $5 + $6 + $7 + $8 != $3 { bad++ }
		{ sum += $3 - $8 }
		END { printf "# map: %d pages, managed: %d\n", sum, managed
			off = sum > managed ? sum - managed : managed - sum
			exit !(NR > 2 && !bad && off <= managed / 16 + 2048) }' "$map"
}

first_cpu() { sed 's/[-,].*//' /sys/devices/system/cpu/online 2>/dev/null || echo 0; }

churn_two_seconds() {
	churn_line="rate=1000 order=0 unmovable=50 cpus=$(first_cpu) seed=1 limit_kb=8192"
	must_knob fragment/churn "start $churn_line"
	sleep 2
	[ "$(fact fragment/churn_status running)" = yes ] || return 1
	must_knob fragment/churn stop
	allocated=$(fact fragment/churn_status allocated)
	say "churn: $allocated allocated, $(fact fragment/churn_status freed) freed"
	[ "$allocated" -gt 0 ] &&
		[ "$(fact fragment/churn_status running)" = no ] &&
		[ "$(fact fragment/churn_status pages_held)" = 0 ]
}

# The target is a little above the current index.
keep_a_second() {
	must_knob fragment/run "order=3 index=1 unmovable=100 seed=1"
	target=$(($(fact fragment/result reached_permille) + 10))
	must_knob fragment/free 1
	[ "$target" -le 1000 ] || target=1000
	keep_line="order=3 index=$target unmovable=100 rate=20000 cpus=$(first_cpu) seed=1"
	must_knob fragment/keep "start $keep_line"
	sleep 1
	[ "$(fact fragment/keep_status running)" = yes ] || return 1
	must_knob fragment/keep stop
	say "keep: target index $target, $(fact fragment/keep_status index_now) at the end," \
		"$(fact fragment/keep_status planted) pages kept in all"
	# "looks" counts from the moment the target is reached.
	[ $(($(fact fragment/keep_status planted) + $(fact fragment/keep_status looks))) -gt 0 ] &&
		[ "$(fact fragment/keep_status pages_held)" = 0 ]
}

mof_reports() {
	address=$(sed -n '1s/-.*//p' /proc/self/maps)
	must_knob mof "$$ $address"
	[ -n "$(fact mof decided_by)" ]
}

bad_input_is_refused() {
	wants EINVAL hold/alloc "set=x type=unmovable order=0 count=1 colour=red" "colour: unknown key" &&
		wants EINVAL hold/alloc "set=x type=unmovable order=0 count=-1" "count=-1:" &&
		wants ENXIO hold/free "set=nosuch" "no such set" &&
		wants EINVAL fragment/churn "go" "must be start" &&
		wants E2BIG hold/free "set=$(printf '%0300d' 0)" "longer than 256" &&
		wants EINVAL map_chunk 1 "map_chunk: 1" &&
		nothing_held
}

reset_frees_all() {
	must_knob hold/alloc "set=quick type=unmovable order=0 count=64"
	must_knob reset 1
	nothing_held
}

# In KiB. Freed pages may be on per-cpu lists, which MemAvailable leaves out.
usable() {
	lists=$(awk '$1 == "count:" { sum += $2 } END { print sum + 0 }' /proc/zoneinfo)
	echo $(($(meminfo MemAvailable) + lists * $(fact caps page_size) / 1024))
}

# Other tasks allocate and free, too: so it is checked several times.
memory_is_free() {
	tries=0
	until [ "$(usable)" -ge $((usable - total / 32)) ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 5 ] || break
		sleep 1
	done
	say "usable: $usable KiB before, $(usable) now"
	[ "$tries" -lt 5 ]
}

# --- main ------------------------------------------------------------------------

need test "$(id -u)" = 0 -- "must be root"
need test -w /dev/kmsg -- "/dev/kmsg cannot be written"
need has_module -- "fragbed.ko is not loaded, and FRAGBED_MODULE names no file"
need has_room -- "less than a quarter of memory is available"
check_needs
was_loaded=0
! module_loaded || was_loaded=1
log_mark
load_module || exit 1
need test -r "$FRAGBED_DIR/caps" -- "$FRAGBED_DIR/caps cannot be read: see README.md"
check_needs
need nothing_held -- "memory is held already, and reset would free it: see hold/sets"
check_needs
at_exit "[ ! -e $FRAGBED_DIR ] || knob reset 1"
total=$(meminfo MemTotal)
usable=$(usable)
map=$(mktemp)
at_exit "rm -f '$map'"
hold_pages=$((total * 1024 / share / $(fact caps page_size)))
[ $hold_pages -lt $most ] || hold_pages=$most

ktap_start
expect "caps and version can be read" caps_can_be_read
expect "unmovable memory is held and freed" hold_and_free unmovable 0
expect "unmovable memory of order 3" hold_and_free unmovable 3
unless_missing hold_movable "movable memory" hold_and_free movable 0
expect "reclaimable memory" hold_and_free reclaimable 0
unless_missing fragment "a little memory is fragmented and freed" fragment_a_little
unless_missing compact "memory is compacted" compact_once
unless_missing map "the map adds up to the memory of this machine" map_is_the_memory
unless_missing churn "two seconds of churn" churn_two_seconds
unless_missing keep "an index is kept for a second" keep_a_second
unless_missing mof "mof reports which policy decides about migrate-on-fault" mof_reports
unless_missing spb "the records of superpageblocks are correct" spb_records_are_true
expect "bad input is refused, and the log has the reason" bad_input_is_refused
expect "reset frees everything" reset_frees_all
expect "all memory is free again" memory_is_free
if [ $was_loaded -eq 1 ]; then
	skip "the module is unloaded" "it was loaded before"
else
	expect "the module is unloaded" unload_module
fi
expect "the kernel log is clean" log_check
finish 17
