# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# Part of lib.sh: superpageblocks (SPBs), as spb/ shows them.

load_with_spb() {
	log_mark
	load_module || exit 1
	at_exit '! module_loaded || knob reset 1'
	need have_feature spb -- "spb: $(fact caps spb)"
	check_needs
}

# A script must not leave records that differ from the pages.
spb_records_are_true() {
	[ -r "$FRAGBED_DIR/spb/check" ] || return 0
	lib_broken=$(awk '!/^#/ && $3 > 0' "$FRAGBED_DIR/spb/check")
	[ -n "$lib_broken" ] || return 0
	say "the records of superpageblocks are wrong: $lib_broken"
	return 1
}

# The pages of an SPB.
spb_pages() { echo $(($(awk '!/^#/ { print $6; exit }' "$FRAGBED_DIR/spb/table") << $(fact caps pageblock_order))); }

# spb_count CATEGORY: the number of its SPBs that are not entirely holes.
spb_count() { awk -v category="$1" '$5 == category && $7 > 0 { nr++ } END { print nr + 0 }' "$FRAGBED_DIR/spb/table"; }

# All counters, each the sum over the zones: lines "name value".
spb_stats() {
	awk '!/^#/ { if (!($3 in sum)) name[++nr] = $3; sum[$3] += $4 }
		END { for (i = 1; i <= nr; i++) print name[i], sum[name[i]] }' "$FRAGBED_DIR/spb/stats"
}

# spb_stat NAME: one of these values; prints nothing if there is no such counter.
spb_stat() { spb_stats | awk -v name="$1" '$1 == name { print $2 }'; }

# One letter per SPB: # hole, . empty, m clean, t tainted, T tainted with movable pages.
# map_chunk must be set to the size of an SPB, so that the map has a row for each.
spb_letters() {
	awk 'NR == FNR { if (!/^#/) movable[$2] = $5; next }
		/^#/ { next }
		{ letter = "m" }
		$7 == 0 { letter = "#" }
		$7 > 0 && $5 == "empty" { letter = "." }
		$5 == "tainted" { letter = movable[$4] > 0 ? "T" : "t" }
		{ letters = letters letter }
		END { print letters }' "$FRAGBED_DIR/map" "$FRAGBED_DIR/spb/table"
}

# "zone number pages" of each tainted SPB that has movable pages. As above, map_chunk must
# be set.
spb_tainted_with_movable() {
	awk 'NR == FNR { if (!/^#/) movable[$2] = $5; next }
		$5 == "tainted" && movable[$4] > 0 { print $2, $3, movable[$4] }' "$FRAGBED_DIR/map" "$FRAGBED_DIR/spb/table"
}
