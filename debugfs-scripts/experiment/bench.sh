#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh [--repeat N] [--out DIR]
#
# What `make bench` does: measures the cost of an allocation on mainline, on ours with the
# option off, and on ours with it on: in retired instructions, 3 starts of each, and in time on
# two CPUs at once, N times (5). In UML it also measures the cost of picking a superpageblock,
# and how fast superpageblocks are defragmented and evacuated.
# Leaves build/report-experiment/bench/, which the report of `make experiment` includes.
# Exit: 0 done, 1 failed, 4 refused (a requirement is missing).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
out=$repo/build/report-experiment/bench
repeat=5

while [ $# -gt 0 ]; do
	case $1 in
	--repeat) repeat=${2:?} ;;
	--out) out=${2:?} ;;
	*)
		sed -n '4,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
		exit 2
		;;
	esac
	shift 2
done

# guest KIND KERNEL NUMBER CPUS
guest() {
	local folder=$out/$1/$2/$3
	printf '== %s, %s, %s\n' "$1" "$2" "$3"
	mkdir -p "$folder"
	FRAGBED_JOB_CPUS=$4 "$repo/tools/guest.sh" --config "$1-$2" --mem 6G --timeout 1800 \
		--out "$folder" "$here/bench_guest.sh"
}

# In UML: the suite runs there.
picks() {
	"$repo/tools/kunit.sh" --config uml-spb --out "$out/kunit" 'fragbed_spb_pick*'
	grep -rhoE '[0-9]+ SPBs: [0-9.]+ ns a pick' "$out/kunit" | sort -un >"$out/picks"
}

# Not on the measured kernels: fragbed.ko needs one with the test hooks.
moves() {
	FRAGBED_JOB_ROUNDS=3 "$repo/tools/guest.sh" --config uml-spb --mem 1G --timeout 900 \
		--out "$out/defrag" "$here/../scenarios/defrag/guest.sh"
}

rm -rf "$out"
mkdir -p "$out"
git -C "$repo" describe --always --dirty >"$out/commit" 2>/dev/null || echo unknown >"$out/commit"
# Free memory is fragmented differently at each start, so three starts of each kernel.
for number in 1 2 3; do
	for kernel in mainline off spb; do
		guest count "$kernel" "$number" 1
	done
done
# In turn, so that other load of the host affects all kernels.
for number in $(seq "$repeat"); do
	for kernel in mainline off spb; do
		guest exp "$kernel" "$number" 2
	done
done
picks
moves
"$here/bench.py" "$out"
