#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh [--writes N] [--seed N] [--config CONFIG] [--kernel DIR]
#
# fuzz.sh in a guest of the configuration (fuzz-spb: two CPUs, KCOV), or with the linux and
# the modules in DIR as they are. Leaves in build/fuzz: kernel.log; log, what the kernel
# said besides its refusals; corpus, lines that came through what no line before them did.
# Exit: 0 done, 1 failed, 3 the kernel died or something hung, 124 time limit.
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
out=$repo/build/fuzz
writes=10000000 seed=1 config=fuzz-spb kernel=()

while [ $# -gt 0 ]; do
	case $1 in
	--writes) writes=${2:?} ;;
	--seed) seed=${2:?} ;;
	--config) config=${2:?} ;;
	--kernel) kernel=(--kernel "${2:?}") ;;
	*)
		sed -n '4,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
		exit 2
		;;
	esac
	shift 2
done

# A refusal is a line of the log: none on the console, and room for some seconds of them.
export FRAGBED_JOB_WRITES=$writes FRAGBED_JOB_SEED=$seed
rm -rf "$out"
mkdir -p "$out"
gcc -O2 -pthread -o "$out/fuzz" "$repo/debugfs-scripts/tests/fuzz/"fuzz{,_lines,_kernel}.c
exec "$repo/tools/guest.sh" --config "$config" "${kernel[@]}" --timeout $((1200 + writes / 200)) --out "$out" \
	--counts fuzz --args "loglevel=4 log_buf_len=16M kmemleak=on" "$repo/debugfs-scripts/tests/fuzz/fuzz.sh"
