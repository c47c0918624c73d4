#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh [--writes N] [--seed N] [--config CONFIG] [--kernel DIR]
#
# Runs fuzz.sh in a guest of the configuration (fuzz-spb: two CPUs, KCOV); with --kernel uses
# DIR/linux and the modules in DIR without a build. Leaves in build/fuzz: kernel.log; log, the
# kernel's messages without the module's rejections; corpus, lines that reached new code.
# Exit code: 0 passed, 1 failed, 3 the kernel died or a write hung, 124 time limit.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../../tools/common.sh"
out=$OUT/fuzz here=$REPO/debugfs-scripts/tests/fuzz
writes=10000000 seed=1 config=fuzz-spb kernel=()

while [ $# -gt 0 ]; do
	case $1 in
	--writes) writes=${2:?} ;;
	--seed) seed=${2:?} ;;
	--config) config=${2:?} ;;
	--kernel) kernel=(--kernel "${2:?}") ;;
	*) usage ;;
	esac
	shift 2
done

# Each rejection is a line of the log: none on the console, and a log for some seconds of them.
export FRAGBED_JOB_WRITES=$writes FRAGBED_JOB_SEED=$seed
rm -rf "$out"
mkdir -p "$out"
gcc -O2 -pthread -o "$out/fuzz" "$here"/fuzz{,_lines,_kernel}.c
exec "$TOOLS/guest.sh" --config "$config" "${kernel[@]}" --timeout $((1200 + writes / 200)) --out "$out" \
	--counts fuzz --args "loglevel=4 log_buf_len=16M kmemleak=on" fuzz
