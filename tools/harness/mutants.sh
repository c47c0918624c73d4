# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # $work, $log, $TREE are the caller's
#
# tools/mutants.py on real builds: its verdicts, and that it leaves the tree as
# it was, however it ends.

mutant() {
	printf '[[mutant]]\nid = "%s"\nrule = "X"\nfile = "mm/compaction.c"\nfunction = "%s"\nfrom = "%s"\nto = "%s"\nlane = "uml"\n' \
		"$@" >>"$work/table.toml"
}

tree_sum() { sha256sum "$TREE/mm/compaction.c" "$TREE/mm/page_alloc.c"; }

test_real_mutant_verdicts() {
	local before
	before=$(tree_sum)
	mutant right compact_zone_order "ret = compact_zone" "ret =  compact_zone"
	mutant wrong compact_zone_order "ret = compact_zone" "panic(\\\\\"on purpose\\\\\"); ret = compact_zone"
	mutant elsewhere compact_zone_order "no such text" "x"
	mutant unfit compact_zone_order "ret = compact_zone" "ret = no_such_function"
	exits 1 "$TOOLS/mutants.py" --table "$work/table.toml" --no-counts &&
		says "SURVIVED" && says "DOES NOT APPLY" && says "DOES NOT BUILD" && says "kernel crashed" &&
		says "4 mutants, 1 killed, 1 survived, 2 not tried" && [ "$(tree_sum)" = "$before" ]
}

# Starts a run and waits for the first mutant to stand in the tree.
start_mutants() {
	mutant right compact_zone_order "ret = compact_zone" "ret =  compact_zone"
	"$TOOLS/mutants.py" --table "$work/table.toml" --no-counts >"$log" 2>&1 &
	pid=$!
	wait_for test -e "$TREE/.fragbed-mutant/name"
}

test_real_mutants_stopped() {
	local before pid rc=0
	before=$(tree_sum)
	start_mutants || return 1
	kill -TERM $pid
	wait $pid || rc=$?
	[ $rc -eq 143 ] && [ "$(tree_sum)" = "$before" ] && [ ! -e "$TREE/.fragbed-mutant" ]
}

test_real_mutants_killed() {
	local before pid
	before=$(tree_sum)
	start_mutants || return 1
	wait_for mutant_stands "$before"
	kill -KILL $pid
	wait $pid
	exits 0 "$TOOLS/prepare.sh" && [ "$(tree_sum)" = "$before" ] && [ ! -e "$TREE/.fragbed-mutant" ]
}

mutant_stands() { [ "$(tree_sum)" != "$1" ]; }
