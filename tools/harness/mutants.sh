# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154,SC2034  # $work, $log, $TREE, $pid, $patience are shared
#
# tools/mutants.py: its table; and on real builds its verdicts, and that the tree is
# unchanged however it ends.

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

list_mutants() { "$TOOLS/mutants.py" --list --table "$work/table"; }

# write_mutants FILE DEFAULTS [ID]: a file of the table with one mutant.
write_mutants() {
	mkdir -p "$work/table"
	cat >"$work/table/$1" <<-TOML
		[defaults]
		file = "mm/compaction.c"
		$2

		[[mutant]]
		id = "${3:-one}"
		rule = "X"
		function = "f"
		from = "a"
		to = "b"
	TOML
}

test_mutants_defaults() {
	write_mutants a.toml 'config = "uml"' && exits 0 list_mutants && says 'mm/compaction.c: f()'
}

test_mutants_unknown_key() {
	write_mutants a.toml 'confg = "uml"' && exits 1 list_mutants && says 'unknown: confg; known are args, config'
}

test_mutants_missing_key() {
	write_mutants a.toml '' && sed -i '/^rule/d' "$work/table/a.toml" && exits 1 list_mutants &&
		says 'mutant one: missing: rule'
}

test_mutants_same_id_in_two_files() {
	write_mutants a.toml '' && write_mutants b.toml '' && exits 1 list_mutants && says 'mutant one is in' &&
		write_mutants b.toml '' two && exits 0 list_mutants
}

tree_sum() {
	sha256sum "$TREE/mm/compaction.c" "$TREE/mm/page_alloc.c"
}

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

# Starts a run and waits for its first row: the second mutant is being built then. The wait
# includes builds and perhaps another run.
start_mutants() {
	local patience=900
	mutant elsewhere compact_zone_order "no such text" "x"
	mutant right compact_zone_order "return compact_zone" "return  compact_zone"
	"$TOOLS/mutants.py" --table "$work/table.toml" --streams 1 --no-counts >"$log" 2>&1 &
	pid=$!
	wait_for first_row_or_ended && kill -0 "$pid"
}

first_row_or_ended() { grep -q "DOES NOT APPLY" "$log" || ! kill -0 "$pid"; }

# No process works in an overlay on the tree any more.
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
