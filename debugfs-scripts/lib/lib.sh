# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# What the guest scripts share. POSIX sh, runs under dash and busybox ash.
#
#   need TEST... -- REASON      a requirement; all that fail are told at once
#   need_module                 two of them: root, and a module to insert
#   check_needs                 exits 4 if any need was not met
#   at_exit COMMAND             undo, run last-in first-out when the script ends
#   setting PATH VALUE          write a system setting, restored at the end
#   log_mark, log_check         the kernel log since the mark is clean, or fails
#   load_module, unload_module  fragbed.ko
#   load_with_spb               exits 4 if the kernel has no superpageblocks
#   knob FILE LINE              write a knob; $knob_errno says what came back
#   fact FILE NAME              the value of one "name value" line
#   pass, fail, skip DESC       one KTAP line each; finish exits with the truth
#   finish_one STATUS           that of a script that is one test
#   dice N, type_of N           choices by chance, from $random on
#   meminfo NAME, used_permille how full memory is
#   kept_back                   what KASAN may have of it, in pages
#   $force                      for lines that may go down to the watermarks
#   spb_*                       what spb/ tells of superpageblocks

# dash cannot tell errnos apart, and starting a program that can is the dearest
# thing a script does in UML.
if [ -z "${FRAGBED_SHELL:-}" ] && command -v busybox >/dev/null; then
	export FRAGBED_SHELL=busybox
	exec busybox sh "$0" "$@"
fi

FRAGBED_DIR=/sys/kernel/debug/fragbed

# The folder of this file, which POSIX sh does not know: as seen from the script, or in
# the repository.
for lib_folder in "${0%/*}/../../lib" "${0%/*}/../lib" "${FRAGBED_REPO:-}/debugfs-scripts/lib"; do
	[ ! -f "$lib_folder/splats" ] || break
done
lib_folder=$(cd "$lib_folder" && pwd) || exit 1

# A guest's memory is its own; on other machines a tenth stays free.
# shellcheck disable=SC2034
force=${FRAGBED_FORCE:+force=1}
LC_ALL=C
export LC_ALL

say() { printf '# %s\n' "$*"; }

# --- undo ------------------------------------------------------------------

lib_undo=
lib_newline='
'

at_exit() { lib_undo="$1$lib_newline$lib_undo"; }

lib_run_undo() {
	lib_status=$?
	trap - EXIT
	trap '' INT TERM HUP
	eval "$lib_undo"
	exit "$lib_status"
}

trap lib_run_undo EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# --- requirements ----------------------------------------------------------

lib_missing=

# need TEST... -- REASON...
need() {
	lib_test=
	while [ "$1" != -- ]; do
		lib_test="$lib_test '$1'"
		shift
	done
	shift
	eval "$lib_test" >/dev/null 2>&1 || lib_missing="$lib_missing$*$lib_newline"
}

need_module() {
	need test "$(id -u)" = 0 -- "must be root"
	need test -f "${FRAGBED_MODULE:-}" -- "FRAGBED_MODULE names no fragbed.ko"
}

check_needs() {
	[ -n "$lib_missing" ] || return 0
	printf '%s' "$lib_missing" | while IFS= read -r lib_reason; do
		say "SKIP: $lib_reason"
	done
	exit 4
}

# refuse REASON: this run cannot count, for a reason found on the way.
refuse() {
	say "SKIP: $*"
	exit 4
}

have_feature() { [ "$(fact caps "$1")" = yes ]; }

# --- settings --------------------------------------------------------------

lib_saved=

# setting PATH VALUE: the value before the first write comes back at the end. Of a list
# to choose from it is the word in brackets.
setting() {
	case " $lib_saved " in
	*" $1 "*) ;;
	*)
		lib_old=$(sed 's/.*\[\(.*\)\].*/\1/' "$1") || return 1
		lib_saved="$lib_saved $1"
		at_exit "echo '$lib_old' >'$1'"
		;;
	esac
	echo "$2" >"$1"
}

# --- kernel log ------------------------------------------------------------

lib_mark=
lib_no_memory='page allocation failure|Call Trace'
lib_kmemleak=/sys/kernel/debug/kmemleak

log_mark() {
	lib_mark="fragbed-mark-$$-$(cut -d' ' -f1 /proc/uptime)"
	echo "$lib_mark" >/dev/kmsg
}

# The kernel's reports of its own bugs, as one extended regular expression. Not kmemleak's,
# which also counts objects of the kernel's start-up: leaks() sorts those out.
splats() { sed '/^#/d; /^$/d; /^kmemleak/d' "$lib_folder/splats" | paste -sd'|' -; }

# For a script that allocates more memory than there is: the kernel logs that. Splats are
# looked for in any case.
log_may_have_failed_allocations() { lib_no_memory=; }

log_since_mark() { dmesg | sed -n "/$lib_mark/,\$p" | sed 1d; }

# Off by default in our kernel (kmemleak=on turns it on): nothing to scan then.
kmemleak_scan() {
	[ -w $lib_kmemleak ] || return 0
	echo scan >$lib_kmemleak 2>/dev/null || return 0
	# Objects younger than five seconds are not reported.
	sleep 6
	echo scan >$lib_kmemleak 2>/dev/null
}

# What was leaked, if anything. Objects of pid 0 are the kernel's own start-up.
leaks() {
	grep '^  comm' $lib_kmemleak 2>/dev/null | grep -qv 'pid 0,' && cat $lib_kmemleak
}

# Prints the trouble found and fails if there is any.
log_check() {
	kmemleak_scan
	log_since_mark >"${TMPDIR:-/tmp}/fragbed-log"
	if ! dmesg | grep -q "$lib_mark"; then
		say "the kernel log was overwritten since its mark"
		return 1
	fi
	lib_found=$(grep -E "$(splats)${lib_no_memory:+|$lib_no_memory}" "${TMPDIR:-/tmp}/fragbed-log"; leaks)
	[ -n "$lib_found" ] || return 0
	say "the kernel log has:"
	printf '%s\n' "$lib_found" | sed 's/^/#   /'
	return 1
}

# --- the module ------------------------------------------------------------

module_loaded() { grep -q '^fragbed ' /proc/modules; }

load_module() {
	module_loaded && return 0
	insmod "${FRAGBED_MODULE:?path of fragbed.ko}" || return 1
	at_exit 'module_loaded && unload_module'
}

load_with_spb() {
	log_mark
	load_module || exit 1
	at_exit '! module_loaded || knob reset 1'
	need have_feature spb -- "spb: $(fact caps spb)"
	check_needs
}

unload_module() {
	lib_records=0
	spb_records_are_true || lib_records=1
	rmmod fragbed && return $lib_records
}

# --- knobs -----------------------------------------------------------------

knob_errno=

lib_errno_name() {
	case $1 in
	*"Invalid argument"*) echo EINVAL ;;
	*"No such device or address"*) echo ENXIO ;;
	*"No such process"*) echo ESRCH ;;
	*"Bad address"*) echo EFAULT ;;
	*"Device or resource busy"* | *"Resource busy"*) echo EBUSY ;;
	*"Interrupted system call"*) echo EINTR ;;
	*"Resource temporarily unavailable"*) echo EAGAIN ;;
	*"Cannot allocate memory"* | *"Out of memory"*) echo ENOMEM ;;
	*"Operation not supported"* | *"Not supported"*) echo EOPNOTSUPP ;;
	*"No space left on device"*) echo ENOSPC ;;
	*"Argument list too long"*) echo E2BIG ;;
	*"Permission denied"*) echo EACCES ;;
	*"Operation not permitted"*) echo EPERM ;;
	*) echo "unknown (${1:-no message})" ;;
	esac
}

# The shell itself writes if it can. Not with printf: that of busybox is a success
# even if the write was refused. Its echo tries again on EINTR.
lib_error=${TMPDIR:-/tmp}/fragbed-error.$$
at_exit "rm -f '$lib_error'"
lib_echo='echo'
{ echo x >/dev/full; } 2>"$lib_error"
grep -q 'No space left' "$lib_error" || lib_echo='busybox echo'

# knob FILE LINE: one write; sets knob_errno to OK or to the errno's name.
knob() {
	if { $lib_echo "$2" >"$FRAGBED_DIR/$1"; } 2>"$lib_error"; then
		knob_errno=OK
		return 0
	fi
	knob_errno=$(lib_errno_name "$(cat "$lib_error")")
	return 1
}

# must_knob FILE LINE: as knob, and ends the script if it fails.
must_knob() {
	knob "$1" "$2" && return 0
	say "$1: '$2' failed with $knob_errno"
	log_since_mark | grep "fragbed: " | tail -n 1 | sed 's/^/# /'
	exit 1
}

fact() {
	while read -r lib_name lib_value; do
		[ "$lib_name" = "$2" ] || continue
		echo "$lib_value"
		return 0
	done <"$FRAGBED_DIR/$1"
	return 1
}

# Pages free for all uses: in the free areas or on a per-cpu list.
free_pages() {
	awk '$1 == "nr_free_pages" || $1 == "count:" { sum += $2 } END { print sum }' /proc/zoneinfo
}

# meminfo NAME: KiB.
meminfo() {
	while read -r lib_name lib_value _; do
		[ "$lib_name" = "$1:" ] || continue
		echo "$lib_value"
		return 0
	done </proc/meminfo
	return 1
}

# Pages that KASAN may keep back of what was freed.
kept_back() {
	if grep -q ' kasan_report$' /proc/kallsyms; then
		echo $(($(meminfo MemTotal) / 4 / 32))
	else
		echo 0
	fi
}

# How much of memory is in use for good: neither free nor cache that could go.
used_permille() {
	lib_total=$(meminfo MemTotal)
	echo $(((lib_total - $(meminfo MemAvailable)) * 1000 / lib_total))
}

# Full seconds since the guest was started.
now() { cut -d. -f1 /proc/uptime; }

# --- a load by chance --------------------------------------------------------

# One generator for all choices: $dice is a number below $1. $random is the seed first.
random=1
dice=0

dice() {
	random=$(((random * 1103515245 + 12345) % 2147483648))
	dice=$((random / 65536 % $1))
}

type_of() {
	case $1 in
	0) echo movable ;;
	1) echo reclaimable ;;
	*) echo unmovable ;;
	esac
}

# Inodes and names in a folder of tmpfs, and pages; now and then all of it goes.
write_files() {
	dice 60
	lib_count=0
	while [ $lib_count -lt 40 ]; do
		head -c $(((dice + 1) * 8192)) /dev/zero >"$1/$lib_count" 2>/dev/null
		: >"$1/empty$dice.$lib_count"
		lib_count=$((lib_count + 1))
	done
	dice 3
	[ "$dice" -ne 0 ] || rm -f "$1"/*
}

# --- superpageblocks ---------------------------------------------------------

# What a script did must not have made the records wrong.
spb_records_are_true() {
	[ -r "$FRAGBED_DIR/spb/check" ] || return 0
	lib_broken=$(awk '!/^#/ && $3 > 0' "$FRAGBED_DIR/spb/check")
	[ -n "$lib_broken" ] || return 0
	say "the records of superpageblocks are wrong: $lib_broken"
	return 1
}

# Pages in one of them.
spb_pages() { echo $(($(awk '!/^#/ { print $6; exit }' "$FRAGBED_DIR/spb/table") << $(fact caps pageblock_order))); }

# How many there are of a category, but for those that are all holes.
spb_count() { awk -v category="$1" '$5 == category && $7 > 0 { nr++ } END { print nr + 0 }' "$FRAGBED_DIR/spb/table"; }

# All counters, those of the zones added up: a line "name value" each.
spb_stats() {
	awk '!/^#/ { if (!($3 in sum)) name[++nr] = $3; sum[$3] += $4 }
		END { for (i = 1; i <= nr; i++) print name[i], sum[name[i]] }' "$FRAGBED_DIR/spb/stats"
}

# spb_stat NAME: one of them, in all zones; nothing if there is no such counter.
spb_stat() { spb_stats | awk -v name="$1" '$1 == name { print $2 }'; }

# A letter for each, by what is in its pages: the map has a row for each once map_chunk
# has their size.
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

# Of each tainted one that holds pages that can move: "zone number pages".
spb_tainted_with_movable() {
	awk 'NR == FNR { if (!/^#/) movable[$2] = $5; next }
		$5 == "tainted" && movable[$4] > 0 { print $2, $3, movable[$4] }' "$FRAGBED_DIR/map" "$FRAGBED_DIR/spb/table"
}

# --- KTAP ------------------------------------------------------------------

lib_passed=0
lib_failed=0
lib_skipped=0

ktap_start() { echo 'KTAP version 1'; }

lib_number() { echo $((lib_passed + lib_failed + lib_skipped)); }

pass() {
	lib_passed=$((lib_passed + 1))
	echo "ok $(lib_number) - $1"
}

fail() {
	lib_failed=$((lib_failed + 1))
	echo "not ok $(lib_number) - $1"
}

skip() {
	lib_skipped=$((lib_skipped + 1))
	echo "ok $(lib_number) - $1 # SKIP $2"
}

# expect DESC TEST...: pass or fail by the exit status of the test.
expect() {
	lib_desc=$1
	shift
	if "$@"; then
		pass "$lib_desc"
	else
		fail "$lib_desc"
	fi
}

# finish EXPECTED: the plan, the counts, and an exit status that is true. Ran
# another number of cases than expected: something was lost on the way.
finish() {
	echo "1..$(lib_number)"
	echo "# $lib_passed passed, $lib_failed failed, $lib_skipped skipped"
	[ "$(lib_number)" -eq "$1" ] || {
		say "expected $1 cases, ran $(lib_number)"
		lib_failed=$((lib_failed + 1))
	}
	echo "$lib_passed $lib_failed $lib_skipped" >"${FRAGBED_COUNTS:-/dev/null}"
	[ "$lib_failed" -eq 0 ] || exit 1
	[ "$lib_passed" -gt 0 ] || exit 4
	exit 0
}

# finish_one STATUS: the same for a script that is one test.
finish_one() {
	echo "$((1 - $1)) $1 0" >"${FRAGBED_COUNTS:-/dev/null}"
	exit "$1"
}
