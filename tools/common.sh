#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced by every tool: paths, messages, waiting and locks. Messages go to stderr, so that a
# tool can print one result on stdout.
# shellcheck disable=SC2034  # the tools use the variables

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
TOOLS=$REPO/tools
OUT=$REPO/build
COUNTS=${FRAGBED_COUNTS_DIR:-$OUT/counts}
CACHE=${FRAGBED_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/fragbed}
KERNEL_DIR=${FRAGBED_KERNEL_DIR:-$REPO/kernel}
JOBS=$(nproc)
MODULE_SUBDIR=fragbed
LOCK_FDS=()

say() { printf '%s\n' "$*" >&2; }
warn() { say "warning: $*"; }
die() {
	say "error: $*"
	exit 1
}

# Prints the first paragraph of the script's head comment, which shows how to call it.
usage() {
	awk '!/^#/ { exit } /^#$/ { if (nr) exit; head = 1; next }
		head { print (nr++ ? "       " : "usage: ") substr($0, 3) }' "$0" >&2
	exit 1
}

# kbuild splits paths at blanks and make at colons.
check_path() {
	case $1 in
	*[[:space:]:]*) die "'$1': a kernel cannot be built in a path with blanks or colons" ;;
	esac
}

# config_names [GROUP]: all configurations, or those of a group.
config_names() { "$TOOLS/configurations.py" list "$@"; }

# config_field CONFIG FIELD: as in configurations.toml.
config_field() { "$TOOLS/configurations.py" "$1" "$2"; }

# configurations.py lists the known names.
check_config() { config_field "$1" build >/dev/null || exit 1; }

# guest_script NAME: path of the scenario or test of that name, or of the command.
guest_script() {
	local file names
	for file in "$REPO"/debugfs-scripts/{scenarios/"$1"/guest,tests/*/"$1"}.{sh,py}; do
		[ ! -x "$file" ] || { printf '%s\n' "$file" && return; }
	done
	type -P -- "$1" && return
	names=$(cd "$REPO/debugfs-scripts" && ls scenarios &&
		find tests -type f -executable ! -name run.sh -printf '%f\n' | sed 's/\..*//' | sort)
	die "no scenario, test or command '$1'; there are: ${names//$'\n'/ }"
}

# The kernel's reports of its own bugs, as one extended regular expression.
splats() { sed '/^#/d; /^$/d' "$REPO/debugfs-scripts/lib/splats" | paste -sd"|" -; }

# Ten hex digits of a hash of the arguments.
short_hash() { printf '%s\n' "$@" | sha256sum | cut -c1-10; }

# Trees in the cache carry the hash of their clone, so that two clones do not undo each
# other's patches.
clone_hash() { short_hash "$REPO"; }

seconds() { printf '%(%s)T' -1; }

# How far a long command has come, from its log: kbuild prints one line per file.
log_progress() {
	local n
	n=$(grep -cE '^ +(CC|LD|AR|AS|HOSTCC|GEN)' "$1" 2>/dev/null || :)
	if [ "${n:-0}" -gt 0 ]; then
		printf '%s files' "$n"
	elif [ -n "${PROGRESS_FILE:-}" ]; then
		du -shc "$PROGRESS_FILE"* 2>/dev/null | sed -n '$s/\t.*//p'
	fi
}

# Runs in parallel with the command and ends with the shell that started it. It must not keep
# the caller's locks, so it closes them. It waits by reading an empty pipe, since a "sleep"
# would outlive it.
progress_loop() {
	local what=$1 log=$2 start every=15 owner=$3 idle fd
	start=$(seconds)
	for fd in "${LOCK_FDS[@]}"; do
		exec {fd}>&-
	done
	exec {idle}<> <(:)
	[ ! -t 2 ] || every=1
	while read -rt "$every" -u "$idle" || kill -0 "$owner" 2>/dev/null; do
		if [ -t 2 ]; then
			printf '\r\033[K%s ... %ss %s' "$what" $(($(seconds) - start)) "$(log_progress "$log")" >&2
		else
			say "$what ... $(($(seconds) - start))s $(log_progress "$log")"
		fi
	done
}

# The errors in a log: with parallel jobs they are rarely at its end.
log_errors() {
	grep -A4 -E '(error|Error|ERROR|fatal|FAILED|E): |undefined reference|\*\*\* ' "$1" | head -n 40 | grep . ||
		tail -n 30 "$1"
}

# run_logged WHAT LOG COMMAND...: the command stays in the foreground, so that Ctrl-C reaches
# it. Its output goes to LOG; if it fails, the errors are printed.
run_logged() {
	local what=$1 log=$2 start rc=0 ticker owner=$BASHPID
	shift 2
	mkdir -p "$(dirname "$log")"
	: >"$log"
	start=$(seconds)
	say "$what"
	progress_loop "$what" "$log" "$owner" </dev/null >/dev/null &
	ticker=$!
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	kill "$ticker" 2>/dev/null || :
	wait "$ticker" 2>/dev/null || :
	[ ! -t 2 ] || printf '\r\033[K' >&2
	if [ $rc -ne 0 ]; then
		log_errors "$log" >&2
		say "$what: failed with exit code $rc after $(($(seconds) - start))s; whole log: $log"
		return $rc
	fi
	say "$what: done in $(($(seconds) - start))s"
}

# Held until this process ends. Tools started by this one inherit the lock through the
# environment.
take_lock() {
	local file=$CACHE/locks/$1 fd
	case " ${FRAGBED_LOCKS:-} " in
	*" $file "*) return 0 ;;
	esac
	mkdir -p "$CACHE/locks"
	exec {fd}>"$file"
	LOCK_FDS+=("$fd")
	if ! flock -n "$fd"; then
		say "another run is working on $1 in $CACHE; waiting for it"
		flock "$fd"
	fi
	export FRAGBED_LOCKS="${FRAGBED_LOCKS:-} $file"
}

# Makes a private folder in the cache, $run, which is deleted when this process ends. Its name
# has the process id, so that a later run can delete one that was left behind.
make_run_folder() {
	local old pid
	mkdir -p "$CACHE/run"
	for old in "$CACHE"/run/*-*; do
		pid=${old##*/}
		[ -e "/proc/${pid%%-*}" ] || rm -rf "$old"
	done
	run=$(mktemp -d "$CACHE/run/$$-XXXXXX")
	trap 'rm -rf "$run"' EXIT
}

# Like a plain call, but a signal to this shell alone ends the command first.
run_stoppable() {
	local child rc=0
	"$@" &
	child=$!
	trap 'kill -TERM $child 2>/dev/null; wait $child; exit 143' INT TERM HUP
	wait "$child" || rc=$?
	trap - INT TERM HUP
	return $rc
}

# get_kernel CONFIG FOLDER [BUILT]: puts the configuration's kernel and module into FOLDER:
# built now, or copied from the folder BUILT.
get_kernel() {
	if [ -z "${3:-}" ]; then
		"$TOOLS/build.sh" "$1" "$2" >/dev/null || exit 1
		return
	fi
	cp "$3/linux" "$2/" || die "there is no kernel in $3"
	find "$3" -maxdepth 1 \( -name 'fragbed*.ko' -o -name config \) -exec cp {} "$2/" \;
}

# write_counts NAME PASSED FAILED SKIPPED: .ci/run adds them up.
write_counts() {
	mkdir -p "$COUNTS"
	printf '%s %s %s\n' "$2" "$3" "$4" >"$COUNTS/$1"
}

# add_counts NAME...: sums up in PASSED, FAILED, SKIPPED. Missing counts are a failure.
add_counts() {
	local name passed failed skipped
	PASSED=0 FAILED=0 SKIPPED=0
	for name; do
		passed=0 failed=1 skipped=0
		[ ! -s "$COUNTS/$name" ] || read -r passed failed skipped <"$COUNTS/$name"
		PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
	done
}

check_path "$CACHE"
# The lists of configurations and tests are read by Python.
[ "${0##*/}" = packages.sh ] || command -v python3 >/dev/null || "$TOOLS/packages.sh" run
set -E
trap 'say "$0: line $LINENO failed with exit code $?"' ERR
