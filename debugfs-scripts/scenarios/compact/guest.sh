#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Fragments node 0 to the target, checks that it was reached, compacts directly in several
# ways, and checks that all memory is free again. Leaves $FRAGBED_OUT/meta and snapshots in
# $FRAGBED_OUT/raw; report.py draws the conclusions.
#
# Exit: 0 done, 1 failed, 4 the run cannot count (requirement missing, target missed).

. "$(dirname "$0")/../../lib/scenario.sh"

order=$FRAGBED_JOB_ORDER
index=$FRAGBED_JOB_INDEX
unmovable=$FRAGBED_JOB_UNMOVABLE
seed=$FRAGBED_JOB_SEED
raw=${FRAGBED_OUT:?}/raw
extfrag=/sys/kernel/debug/extfrag/unusable_index

# The requests to compact for: order type prio nofragment. MAX is the largest order. The first
# one also ends a deferral from before: only sync-full ignores it, and a success at the
# largest order ends it.
rows='
MAX movable sync-full default
MAX unmovable sync-light default
6 movable async default
4 unmovable async default
4 unmovable async on
6 reclaimable sync-light default
0 unmovable sync-light on
'

snapshot() {
	mkdir -p "$raw/$1"
	cat "$FRAGBED_DIR/map" >"$raw/$1/map"
	cat "$FRAGBED_DIR/fragment/index" >"$raw/$1/index"
	cat "$FRAGBED_DIR/hold/sets" >"$raw/$1/sets"
	cat $extfrag >"$raw/$1/unusable_index"
	for name in vmstat buddyinfo pagetypeinfo meminfo; do
		cat /proc/$name >"$raw/$1/$name"
	done
}

# The run does not count; the report gives the reason.
cannot_count() {
	echo "reason $*" >"$raw/refused"
	refuse "$@"
}

# The kernel's unusable_index of a zone of node 0 at the target order, in permille.
kernel_index() {
	awk -v order="$order" -v zone="$1" '$2 == "0," && $4 == zone {
		split($(5 + order), part, ".")
		print part[1] * 1000 + part[2] + 0
	}' $extfrag
}

# Both indices have to reach the target; $short names the one that did not.
degree_is_reached() {
	reached=$(fact fragment/result reached_permille)
	short="target degree not reached: index $reached at order $order, target $index"
	[ "$reached" -ge "$index" ] || return 1
	awk '$1 == 0 { print $2 }' "$FRAGBED_DIR/fragment/index" | while read -r zone; do
		echo "$zone $(kernel_index "$zone")"
	done >"$raw/kernel_index"
	[ -s "$raw/kernel_index" ] || cannot_count "$extfrag has no zone of node 0"
	worst=$(awk 'NR == 1 || $2 < min { min = $2 } END { print min }' "$raw/kernel_index")
	# With several zones the node may reach the index although a zone does not.
	[ "$(wc -l <"$raw/kernel_index")" -gt 1 ] && [ "$index" -lt 1000 ] && return 0
	short="the kernel's own unusable_index is $worst at order $order, target $index"
	[ "$worst" -ge "$((index > 3 ? index - 3 : 0))" ]
}

fragment_once() {
	fragment_line="order=$order index=$index unmovable=$unmovable seed=$1 node=0 $force"
	if ! knob fragment/run "$fragment_line"; then
		[ "$knob_errno" = ENOSPC ] &&
			cannot_count "target degree not reached: index $(fact fragment/result reached_permille) at order $order, target $index"
		say "fragment/run: '$fragment_line' failed with $knob_errno"
		exit 1
	fi
	degree_is_reached
}

# Another CPU may have freed pages before the index was read: try again.
fragment() {
	fragment_once "$1" || fragment_once "$1" || fragment_once "$1" || cannot_count "$short"
}

compact_row() {
	[ "$2" = MAX ] && set -- "$1" "$max_order" "$3" "$4" "$5"
	fragment $((seed + $1))
	must_knob compact/run "order=$2 type=$3 prio=$4 nofragment=$5 node=0"
	cat "$FRAGBED_DIR/compact/last" >"$raw/rows/$((100 + $1))"
	say "row $1: order $2 $3 $4: $(fact compact/last result_name)"
}

compact_rows() {
	mkdir -p "$raw/rows"
	number=0
	echo "$rows" >"$raw/rows-asked"
	while read -r row; do
		[ -n "$row" ] || continue
		number=$((number + 1))
		# shellcheck disable=SC2086  # the row is words
		compact_row $number $row
	done <"$raw/rows-asked"
	rm "$raw/rows-asked"
}

# Direct compaction stops at the first free block. Each gained block is held, so that the next
# compaction has to make another one. Other tasks may allocate it first: three failures end
# the sweep.
sweep() {
	mkdir -p "$raw/sweep"
	number=0
	in_vain=0
	while [ $number -lt "$sweep_limit" ]; do
		number=$((number + 1))
		must_knob compact/run "order=$max_order type=movable prio=sync-full node=0"
		file=$((10000 + number))
		cat "$FRAGBED_DIR/compact/last" >"$raw/sweep/$file"
		if ! grep -q '^got_page 1' "$raw/sweep/$file"; then
			in_vain=$((in_vain + 1))
			[ $in_vain -lt 3 ] || break
			continue
		fi
		in_vain=0
		knob hold/alloc "set=gained type=unmovable order=$max_order count=1 node=0 $force" || break
		[ $((number % 25)) -ne 0 ] || say "sweep: $number blocks gained"
	done
	knob hold/free set=gained
	say "sweep: $number direct compactions"
	grep -q '^got_page 1' "$raw"/sweep/* || cannot_count "the sweep gained no block by $number direct compactions"
}

check_memory_is_free() {
	must_knob reset 1
	after=$(free_pages)
	snapshot released
	printf 'free_before %s\nfree_after %s\nslack %s\n' "$before" "$after" "$slack" >"$raw/memory"
	[ "$after" -ge $((before - slack)) ] && return 0
	say "not all memory was freed: $before pages free before, $after after"
	return 1
}

# Movable pages follow the memory policy of the task that writes to hold/alloc.
if [ -d /sys/devices/system/node/node1 ] && [ -z "${FRAGBED_JOB_BOUND:-}" ]; then
	need which numactl -- "numactl is missing: this machine has several nodes"
	check_needs
	FRAGBED_JOB_BOUND=1 exec numactl --membind=0 "$0"
fi

need_module
need test -d /sys/kernel/debug/extfrag -- "debugfs is not mounted or the kernel lacks CONFIG_COMPACTION"
need test -w /dev/kmsg -- "/dev/kmsg cannot be written"
need which awk -- "awk is missing"
check_needs

rm -rf "$raw"
mkdir -p "$raw" || exit 1
log_mark
load_module || exit 1
need have_feature compact -- "compact: $(fact caps compact)"
need have_feature drain -- "drain: $(fact caps drain)"
check_needs
at_exit 'knob reset 1'
at_exit "dmesg >'$raw/dmesg'"

# Proactive compaction would undo the fragmentation, and the counters would include it.
setting /proc/sys/vm/compaction_proactiveness 0
echo 3 >/proc/sys/vm/drop_caches
max_order=$(fact caps max_page_order)
sweep_limit=$FRAGBED_JOB_SWEEP
scenario_meta >"$FRAGBED_OUT/meta"
before=$(free_pages)
# What the run itself leaves in use: page cache, slabs, page tables.
slack=2048

snapshot initial
say "fragmenting: order $order to $index permille, $unmovable% unmovable, seed $seed"
fragment "$seed"
cat "$FRAGBED_DIR/fragment/result" >"$raw/fragment"
snapshot fragmented
compact_rows
say "fragmenting again for the sweep"
fragment $((seed + 100))
snapshot before_sweep
sweep
snapshot compacted
status=0
check_memory_is_free || status=1
unload_module || status=1
log_check || status=1
echo "status $status" >"$raw/end"
exit $status
