#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Superpageblocks through all that happens to them, round by round: filled
# with what can move, some tainted by choice, a load that cannot move, defragmentation
# on demand, what cannot move given back, the clean ones evacuated.
#
#   FRAGBED_JOB_ROUNDS=3
#   FRAGBED_JOB_SEED=1
#   FRAGBED_JOB_PERCENT=70   of memory filled
#
# Leaves for report_defrag.py in $FRAGBED_OUT: states, a line after each step with a
# letter for each superpageblock and all counters; answers/, what the knobs said; rounds,
# how many could be empty and how many are; meta.
# Exit: 0 done, 1 something was not as it should be, 4 cannot run here.

. "$(dirname "$0")/../../lib/lib.sh"

rounds=${FRAGBED_JOB_ROUNDS:-3}
seed=${FRAGBED_JOB_SEED:-1}
level=$((${FRAGBED_JOB_PERCENT:-70} * 10))
out=${FRAGBED_OUT:?}
random=$seed
status=0

# How many are tainted by choice, by how many pages each.
choice=4
choice_pages=64

# --- what is told --------------------------------------------------------------------

wrong() {
	say "round $round, $step: $*"
	status=1
}

# Of the guest's life, in hundredths of a second.
ticks() {
	read -r uptime _ </proc/uptime
	# 1 before the fraction: 08 would be no number to a shell.
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

# ask KNOB LINE: what it says is kept.
ask() {
	must_knob "$1" "$2"
	cat "$FRAGBED_DIR/$1" >"$out/answers/$round-${1#spb/}"
}

# --- the steps -----------------------------------------------------------------------

# All there is, then a part of it all over the place is given back: so each
# superpageblock was touched, and none is empty.
fill() {
	begin_step fill
	for count in 4096 256; do
		while knob hold/alloc "set=fill type=movable order=0 count=$count $force"; do :; done
	done
	dice 1000000
	must_knob hold/free "set=fill random=$((1000 - level)) seed=$dice"
	end_step
}

# "node zone number" of those that are clean, without holes and without a free block.
clean_and_full() { awk '$5 == "clean" && $6 == $7 && $8 == 0 { print $1, $2, $3 }' "$FRAGBED_DIR/spb/table"; }

category_of() { awk -v zone="$1" -v nr="$2" '$2 == zone && $3 == nr { print $5 }' "$FRAGBED_DIR/spb/table"; }

# One by chance. Some page of it may be in use by someone else: then another one.
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
		if knob spb/taint "spb=$nr node=$node zone=$zone pages=$choice_pages set=taint"; then
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
	while [ $number -lt $choice ]; do
		number=$((number + 1))
		taint_one
	done
	end_step
}

has_run() { [ "$(spb_stat defrag_runs)" -gt "$runs" ]; }

# The tainted ones are full of what can move: something has to be done about that.
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
	has_run || wrong "nothing was done in the background"
	end_step
}

# All that may be a reason, as the answer of the knob $1 tells it.
reasons() {
	awk '$1 == "pinned" || $1 == "busy" || $1 == "no_target" || $1 == "fixed" || $1 == "left" ||
		$1 == "ended_pages" || $1 == "ended_time" || $1 == "ended_signal" { printf "%s %s, ", $1, $2 }' "$FRAGBED_DIR/$1"
}

# Pages that cannot move by nature are no reason why others did not.
has_reason_to_stay() {
	awk '$1 == "pinned" || $1 == "busy" || $1 == "no_target" || $1 == "left" ||
		$1 == "ended_pages" || $1 == "ended_time" { sum += $2 } END { exit !sum }' "$FRAGBED_DIR/spb/defrag"
}

# Whatever came there since is no fault: so a second look before the verdict.
defrag() {
	begin_step defrag
	ask spb/defrag "spb=tainted"
	spb_tainted_with_movable >"$work/left"
	if [ -s "$work/left" ] && ! has_reason_to_stay; then
		ask spb/defrag "spb=tainted"
		spb_tainted_with_movable >"$work/left"
	fi
	say "defrag: $(fact spb/defrag spbs) gone through, $(fact spb/defrag pages) pages moved, $(reasons spb/defrag)$(wc -l <"$work/left") still have what can move"
	if [ -s "$work/left" ] && ! has_reason_to_stay; then
		wrong "without a reason these still have what can move (zone, number, pages): $(tr '\n' ';' <"$work/left")"
	fi
	end_step
}

# Holes come to what can move, so that there is something to bring together.
give_back() {
	begin_step free
	must_knob hold/free set=taint
	must_knob hold/free set=load
	dice 1000000
	must_knob hold/free "set=fill random=400 seed=$dice"
	end_step
}

# The most that can be empty: what is movable in the clean ones fills some. Those with
# holes are not counted on.
most_empty() {
	awk -v size="$pages" 'NR == FNR { if (!/^#/) movable[$2] = $5; next }
		/^#/ || $7 == 0 || $5 == "tainted" { next }
		{ stays += movable[$4] }
		$6 == $7 { nr++; empty += $5 == "empty" }
		END { most = nr - int((stays + size - 1) / size); print (most > empty ? most : empty) }' \
		"$FRAGBED_DIR/map" "$FRAGBED_DIR/spb/table"
}

whole_empty() { awk '$5 == "empty" && $6 == $7 { nr++ } END { print nr + 0 }' "$FRAGBED_DIR/spb/table"; }

says_why_not_emptied() {
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
		says_why_not_emptied || wrong "$reached are empty, $most could be, and nothing tells why"
	fi
	end_step
}

write_meta() {
	{
		echo "fragbed $(fact version fragbed)"
		echo "kernel $(uname -r)"
		echo "kernel_build $(uname -v)"
		echo "cmdline $(cat /proc/cmdline)"
		echo "configuration ${FRAGBED_CONFIG:-unknown}"
		echo "rounds $rounds"
		echo "seed $seed"
		echo "percent $((level / 10))"
		echo "spb_pages $pages"
		cat "$FRAGBED_DIR/caps"
	} >"$out/meta"
}

# What the run itself leaves behind: file cache, slabs, page tables.
memory_is_back() {
	echo 3 >/proc/sys/vm/drop_caches
	free_after=$(free_pages)
	[ "$free_after" -ge $((free_before - 2048)) ] && return 0
	say "memory did not come back: $free_before pages free before, $free_after after"
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
write_meta
begun=$(ticks)
echo 3 >/proc/sys/vm/drop_caches
free_before=$(free_pages)
round=0
say "cycle: $rounds rounds, $((level / 10))% filled, seed $seed, kernel $(uname -r)"
begin_step start
end_step
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	fill
	taint
	load
	defrag
	give_back
	evacuate
done
begin_step end
knob reset 1
end_step
memory_is_back || status=1
unload_module || status=1
log_check || status=1
echo "status $status" >>"$out/meta"
[ $status -eq 0 ] && say "cycle: $rounds rounds done, the records are true, the log is clean"
finish_one $status
