#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Takes superpageblocks through all their states, round by round: fills memory with movable
# pages, taints some superpageblocks on purpose, adds an unmovable load, defragments on
# demand, frees the unmovable pages, and evacuates the clean superpageblocks.
#
# Leaves for report.py in $FRAGBED_OUT: states, a line after each step with a letter for each
# superpageblock and all counters; answers/, what the knobs report; rounds, how many
# superpageblocks could be empty and how many are; meta.
# Exit: 0 done, 1 a check failed, 4 cannot run here.

. "$(dirname "$0")/../../lib/scenario.sh"

rounds=$FRAGBED_JOB_ROUNDS
seed=$FRAGBED_JOB_SEED
level=$((FRAGBED_JOB_PERCENT * 10))
out=${FRAGBED_OUT:?}
random=$seed
status=0

# How many superpageblocks are tainted on purpose, by how many pages each.
chosen=4
chosen_pages=64

# --- what is recorded ---------------------------------------------------------------

wrong() {
	say "round $round, $step: $*"
	status=1
}

# Hundredths of a second since the guest started.
ticks() {
	read -r uptime _ </proc/uptime
	# The 1 before the fraction: a shell takes 08 for a broken octal number.
	echo $((${uptime%.*} * 100 + 1${uptime#*.} - 100))
}

sample() {
	passed=$(($(ticks) - begun))
	letters=$(spb_letters)
	printf '%d.%02d %s %s %s%s\n' $((passed / 100)) $((passed % 100)) "$round" "$step" "$letters" \
		"$(spb_stats | awk '{ printf " %s=%s", $1, $2 }')" >>"$out/states"
	say "round $round, $step: $(spb_count empty) empty, $(spb_count clean) clean, $(spb_count tainted) tainted  $letters"
}

# begin_step NAME
begin_step() { step=$1; }

end_step() {
	sample
	spb_records_are_true || wrong "a record is wrong"
}

# ask KNOB LINE: writes the line and keeps what the knob reports.
ask() {
	must_knob "$1" "$2"
	cat "$FRAGBED_DIR/$1" >"$out/answers/$round-${1#spb/}"
}

# --- the steps -----------------------------------------------------------------------

# Allocates all memory and frees random pages again: so none of the superpageblocks is empty.
fill() {
	begin_step fill
	for count in 4096 256; do
		while knob hold/alloc "set=fill type=movable order=0 count=$count $force"; do :; done
	done
	dice 1000000
	must_knob hold/free "set=fill random=$((1000 - level)) seed=$dice"
	end_step
}

# "node zone number" of clean superpageblocks without holes and without a free pageblock.
clean_and_full() { awk '$5 == "clean" && $6 == $7 && $8 == 0 { print $1, $2, $3 }' "$FRAGBED_DIR/spb/table"; }

category_of() { awk -v zone="$1" -v nr="$2" '$2 == zone && $3 == nr { print $5 }' "$FRAGBED_DIR/spb/table"; }

# A random one. EBUSY: another task uses a page of it; then try another superpageblock.
taint_one() {
	tries=0
	while [ $tries -lt 5 ]; do
		tries=$((tries + 1))
		clean_and_full >"$work/clean"
		dice "$(($(wc -l <"$work/clean") + 1))"
		[ "$dice" -gt 0 ] || continue
		read -r node zone nr <<-END
			$(sed -n "${dice}p" "$work/clean")
		END
		if knob spb/taint "spb=$nr node=$node zone=$zone pages=$chosen_pages set=taint"; then
			[ "$(category_of "$zone" "$nr")" = tainted ] || wrong "spb $nr is not tainted"
			return 0
		fi
		[ "$knob_errno" = EBUSY ] || break
	done
	wrong "no superpageblock could be tainted: $knob_errno"
}

taint() {
	begin_step taint
	runs=$(spb_stat defrag_runs)
	number=0
	while [ $number -lt $chosen ]; do
		number=$((number + 1))
		taint_one
	done
	end_step
}

has_run() { [ "$(spb_stat defrag_runs)" -gt "$runs" ]; }

# The tainted superpageblocks are full of movable pages: background defragmentation must run.
load() {
	begin_step load
	number=0
	while [ $number -lt 12 ]; do
		number=$((number + 1))
		must_knob hold/alloc "set=load type=unmovable order=0 count=1024 $force"
	done
	tries=0
	until has_run || [ $tries -ge 50 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	has_run || wrong "background defragmentation did not run"
	end_step
}

# All possible reasons, as the knob $1 reports them.
reasons() {
	awk '$1 == "pinned" || $1 == "busy" || $1 == "no_target" || $1 == "fixed" || $1 == "left" ||
		$1 == "ended_pages" || $1 == "ended_time" || $1 == "ended_signal" { printf "%s %s, ", $1, $2 }' "$FRAGBED_DIR/$1"
}

# Unmovable pages ("fixed") are no reason why movable ones were not migrated.
has_reason_to_stay() {
	awk '$1 == "pinned" || $1 == "busy" || $1 == "no_target" || $1 == "left" ||
		$1 == "ended_pages" || $1 == "ended_time" { sum += $2 } END { exit !sum }' "$FRAGBED_DIR/spb/defrag"
}

# Pages may have been allocated there since: so try a second time before the verdict.
defrag() {
	begin_step defrag
	ask spb/defrag "spb=tainted"
	spb_tainted_with_movable >"$work/left"
	if [ -s "$work/left" ] && ! has_reason_to_stay; then
		ask spb/defrag "spb=tainted"
		spb_tainted_with_movable >"$work/left"
	fi
	say "defrag: $(fact spb/defrag spbs) visited, $(fact spb/defrag pages) pages moved, $(reasons spb/defrag)$(wc -l <"$work/left") still have movable pages"
	if [ -s "$work/left" ] && ! has_reason_to_stay; then
		wrong "these still have movable pages (zone, number, pages), without a reason: $(tr '\n' ';' <"$work/left")"
	fi
	end_step
}

# Random pages are freed, so that there are holes to fill.
free_some() {
	begin_step free
	must_knob hold/free set=taint
	must_knob hold/free set=load
	dice 1000000
	must_knob hold/free "set=fill random=400 seed=$dice"
	end_step
}

# The most superpageblocks that can be empty: the movable pages of the clean ones fill some.
# Superpageblocks with holes do not count.
most_empty() {
	awk -v size="$pages" 'NR == FNR { if (!/^#/) movable[$2] = $5; next }
		/^#/ || $7 == 0 || $5 == "tainted" { next }
		{ stays += movable[$4] }
		$6 == $7 { nr++; empty += $5 == "empty" }
		END { most = nr - int((stays + size - 1) / size); print (most > empty ? most : empty) }' \
		"$FRAGBED_DIR/map" "$FRAGBED_DIR/spb/table"
}

whole_empty() { awk '$5 == "empty" && $6 == $7 { nr++ } END { print nr + 0 }' "$FRAGBED_DIR/spb/table"; }

reports_why_not_emptied() {
	[ "$(fact spb/evacuate not_emptied)" -gt 0 ] || [ "$(fact spb/evacuate left)" -gt 0 ] || return 1
	awk '$1 == "pinned" || $1 == "busy" || $1 == "no_target" || $1 == "fixed" || $1 == "left" ||
		$1 == "ended_pages" || $1 == "ended_time" { sum += $2 } END { exit !sum }' "$FRAGBED_DIR/spb/evacuate"
}

evacuate() {
	begin_step evacuate
	most=$(most_empty)
	before=$(whole_empty)
	ask spb/evacuate "spb=clean"
	reached=$(whole_empty)
	echo "$round $before $most $reached" >>"$out/rounds"
	say "evacuate: $before empty before, $reached now, $most possible; $(fact spb/evacuate pages) pages moved," \
		"$(fact spb/evacuate emptied) emptied, $(fact spb/evacuate not_emptied) not: $(reasons spb/evacuate)"
	if [ "$reached" -lt "$most" ]; then
		grep '^in_the_way' "$FRAGBED_DIR/spb/evacuate" | sed 's/^/# /'
		reports_why_not_emptied || wrong "$reached are empty, $most could be, and the knob reports no reason"
	fi
	end_step
}

# 2048: what the run itself leaves in use, page cache, slabs and page tables.
memory_is_free() {
	echo 3 >/proc/sys/vm/drop_caches
	free_after=$(free_pages)
	[ "$free_after" -ge $((free_before - 2048)) ] && return 0
	say "not all memory was freed: $free_before pages free before, $free_after after"
	return 1
}

need_module
check_needs
load_with_spb
need test -n "$(spb_stat defrag_runs)" -- "spb/stats has no defrag_runs"
check_needs
work=$(mktemp -d)
at_exit "rm -rf '$work'"
rm -rf "$out/answers" "$out/states" "$out/rounds"
mkdir -p "$out/answers" || exit 1
pages=$(spb_pages)
must_knob map_chunk $((pages * $(fact caps page_size) / 1024))
{ scenario_meta && echo "spb_pages $pages"; } >"$out/meta"
begun=$(ticks)
echo 3 >/proc/sys/vm/drop_caches
free_before=$(free_pages)
round=0
say "defrag: $rounds rounds, $((level / 10))% filled, seed $seed, kernel $(uname -r)"
begin_step start
end_step
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	fill
	taint
	load
	defrag
	free_some
	evacuate
done
begin_step end
knob reset 1
end_step
memory_is_free || status=1
unload_module || status=1
log_check || status=1
echo "status $status" >>"$out/meta"
[ $status -eq 0 ] && say "defrag: $rounds rounds done, the records are correct, the log is clean"
finish_one $status
