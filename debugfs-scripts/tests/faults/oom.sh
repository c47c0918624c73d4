#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# oom.sh: other processes use up the memory while the knobs hold some. The module frees its
# pages first, then the OOM killer kills one of these processes, and no other one. Prints KTAP.
#
# shellcheck disable=SC2317,SC2329  # cases are called by name

. "$(dirname "$0")/../../lib/lib.sh"
. "$(dirname "$0")/disturb.sh"

# --- helpers -----------------------------------------------------------------

# In UML each page of a process may be a mapping of the host, which allows 65530.
hog_mib=200

# Together they need more memory than there is; the OOM killer prefers them.
start_hogs() {
	hogs=
	for hog in $(seq $(($(meminfo MemTotal) / 1024 / hog_mib + 2))); do
		(
			echo 1000 >/proc/self/oom_score_adj
			exec python3 -c "import time; x = b'x' * ($hog_mib << 20); time.sleep(1000)"
		) 2>/dev/null &
		hogs="$hogs $!"
	done
}

killed() { log_since_mark | sed -n 's/.*Out of memory: Killed process \([0-9]*\) .*/\1/p'; }

one_was_killed() { [ -n "$(killed)" ]; }

stop_hogs() {
	for hog in $hogs; do
		kill -KILL "$hog" 2>/dev/null
		wait "$hog" 2>/dev/null
	done
}

only_hogs_were_killed() {
	say "killed: $(killed | wc -l) of $(echo "$hogs" | wc -w) hogs"
	for victim in $(killed); do
		case " $hogs " in
		*" $victim "*) ;;
		*) say "process $victim was not a hog" && return 1 ;;
		esac
	done
	one_was_killed
}

ours_went_first() { log_since_mark | grep -q 'fragbed: out of memory: freed'; }

# beside_hogs COMMAND...: repeats the command until a hog is killed.
beside_hogs() {
	log_mark
	begun=$(now)
	start_hogs
	until one_was_killed || [ $(($(now) - begun)) -gt 600 ]; do
		"$@"
	done
	stop_hogs
	only_hogs_were_killed
}

# --- cases -------------------------------------------------------------------

fragment_again() {
	knob fragment/run "order=1 index=1000 unmovable=50 seed=1 force=1"
	echo "$knob_errno" >>"$errnos"
	knob fragment/free 1
}

case_fragmentation() {
	: >"$errnos"
	beside_hogs fragment_again || return 1
	say "fragment/run:$(sort "$errnos" | uniq -c | tr -s ' \n' ' ')"
	# EOPNOTSUPP: the node is full, and the movable page came from another node.
	! grep -qvxE 'OK|EINTR|ENOMEM|ENOSPC|EOPNOTSUPP' "$errnos" && is_true_after
}

# In a kernel without nodes the pattern matches nothing and stays as it is: one word.
nr_nodes() {
	set -- /sys/devices/system/node/node[0-9]*
	echo $#
}

case_holds() {
	share=$((3 * $(nr_nodes)))
	must_knob hold/alloc "set=u type=unmovable order=0 count=$(($(free_pages) / share)) force=1"
	must_knob hold/alloc "set=m type=movable order=0 count=$(($(free_pages) / share)) force=1"
	beside_hogs sleep 0.2 && ours_went_first && nothing_held && is_true_after
}

# of_both NAME: the value in the status of churn and of keep.
of_both() { echo "$(fact fragment/churn_status "$1") $(fact fragment/keep_status "$1")"; }

case_churn_and_keeping() {
	must_knob fragment/churn "start rate=100000 order=1 unmovable=50 cpus=0 seed=1"
	must_knob fragment/keep "start order=4 index=900 unmovable=50 rate=300000 cpus=0 seed=1"
	sleep 1
	beside_hogs sleep 0.2 || return 1
	# They may have freed all their pages before, when an allocation failed.
	say "yielded: $(of_both yielded); held: $(of_both pages_held)"
	[ "$(of_both yielded)" = "yes yes" ] && [ "$(of_both pages_held)" = "0 0" ] && is_true_after
}

# --- main ------------------------------------------------------------------------

need_module
need test "${FRAGBED_FORCE:-}" = 1 -- "runs out of memory: only for a guest"
need which python3 -- "python3 is missing"
check_needs
errnos=${TMPDIR:-/tmp}/fragbed-errnos
at_exit "rm -f '$errnos'"
log_may_have_failed_allocations
begin
ktap_start
for name in fragmentation holds churn_and_keeping; do
	row_begins
	expect "out of memory beside $(echo $name | tr _ ' ')" "case_$name"
	expect "the log is clean" log_check
	expect "all pages are freed" row_ends
done
finish 9
