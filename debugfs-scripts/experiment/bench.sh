#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh [--repeat N] [--out DIR]
#
# What `make bench` does: the price of an allocation on mainline, on ours with the option
# off, and on ours with it on: as retired instructions, 3 starts of each, and as time on
# two CPUs at once, N times over (5). Besides, in UML, what it costs to pick a
# superpageblock, and how fast they are defragmented and evacuated.
# Leaves build/report-experiment/bench/, which the report of `make experiment` shows.
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

# In UML, where its suite runs.
picks() {
	"$repo/tools/kunit.sh" --config uml-spb --out "$out/kunit" 'fragbed_spb_pick*'
	grep -rhoE '[0-9]+ SPBs: [0-9.]+ ns a pick' "$out/kunit" | sort -un >"$out/picks"
}

# fragbed.ko is not for kernels that are measured: it needs those with the tests.
moves() {
	FRAGBED_JOB_ROUNDS=3 "$repo/tools/guest.sh" --config uml-spb --mem 1G --timeout 900 \
		--out "$out/defrag" "$here/../scenarios/defrag/guest.sh"
}

rm -rf "$out"
mkdir -p "$out"
git -C "$repo" describe --always --dirty >"$out/commit" 2>/dev/null || echo unknown >"$out/commit"
# Starts of one kernel differ in what is free in small pieces, so three of each.
for number in 1 2 3; do
	for kernel in mainline off spb; do
		guest count "$kernel" "$number" 1
	done
done
# In turn, so that what else the host does hits all kernels.
for number in $(seq "$repeat"); do
	for kernel in mainline off spb; do
		guest exp "$kernel" "$number" 2
	done
done
picks
moves
"$here/report_bench.py" "$out"
