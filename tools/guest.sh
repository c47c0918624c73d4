#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# guest.sh [--config CONFIG] [--mem SIZE] [--timeout S] [--args "KERNEL ARGS"]
#          [--out DIR] [--counts NAME] [--kernel DIR] SCRIPT|NAME|COMMAND [ARGS...]
#
# Boots a guest and runs SCRIPT in it as root, or the scenario or test NAME of
# debugfs-scripts/, or a COMMAND of the host. The kernel is that of the configuration (default $CONFIG or uml), or with
# --kernel the file linux in DIR. The script's environment:
#
#   FRAGBED_REPO    this repository, read-only, at the same path as on the host
#   FRAGBED_OUT     DIR (default build/guest) of the host, writable
#   FRAGBED_MODULE  the fragbed.ko that belongs to this kernel
#   FRAGBED_CONFIG  the configuration
#   FRAGBED_COUNTS  file for "passed failed skipped"; --counts copies it to
#                   build/counts/NAME
#   FRAGBED_FORCE   1: scripts may allocate memory down to the watermarks
#   FRAGBED_JOB_*   as on the host
#
# DIR/kernel.log has the kernel's messages, DIR/config its configuration.
# Exit code: that of the script; 3 if the guest ended without one (panic, power off), 124
# after the time limit.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

config=${CONFIG:-uml} mem='' limit=300 args='' out=$OUT/guest counts='' kernel=''


while [ $# -gt 0 ]; do
	case $1 in
	--config) config=${2:?} && shift 2 ;;
	--mem) mem=${2:?} && shift 2 ;;
	--timeout) limit=${2:?} && shift 2 ;;
	--args) args=${2?} && shift 2 ;;
	--out) out=${2:?} && shift 2 ;;
	--counts) counts=${2:?} && shift 2 ;;
	--kernel) kernel=${2:?} && shift 2 ;;
	-*) usage ;;
	*) break ;;
	esac
done
[ $# -ge 1 ] || usage
check_config "$config"

# What guest-init.sh sources: environment and command of the job.
write_job() {
	printf 'export FRAGBED_FORCE=1 FRAGBED_REPO=%q FRAGBED_OUT=%q FRAGBED_MODULE=%q FRAGBED_CONFIG=%q FRAGBED_COUNTS=%q\n' \
		"$REPO" "$out" "$run/fragbed.ko" "$config" "$run/counts"
	env | sed -n 's/^\(FRAGBED_JOB_[A-Z0-9_]*\)=.*/\1/p' | while IFS= read -r name; do
		printf 'export %s=%q\n' "$name" "${!name}"
	done
	printf 'run_job() {'
	printf ' %q' "$@"
	printf '; }\n'
}

last_messages() {
	say "guest: $1; its last messages, from $out/kernel.log:"
	tail -n 25 "$out/kernel.log" >&2
}

# A guest that wrote no counts has failed.
bring_counts() {
	[ -n "$counts" ] || return 0
	if [ ! -s "$run/counts" ]; then
		write_counts "$counts" 0 1 0
		return
	fi
	mkdir -p "$COUNTS"
	cp "$run/counts" "$COUNTS/$counts"
}

# finish CODE: exits with the script's exit code, or with CODE, that of boot.py.
finish() {
	local code=$1
	cp "$run/kernel.log" "$out/kernel.log"
	bring_counts
	if [ -s "$run/status" ] && [ "$code" -eq 0 ]; then
		exit "$(cat "$run/status")"
	fi
	case $code in
	0) last_messages "powered off without an exit code" && code=3 ;;
	3) last_messages "the kernel died" ;;
	124) last_messages "killed at the time limit of ${limit}s" ;;
	esac
	exit "$code"
}

script=$1 && shift
[ -f "$script" ] || script=$(guest_script "$script")
mkdir -p "$out"
out=$(realpath "$out")
check_path "$out"
check_path "$REPO"
make_run_folder
get_kernel "$config" "$run" "$kernel"
[ ! -f "$run/config" ] || cp "$run/config" "$out/config"
write_job "$script" "$@" >"$run/job"
: >"$run/kernel.log"
code=0
# shellcheck disable=SC2086  # the arguments are words
run_stoppable "$TOOLS/boot.py" --config "$config" ${mem:+--mem "$mem"} --folder "$run" --out "$out" \
	--limit "$limit" --log "$run/kernel.log" --job "$run/job.out" -- \
	"init=$TOOLS/guest-init.sh" "FRAGBED_RUN=$run" kunit.enable=0 $args || code=$?
finish $code
