# shellcheck shell=sh disable=SC2016,SC2034,SC2154  # awk programs; variables of other files
# SPDX-License-Identifier: GPL-2.0
#
# Sourced after lib.sh by the scripts that disturb writes to the knobs: the setups for a line,
# and the checks after it was disturbed.
#
#   build_tool NAME       compiles NAME.c of this folder, into $tools
#   begin                 for the whole script: marks the log, loads the module
#   row_begins, row_ends  around the tries of one line: row_ends fails if pages are missing
#   with_*                the setups; $much is their number of pages
#   is_true_after         resets everything after a try, and checks that

# Pages by which the number of free pages varies: page cache, slabs, page tables.
noise=512
much=256

tools=${TMPDIR:-/tmp}/fragbed-tools
at_exit "rm -rf '$tools'"

# A compiler is slow in a guest with KASAN: the host keeps the program for later guests.
build_tool() {
	mkdir -p "$tools"
	source=$(dirname "$0")/$1.c
	kept=${FRAGBED_OUT:-$tools}/$1.built
	find "$kept" -newer "$source" 2>/dev/null | grep -q . || gcc -O2 -static -o "$kept" "$source" || return 1
	cp "$kept" "$tools/$1"
}

begin() {
	log_mark
	load_module || exit 1
	at_exit "[ ! -e $FRAGBED_DIR ] || knob reset 1"
	setting /proc/sys/vm/compaction_proactiveness 0
}

# --- setups ----------------------------------------------------------------------

with_nothing() { :; }

with_holds() {
	must_knob hold/alloc "set=u type=unmovable order=1 count=$((much / 4))"
	must_knob hold/alloc "set=m type=movable order=0 count=$((much / 2))"
}

# fragment_line INDEX: a few chunks of the largest order, to make a node a little more
# fragmented than it is.
fragment_line() {
	echo "order=$(fact caps max_page_order) index=$1 unmovable=50 seed=1"
}

# Sets $target, an index that with_fragmented can reach.
find_target() {
	must_knob fragment/run "$(fragment_line 1)"
	target=$(($(fact fragment/result reached_permille) + 20))
	must_knob fragment/free 1
}

with_fragmented() { must_knob fragment/run "$(fragment_line "$target")"; }

churn_line='start rate=20000 order=1 unmovable=50 cpus=0 seed=1 limit_kb=4096'
keep_line='start order=4 index=800 unmovable=30 rate=20000 cpus=0 seed=1'

with_churn() { must_knob fragment/churn "$churn_line"; }
with_keep() { must_knob fragment/keep "$keep_line"; }

with_all() {
	with_holds
	with_churn
	with_keep
}

# Movable pages with holes, for compaction and evacuation.
with_scattered() {
	must_knob hold/alloc "set=m type=movable order=0 count=$much"
	must_knob hold/free "set=m random=500 seed=1"
}

# pick_spb CONDITION: sets $spb to "spb=NR zone=NAME" of the first SPB of node 0 whose row in
# spb/table meets the condition, an expression of awk.
pick_spb() {
	spb=$(awk "!/^#/ && \$1 == 0 && $1 { print \"spb=\" \$3 \" zone=\" \$2; exit }" "$FRAGBED_DIR/spb/table")
	[ -n "$spb" ]
}

with_empty_spb() { pick_spb '$5 == "empty" && $6 == $7'; }

# An SPB full of movable pages with a few unmovable ones.
with_tainted_spb() {
	with_empty_spb && must_knob spb/taint "$spb pages=4 set=t"
	tainted=$spb
	must_knob hold/alloc "set=m type=movable order=0 count=$((much * 4))"
	spb=$tainted
}

with_clean_spb() {
	with_scattered
	pick_spb '$5 == "clean" && $6 == $7 && $8 > 0'
}

# --- checks -----------------------------------------------------------------------

nothing_held() { ! grep -qv '^#' "$FRAGBED_DIR/hold/sets"; }
nothing_runs() {
	[ "$(fact fragment/churn_status running) $(fact fragment/keep_status running)" = "no no" ]
}

# The holds and threads, as text to compare. Shmem pages that are being freed are not in sets.
held_now() {
	echo "$(cksum <"$FRAGBED_DIR/hold/sets") $(fact fragment/churn_status running) $(fact fragment/keep_status running)"
}

# A rejected write keeps no pages, and everything can be reset.
is_true_after() {
	knob reset 1 || {
		say "reset gives $knob_errno"
		return 1
	}
	nothing_held && nothing_runs
}

row_begins() {
	unload_module && load_module || return 1
	free_before=$(free_pages)
}

# The module warns of chunks that were not freed when it is unloaded; other pages are missing
# in the number of free pages.
row_ends() {
	spb_records_are_true && unload_module && load_module || return 1
	free_after=$(free_pages)
	[ "$free_after" -ge $((free_before - noise)) ] && return 0
	say "$free_before pages were free before, $free_after are now"
	return 1
}
