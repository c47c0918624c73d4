#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A steady load that cannot move while memory is nearly full, in a guest: pages of
# order 0 to 3, files and pipes come and go, all the rest is taken by what can move. No
# superpageblock may be tainted as long as a tainted one has something to move out.
#
#   FRAGBED_JOB_SECONDS=60   how long
#   FRAGBED_JOB_PERCENT=90   of memory in use
#   FRAGBED_JOB_SEED=1
#
# In $FRAGBED_OUT: samples, a line each second; before and after, all counters.
# Exit: 0 done, 1 one was tainted too early, a record was wrong or the log has trouble,
# 4 cannot run here.

. "$(dirname "$0")/lib.sh"

seconds=${FRAGBED_JOB_SECONDS:-60}
seed=${FRAGBED_JOB_SEED:-1}
level=$((${FRAGBED_JOB_PERCENT:-90} * 10))
out=${FRAGBED_OUT:?}
files=${TMPDIR:-/tmp}/fragbed-press
random=$seed
early=became_tainted_too_early

# --- what can move ---------------------------------------------------------------

fills=0

# Where free memory is short because of caches, writing takes it from there.
fill_more() {
	knob hold/alloc "set=fill$fills type=movable order=0 count=1024" ||
		head -c 4194304 /dev/zero >"$files/fill/$fills" 2>/dev/null || return 1
	fills=$((fills + 1))
}

fill_less() {
	fills=$((fills - 1))
	if [ -e "$files/fill/$fills" ]; then
		rm -f "$files/fill/$fills"
	else
		knob hold/free "set=fill$fills"
	fi
}

# The load's own share varies: what can move makes up for it.
keep_level() {
	while [ "$(used_permille)" -lt "$level" ]; do
		fill_more || return 1
	done
	while [ "$(used_permille)" -gt $((level + 10)) ] && [ $fills -gt 0 ]; do
		fill_less
	done
}

file_cache() { echo $(($(meminfo 'Active(file)') + $(meminfo 'Inactive(file)'))); }

# Some cache, which comes and goes with the load.
read_files() {
	for file in /usr/bin/*; do
		[ "$(file_cache)" -lt 40960 ] || break
		cat "$file" >/dev/null 2>&1
	done
}

# --- what cannot -----------------------------------------------------------------

pipes=

# Full, and open until its process ends.
open_pipe() {
	rm -f "$files/pipe"
	mkfifo "$files/pipe"
	(
		exec 3<>"$files/pipe"
		head -c 65536 /dev/zero >&3
		exec sleep 100000
	) &
	pipes="$pipes $!"
	# The next one is another pipe only once this one was opened.
	sleep 0.05
}

close_pipes() {
	for pid in $pipes; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	pipes=
}

held=' '

# A set is given back and taken anew, of another order and size.
hold_some() {
	dice 24
	name=load$dice
	case $held in
	*" $name "*) knob hold/free "set=$name" ;;
	*) held="$held$name " ;;
	esac
	dice 3
	type=$(type_of $((dice + 1)))
	dice 4
	order=$dice
	dice 800
	if knob hold/alloc "set=$name type=$type order=$order count=$(((dice + 64) >> order))"; then
		holds=$((holds + 1))
	else
		refused=$((refused + 1))
		held=$(echo "$held" | sed "s/ $name / /")
	fi
}

load_step() {
	hold_some
	dice 12
	case $dice in
	0) write_files "$files/small" ;;
	1 | 2) open_pipe ;;
	3)
		dice 4
		[ "$dice" -ne 0 ] || close_pipes
		;;
	esac
}

# --- what is watched ---------------------------------------------------------------

sample() {
	echo "$1 $(used_permille) $(spb_count empty) $(spb_count clean) $(spb_count tainted)" \
		"$(spb_stat $early) $holds $refused" >>"$out/samples"
}

# The log is small and each refusal takes a line of it.
check_all() {
	checks=$((checks + 1))
	spb_records_are_true || return 1
	if log_since_mark | grep -q 'fragbed: out of memory'; then
		say "memory ran out"
		return 1
	fi
	log_check || return 1
	log_mark
}

tell() {
	say "$1 s: $(tail -n 1 "$out/samples" | awk '{ print $2 / 10 "% in use;", $3, "empty,", $4, "clean,", $5, "tainted, too early:", $6 }');" \
		"$holds holds, $refused refused, $checks checks"
}

# Each second.
watch() {
	read_files
	keep_level
	sample "$1"
	if [ $(($1 - checked)) -ge 10 ]; then
		check_all || return 1
		checked=$1
	fi
	if [ $(($1 / 60)) -gt $told ]; then
		told=$(($1 / 60))
		tell "$1"
	fi
}

press() {
	checks=0 holds=0 refused=0 last=0 checked=0 told=0
	begun=$(now)
	while [ $last -lt "$seconds" ]; do
		load_step
		at=$(($(now) - begun))
		[ $at -gt $last ] || continue
		last=$at
		watch "$at" || return 1
	done
	tell "$last"
	check_all
}

# The load comes and goes within a second; more than that would be another test.
level_was_kept() {
	least=$(awk 'NR == 1 || $2 < least { least = $2 } END { print least + 0 }' "$out/samples")
	say "at least $least permille of memory were in use, $level wanted"
	[ "$least" -ge $((level - 100)) ]
}

# Counted from when memory is full.
counted_early() {
	awk -v name=$early 'NR == FNR { before[$1] = $2; next } $1 == name { print $2 - before[$1] }' \
		"$out/before" "$out/after"
}

need test "$(id -u)" = 0 -- "must be root"
need test -f "${FRAGBED_MODULE:-}" -- "FRAGBED_MODULE names no fragbed.ko"
check_needs
log_mark
load_module || exit 1
need have_feature spb -- "spb: $(fact caps spb)"
check_needs
need test -n "$(spb_stat $early)" -- "spb/stats has no $early"
check_needs
at_exit 'knob reset 1'
at_exit "rm -rf '$files'"
at_exit 'close_pipes'
mkdir -p "$files/fill" "$files/small" || exit 1
: >"$out/samples"
say "press: $seconds s at $((level / 10))% of memory, seed $seed, kernel $(uname -r)"
read_files
keep_level || refuse "only $(used_permille) permille of memory could be filled, not $level"
say "filled: $(used_permille) permille in use by $fills pieces of 4 MiB"
spb_stats >"$out/before"
status=0
press || status=1
spb_stats >"$out/after"
level_was_kept || refuse "memory could not be kept full"
spb_stats_table "$out/before" "$out/after"
too_early=$(counted_early)
if [ "$too_early" != 0 ]; then
	say "${too_early:-unknown} times a superpageblock was tainted while another could have been emptied of what can move"
	status=1
fi
close_pipes
knob reset 1
rm -rf "$files"
spb_records_are_true || status=1
unload_module || status=1
log_check || status=1
[ $status -eq 0 ] && say "press: none was tainted too early in $last s, $holds holds"
echo "$((1 - status)) $status 0" >"${FRAGBED_COUNTS:-/dev/null}"
exit $status
