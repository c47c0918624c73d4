#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# command.sh [stock]
#
# Tests of the command fragbed, inside a guest: each subcommand, JSON against table, what it
# says when something is missing or refused, that it gives back and restores. KTAP on
# stdout. With "stock" the module is the one that a kernel without our series gets.
#
# shellcheck disable=SC2016,SC2317,SC2329  # awk programs; cases are called by name

FRAGBED_COUNTS=${FRAGBED_COUNTS:-${FRAGBED_JOB_COUNTS:-${FRAGBED_OUT:+$FRAGBED_OUT/counts}}}
# Once only: lib.sh may start this script anew.
case "${1:-} ${FRAGBED_MODULE:-}" in
"stock "*-stock.ko) ;;
"stock "*) export FRAGBED_MODULE="${FRAGBED_MODULE%.ko}-stock.ko" ;;
esac
. "$(dirname "$0")/../../lib/lib.sh"

here=$(cd "$(dirname "$0")" && pwd)
command=$(cd "$here/../../command" && pwd)
tmp=$(mktemp -d)
at_exit "rm -rf '$tmp'"

# --- helpers -----------------------------------------------------------------

# check WHAT TEST...: one fact of a case; the first that fails is told.
check() {
	check_what=$1
	shift
	"$@" && return 0
	say "$check_what: failed: $*"
	sed 's/^/# out: /' "$tmp/out" | tail -n 5
	sed 's/^/# err: /' "$tmp/err" | tail -n 5
	return 1
}

# exits CODE ARGUMENT...: fragbed does, with its output in $tmp/out and $tmp/err.
exits() {
	exits_wanted=$1
	shift
	"$command/fragbed" "$@" >"$tmp/out" 2>"$tmp/err"
	exits_code=$?
	check "fragbed $*: exit code $exits_code" [ "$exits_code" -eq "$exits_wanted" ] &&
		check "no traceback" nowhere Traceback
}

nowhere() { ! grep -q "$1" "$tmp/out" "$tmp/err"; }
out_has() { check "stdout has '$1'" grep -qF -- "$1" "$tmp/out"; }
err_has() { check "stderr has '$1'" grep -qF -- "$1" "$tmp/err"; }
err_is_empty() { check "nothing on stderr" [ ! -s "$tmp/err" ]; }
inside() { "$here/command_checks.py" "$@"; }

last_line() { dmesg | sed -n 's/^\[[^]]*\] *\(fragbed: .*\)/\1/p' | tail -n 1; }

# refused ERRNO ARGUMENT...: what is said is the kernel's own line and the errno.
refused() {
	refused_errno=$1
	shift
	exits 1 "$@" &&
		check "it is the line of the log" [ "$(cat "$tmp/err")" = "$(last_line) ($refused_errno)" ]
}

is_json() { check "JSON" python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$tmp/out"; }
nothing_held() { check "nothing is held" [ -z "$(grep -v '^#' "$FRAGBED_DIR/hold/sets")" ]; }

pages_of() {
	awk -v name="$1" '$1 == name { sum += $6 } END { print sum + 0 }' "$FRAGBED_DIR/hold/sets"
}

# wait_for TEST...: until it is so, for ten seconds.
wait_for() {
	wait_tries=0
	until "$@"; do
		wait_tries=$((wait_tries + 1))
		[ "$wait_tries" -lt 100 ] || return 1
		sleep 0.1
	done
}

holds() { [ "$(pages_of "$1")" -gt 0 ]; }
holds_none() { [ "$(pages_of "$1")" = 0 ]; }

# --- what is missing -----------------------------------------------------------

case_not_loaded_says_how_to_load() {
	exits 1 caps && err_has "fragbed.ko is not loaded" && err_has "(ENOENT)" && exits 1 map &&
		err_has "fragbed.ko is not loaded" && exits 1 hold set=a type=unmovable order=0 count=1 &&
		err_has "insmod" && exits 0 --version && out_has "not loaded"
}

case_debugfs_not_mounted() {
	umount /sys/kernel/debug || return 1
	exits 1 map && err_has "mount -t debugfs none /sys/kernel/debug"
	not_mounted=$?
	mount -t debugfs debugfs /sys/kernel/debug
	return "$not_mounted"
}

case_no_debugfs_in_the_kernel() {
	umount /sys/kernel/debug || return 1
	grep -v debugfs /proc/filesystems >"$tmp/filesystems"
	mount --bind "$tmp/filesystems" /proc/filesystems
	exits 1 map && err_has CONFIG_DEBUG_FS
	no_debugfs=$?
	umount /proc/filesystems
	mount -t debugfs debugfs /sys/kernel/debug
	return "$no_debugfs"
}

case_not_root_says_sudo() {
	as_nobody='import os, sys; os.setgid(65534); os.setuid(65534); os.execv(sys.argv[1], sys.argv[1:])'
	python3 -c "$as_nobody" "$command/fragbed" map --chunk 64M >"$tmp/out" 2>"$tmp/err"
	check "it is refused" [ $? -eq 1 ] && err_has "must be root: sudo fragbed map --chunk 64M"
}

case_lockdown_is_explained() { inside lockdown_is_explained; }

# A kernel without a feature: the line of caps has the reason.
case_missing_feature_has_its_reason() {
	for feature in compact_direct mof spb; do
		! have_feature "$feature" || continue
		case $feature in
		compact_direct) exits 1 compact order=4 type=movable prio=async ;;
		mof) exits 1 mof $$ 1000 ;;
		spb) exits 1 spb table ;;
		esac && err_has "caps: $feature $(fact caps "$feature")" || return 1
	done
}

# --- map and top -------------------------------------------------------------------

case_map_tells_of_each_chunk() {
	chunk=$(cat "$FRAGBED_DIR/map_chunk")
	exits 0 map --chunk 64M && err_is_empty && out_has "one letter per 64 MiB" &&
		out_has "are unmovable" &&
		check "no colours" nowhere "$(printf '\033')" &&
		check "a row for each" [ "$(rows_drawn)" = "$(rows_at 65536)" ] &&
		check "map_chunk is as before" [ "$(cat "$FRAGBED_DIR/map_chunk")" = "$chunk" ]
}

rows_drawn() { grep -cE '^ +[0-9]+ +[0-9]+  [^ ]  ' "$tmp/out"; }

# How many rows the knob has at a size.
rows_at() {
	rows_before=$(cat "$FRAGBED_DIR/map_chunk")
	echo "$1" >"$FRAGBED_DIR/map_chunk"
	grep -vc '^#' "$FRAGBED_DIR/map"
	echo "$rows_before" >"$FRAGBED_DIR/map_chunk"
}

case_map_notes_a_kernel_without_the_series() {
	exits 0 map || return 1
	if [ "$(fact caps map_labels)" = yes ]; then
		check "no note" nowhere "note:"
	else
		out_has "note: this kernel is without fragbed's series"
	fi
}

case_map_json_is_the_table() { exits 0 map --json && is_json && inside map_is_one_object; }
case_map_adds_up_small_chunks() { inside merged_is_read; }

case_map_raw_is_the_knob() {
	exits 0 map --raw --chunk 128M &&
		check "header" [ "$(head -n 1 "$tmp/out" | cut -d' ' -f2)" = chunk_kb=131072 ] &&
		check "rows" [ "$(grep -vc '^#' "$tmp/out")" = "$(rows_at 131072)" ]
}

case_map_of_one_node() {
	exits 0 map --node 0 && out_has "Memory of node 0" && exits 1 map --node 9 &&
		err_has "node 9 has no memory"
}

case_map_bad_size_is_the_kernels_line() {
	refused EINVAL map --chunk 3M && exits 2 map --chunk huge && exits 2 map --count 2
}

case_map_to_a_closed_pipe() {
	"$command/fragbed" map --every 0.1 --count 5 2>"$tmp/err" | head -n 1 >"$tmp/out"
	check "nothing is said" [ ! -s "$tmp/err" ]
}

case_map_every_so_many_seconds() {
	exits 0 map --chunk 64M --every 0.2 --count 3 --json &&
		check "meta and three looks" [ "$(wc -l <"$tmp/out")" = 4 ]
}

case_map_record_and_report() {
	exits 0 map --chunk 64M --every 0.1 --count 4 --record "$tmp/rec" &&
		check "meta and four looks" [ "$(wc -l <"$tmp/rec/looks.jsonl")" = 5 ] &&
		exits 0 report "$tmp/rec" && out_has "over time" && out_has "4 looks" || return 1
	for file in index.html report.txt report.json; do
		check "$file" [ -s "$tmp/rec/$file" ] || return 1
	done
	check "the page is whole" grep -q '</html>' "$tmp/rec/index.html" &&
		exits 0 report --json "$tmp/rec" && is_json &&
		exits 1 map --record "$tmp/rec" && err_has "take another folder" && exits 1 report "$tmp" &&
		err_has "nothing to report on"
}

case_map_ctrl_c_restores() {
	chunk=$(cat "$FRAGBED_DIR/map_chunk")
	"$command/fragbed" map --chunk 64M --every 0.01 >"$tmp/out" 2>"$tmp/err" &
	child=$!
	wait_for [ -s "$tmp/out" ]
	kill -INT "$child"
	wait "$child"
	signalled=$?
	check "exit code $signalled" [ "$signalled" -eq 130 ] &&
		check "map_chunk is as before" [ "$(cat "$FRAGBED_DIR/map_chunk")" = "$chunk" ] &&
		err_is_empty
}

case_top_prints_screens() {
	exits 0 top --count 2 --every 0.1 &&
		check "two screens" [ "$(grep -c '^Memory of all nodes' "$tmp/out")" = 2 ] &&
		check "no codes" nowhere "$(printf '\033')" && out_has "Unusable free memory" &&
		out_has "Held: nothing" &&
		out_has "Churn: none" && out_has "Keep: none"
}

case_top_restores_the_terminal() { inside top_restores; }

# --- verbs ---------------------------------------------------------------------------

case_hold_and_free() {
	exits 0 hold && out_has "hold/sets: nothing" &&
		exits 0 hold set=a type=unmovable order=0 count=30 && check "held" [ "$(pages_of a)" = 30 ] &&
		exits 0 hold set=b type=reclaimable order=1 count=10 --json && is_json &&
		check "the same figures" inside same_figures hold/sets &&
		exits 0 free set=a every=3 && check "thinned" [ "$(pages_of a)" = 20 ] &&
		exits 0 free set=all && nothing_held && exits 2 free
}

case_refusals_are_the_kernels_lines() {
	refused EINVAL hold set=a type=unmovable order=0 count=1 colour=red &&
		refused EINVAL hold set=a type=pinned order=0 count=1 &&
		refused EINVAL hold set=a type=unmovable order=01 count=1 &&
		refused ENXIO free set=nosuch &&
		refused EINVAL fragment order=99 index=1 unmovable=0 seed=1 &&
		refused EINVAL churn go && refused E2BIG free "set=$(printf '%0300d' 0)" && nothing_held
}

case_fragment_and_free() {
	exits 0 fragment && out_has fragment/result &&
		exits 0 fragment order=3 index=30 unmovable=50 seed=1 && out_has "reached_permille" &&
		check "held" holds fragment && check "the same figures" inside same_figures fragment/result &&
		exits 0 fragment --json && is_json && exits 0 fragment free && nothing_held
}

case_churn_starts_and_stops() {
	exits 0 churn start rate=1000 order=0 unmovable=10 cpus=0 seed=1 limit_kb=4096 &&
		check "runs" [ "$(fact fragment/churn_status running)" = yes ] &&
		second_churn_is_busy && exits 0 top --count 1 && out_has "running yes" &&
		exits 0 churn stop && check "stopped" [ "$(fact fragment/churn_status running)" = no ] &&
		check "the same figures" inside same_figures fragment/churn_status
}

# There is no line in the log for each errno.
second_churn_is_busy() {
	exits 1 churn start rate=1000 order=0 unmovable=10 cpus=0 seed=1 && err_has "(EBUSY)"
}

case_keep_starts_and_stops() {
	exits 0 keep start order=3 index=10 unmovable=100 rate=5000 cpus=0 seed=1 &&
		out_has "running" &&
		exits 0 top --count 1 && out_has "index_target 10" && exits 0 keep stop --json && is_json &&
		check "stopped" [ "$(fact fragment/keep_status running)" = no ] &&
		check "the same figures" inside same_figures fragment/keep_status && refused EINVAL keep go
}

case_compact() {
	exits 0 compact order=4 type=movable && out_has "compact/last" && out_has " ns " &&
		check "the same figures" inside same_figures compact/last && exits 0 compact --json &&
		is_json &&
		refused EINVAL compact order=99 type=movable
}

case_mof() {
	address=$(sed -n '1s/-.*//p' /proc/$$/maps)
	exits 0 mof $$ "$address" && out_has "decided_by" &&
		check "the same figures" inside same_figures mof &&
		refused EFAULT mof $$ 1000
}

case_spb() {
	exits 0 spb && out_has "spb/table" && exits 0 spb stats && exits 0 spb check --json &&
		is_json &&
		exits 0 spb defrag spb=tainted ms=2000 && out_has "spb/defrag" &&
		exits 0 spb evacuate spb=clean ms=2000 &&
		check "the same figures" inside same_figures spb/evacuate &&
		refused EINVAL spb taint pages=1 set=x && refused EINVAL spb defrag spb=clean &&
		exits 2 spb table spb=1
}

case_spb_taint() {
	empty=$(awk '$5 == "empty" && $6 == $7 { print $3; exit }' "$FRAGBED_DIR/spb/table")
	exits 0 spb taint spb="$empty" zone=Normal pages=4 set=t && out_has unmovable &&
		check "held" [ "$(pages_of t)" = 4 ]
}

case_caps() {
	exits 0 caps && out_has page_size && inside same_figures caps && exits 0 caps --json && is_json
}

case_reset() {
	exits 0 hold set=a type=unmovable order=0 count=30 && exits 0 reset && nothing_held
}

# --- for as long as a command runs -----------------------------------------------------

case_hold_while_a_command_runs() {
	exits 7 hold set=w type=unmovable order=0 count=50 -- sh -c "cat $FRAGBED_DIR/hold/sets; exit 7" &&
		out_has "w unmovable 0 0 50 50 0" && err_has hold/sets && nothing_held &&
		exits 0 hold set=w type=unmovable order=0 count=50 --while true && nothing_held &&
		exits 127 hold set=w type=unmovable order=0 count=50 -- /no/such && nothing_held &&
		exits 1 hold set=w type=unmovable order=0 count=50 -- && err_has "no command"
}

case_fragment_while_a_command_runs() {
	exits 0 fragment order=3 index=30 unmovable=50 seed=1 -- grep fragment "$FRAGBED_DIR/hold/sets" &&
		out_has "fragment " && nothing_held
}

case_keep_while_a_command_runs() {
	exits 0 keep start order=3 index=10 unmovable=100 rate=5000 cpus=0 seed=1 -- \
		cat "$FRAGBED_DIR/fragment/keep_status" && out_has "running yes" && err_has "cost_permille" &&
		check "stopped" [ "$(fact fragment/keep_status running)" = no ]
}

case_churn_while_a_command_runs() {
	exits 0 churn start rate=1000 order=0 unmovable=10 cpus=0 seed=1 -- \
		cat "$FRAGBED_DIR/fragment/churn_status" && out_has "running yes" && check "stopped" [ "$(fact fragment/churn_status running)" = no ]
}

# hold_and_signal SIGNAL: leaves the exit code in $signalled.
hold_and_signal() {
	"$command/fragbed" hold set=k type=unmovable order=0 count=50 -- sleep 60 >"$tmp/out" 2>"$tmp/err" &
	child=$!
	wait_for holds k || return 1
	kill "-$1" "$child"
	wait "$child"
	signalled=$?
}

case_terminated_hold_gives_back() {
	hold_and_signal TERM && check "exit code $signalled" [ "$signalled" -eq 143 ] && nothing_held
}

# What it started goes on; that must not keep the memory.
case_killed_hold_gives_back() {
	hold_and_signal KILL && check "given back" wait_for holds_none k
}

# --- scenarios and reports ---------------------------------------------------------------

case_run_lists_the_scenarios() {
	exits 0 run && out_has quick && out_has defrag && exits 2 run nosuch &&
		exits 1 run quick nonsense
}

case_run_quick() {
	exits 0 run quick --out "$tmp/quick" && out_has "KTAP version 1" &&
		check "counted" [ -s "$tmp/quick/counts" ] &&
		check "still loaded" module_loaded
}

case_run_passes_the_exit_code() {
	exits 0 hold set=a type=unmovable order=0 count=30 && exits 4 run quick --out "$tmp/quick" &&
		out_has "held already"
}

# It ends by unloading the module, which was there before.
case_run_scenario_and_report() {
	exits 0 run compact SWEEP=3 --out "$tmp/compact" && check "loaded again" module_loaded &&
		exits 0 report "$tmp/compact" && out_has "Verdict" && out_has "this-machine" &&
		check "JSON is kept" [ -s "$tmp/compact/report.json" ]
}

# --- around it ------------------------------------------------------------------------------

case_help_fits_a_screen() {
	exits 0 --help && check "lines" [ "$(wc -l <"$tmp/out")" -le 24 ] && exits 2 &&
		exits 2 nonsense &&
		err_has "no such command" && exits 0 map --help
}

case_version() {
	exits 0 --version &&
		out_has "fragbed $(fact version fragbed), module $(fact version fragbed) is loaded"
}

case_found_by_a_symlink() {
	ln -s "$command/fragbed" "$tmp/fragbed" && "$tmp/fragbed" caps >"$tmp/out" 2>"$tmp/err" &&
		out_has page_size
}

# completes WORD...: the last one is completed; what is offered is in $tmp/out.
completes() {
	bash -c '. "$0"
		COMP_WORDS=(fragbed "$@") COMP_CWORD=$#
		_fragbed
		printf "%s\n" "${COMPREPLY[@]}"' "$command/fragbed.bash-completion" "$@" >"$tmp/out" 2>"$tmp/err"
	err_is_empty
}

case_completion() {
	completes ho && out_has hold && completes hold cou && out_has "count=" &&
		completes hold type = un && check "a value" [ "$(cat "$tmp/out")" = unmovable ] &&
		completes run "" && out_has quick && completes spb defrag s && out_has "spb=tainted"
}

case_log_is_clean() { log_check; }

first_cases='not_loaded_says_how_to_load debugfs_not_mounted no_debugfs_in_the_kernel'

cases='
not_root_says_sudo lockdown_is_explained missing_feature_has_its_reason map_tells_of_each_chunk
map_notes_a_kernel_without_the_series map_json_is_the_table map_adds_up_small_chunks
map_raw_is_the_knob map_of_one_node map_bad_size_is_the_kernels_line map_to_a_closed_pipe
map_every_so_many_seconds map_record_and_report map_ctrl_c_restores top_prints_screens
top_restores_the_terminal hold_and_free refusals_are_the_kernels_lines fragment_and_free
churn_starts_and_stops keep_starts_and_stops compact mof spb spb_taint caps reset
hold_while_a_command_runs fragment_while_a_command_runs churn_while_a_command_runs
keep_while_a_command_runs terminated_hold_gives_back killed_hold_gives_back
run_lists_the_scenarios run_quick run_passes_the_exit_code run_scenario_and_report
help_fits_a_screen version found_by_a_symlink completion log_is_clean'

without() {
	have_feature "$1" && return
	without_reason=$(fact caps "$1")
	echo "$1: ${without_reason#no }"
}

# A case that cannot be built here, and why.
skip_reason() {
	case $1 in
	compact) without compact ;;
	mof) without mof ;;
	spb | spb_taint) without spb ;;
	killed_hold_gives_back) [ -e "$FRAGBED_DIR/lease" ] || echo "this module has no knob lease" ;;
	run_scenario_and_report)
		without drain
		[ ! -d /sys/devices/system/node/node1 ] || command -v numactl >/dev/null ||
			echo "numactl is missing"
		;;
	esac
}

# Each case starts with nothing held and leaves nothing behind.
run_case() {
	reason=$(skip_reason "$1")
	if [ -n "$reason" ]; then
		skip "$(echo "$1" | tr _ ' ')" "$reason"
	else
		: >"$tmp/out"
		: >"$tmp/err"
		expect "$(echo "$1" | tr _ ' ')" "case_$1"
	fi
	[ ! -e "$FRAGBED_DIR/reset" ] || knob reset 1
}

# --- main --------------------------------------------------------------------------------

need_module
need which python3 -- "python3 is missing"
need which bash -- "bash is missing: completion is for it"
need test ! -d /sys/module/fragbed -- "fragbed.ko is loaded already"
check_needs
log_mark
ktap_start
for name in $first_cases; do
	run_case "$name"
done
load_module || exit 1
for name in $cases; do
	run_case "$name"
done
# shellcheck disable=SC2086  # lists of words
set -- $first_cases $cases
finish $#
