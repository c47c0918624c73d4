# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154,SC2034  # $work, $log, $TREE, $pid, $patience are shared
#
# tools/mutants.py on real builds: its verdicts, and that it leaves the tree as
# it was, however it ends.

# mutant ID FUNCTION FROM TO
mutant() {
	cat >>"$work/table.toml" <<-TOML
		[[mutant]]
		id = "$1"
		rule = "X"
		file = "mm/compaction.c"
		function = "$2"
		from = '$3'
		to = '$4'
		config = "uml"
	TOML
}

tree_sum() { sha256sum "$TREE/mm/compaction.c" "$TREE/mm/page_alloc.c"; }

test_real_mutant_verdicts() {
	local before
	before=$(tree_sum)
	mutant right compact_zone_order "return compact_zone" "return  compact_zone"
	mutant wrong compact_zone_order "return compact_zone" 'panic("on purpose"); return compact_zone'
	mutant elsewhere compact_zone_order "no such text" "x"
	mutant unfit compact_zone_order "return compact_zone" "return no_such_function"
	exits 1 "$TOOLS/mutants.py" --table "$work/table.toml" --no-counts &&
		says "SURVIVED" && says "DOES NOT APPLY" && says "DOES NOT BUILD" && says "kernel crashed" &&
		says "4 mutants, 1 killed, 1 survived, 2 not tried" && [ "$(tree_sum)" = "$before" ]
}

# Starts a run and waits for its first row: the second mutant is being built then.
# Before that come builds and maybe another run.
start_mutants() {
	local patience=900
	mutant elsewhere compact_zone_order "no such text" "x"
	mutant right compact_zone_order "return compact_zone" "return  compact_zone"
	"$TOOLS/mutants.py" --table "$work/table.toml" --streams 1 --no-counts >"$log" 2>&1 &
	pid=$!
	wait_for first_row_or_ended && kill -0 "$pid"
}

first_row_or_ended() { grep -q "DOES NOT APPLY" "$log" || ! kill -0 "$pid"; }

# Nobody works in an overlay on the tree any more.
no_stream_left() { ! pgrep -f "mutants.py --stream" >/dev/null; }

test_real_mutants_stopped() {
	local before pid rc=0
	before=$(tree_sum)
	start_mutants || return 1
	kill -TERM "$pid"
	wait "$pid" || rc=$?
	[ $rc -eq 143 ] && no_stream_left && [ "$(tree_sum)" = "$before" ]
}

test_real_mutants_killed() {
	local before pid patience=30
	before=$(tree_sum)
	start_mutants || return 1
	kill -KILL "$pid"
	wait "$pid"
	wait_for no_stream_left && [ "$(tree_sum)" = "$before" ] && exits 0 "$TOOLS/prepare.sh"
}
