#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh [--mem SIZE] [--seeds "N..."] [--workloads "NAME..."] [--kernels "NAME..."]
#        [--rounds N] [--percent N] [--timeout S] [--out DIR]
#
# What `make experiment` does: runs the same workloads with the same seeds on each kernel, one
# guest after another, and makes one report of all in build/report-experiment/. A run that has
# a result from the same kernel and parameters is not repeated: an interrupted experiment
# resumes where it was.
#
#   workloads  files buffers build
#   kernels    mainline          unpatched Linux
#              mainline-defrag   the same with vm.defrag_mode=1
#              spb               ours
#              spb-defrag, off   ours with vm.defrag_mode=1, with the option off
#
# Exit: 0 done, 1 a run failed (the remaining runs are made), 4 refused.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
out=$repo/build/report-experiment
mem=12G seeds='1 2 3' workloads='files buffers build' kernels='mainline mainline-defrag spb' limit=3600
export FRAGBED_JOB_ROUNDS=1 FRAGBED_JOB_PERCENT=52

usage() {
	sed -n '4,19s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || usage
	case $1 in
	--mem) mem=$2 ;;
	--seeds) seeds=$2 ;;
	--workloads) workloads=$2 ;;
	--kernels) kernels=$2 ;;
	--rounds) FRAGBED_JOB_ROUNDS=$2 ;;
	--percent) FRAGBED_JOB_PERCENT=$2 ;;
	--timeout) limit=$2 ;;
	--out) out=$2 ;;
	*) usage ;;
	esac
	shift 2
done

config_of() {
	case $1 in
	mainline | mainline-defrag) echo exp-mainline ;;
	spb | spb-defrag) echo exp-spb ;;
	off) echo exp-off ;;
	*) usage ;;
	esac
}

# Each kernel is built once, before the first guest starts.
build() {
	local config=$1
	mkdir -p "$out/kernels/$config"
	"$repo/tools/build.sh" "$config" "$out/kernels/$config" >/dev/null
}

# All that the result of a run depends on.
key() {
	printf '%s\n' "$1" "$2" "$mem" "$FRAGBED_JOB_ROUNDS" "$FRAGBED_JOB_PERCENT" "${ACCEL:-auto}"
	cat "$out/kernels/$(config_of "$1")/linux" "$here"/{measure,workloads}.py "$here/guest.sh" "$here/../lib/chunk_map.py"
}

# facts FOLDER KERNEL: what the guest does not know about itself.
facts() {
	local config
	config=$(config_of "$2")
	printf 'configuration %s\nmem %s\nconfig_hash %s\ncommit %s\n' "$config" "$mem" \
		"$(sha256sum <"$1/config" | cut -c1-12)" \
		"$(git -C "$repo" describe --always --dirty 2>/dev/null || echo unknown)"
	printf 'command debugfs-scripts/experiment/run.sh --mem %s --seeds %s --workloads %s --kernels %s --rounds %s --percent %s\n' \
		"$mem" "$FRAGBED_JOB_SEED" "$FRAGBED_JOB_WORKLOAD" "$2" "$FRAGBED_JOB_ROUNDS" "$FRAGBED_JOB_PERCENT"
}

# run KERNEL WORKLOAD SEED
run() {
	local folder=$out/runs/$1/$2/$3 now config code=0
	config=$(config_of "$1")
	export FRAGBED_JOB_WORKLOAD=$2 FRAGBED_JOB_SEED=$3 FRAGBED_JOB_DEFRAG_MODE=0
	[[ $1 != *-defrag ]] || FRAGBED_JOB_DEFRAG_MODE=1
	now=$(key "$1" "$3" | sha256sum)
	if [ -s "$folder/run.json" ] && [ "$(cat "$folder/key" 2>/dev/null)" = "$now" ]; then
		printf '== %s, %s, seed %s: done before\n' "$1" "$2" "$3"
		return
	fi
	rm -rf "$folder"
	mkdir -p "$folder"
	printf '== %s, %s, seed %s\n' "$1" "$2" "$3"
	"$repo/tools/guest.sh" --config "$config" --kernel "$out/kernels/$config" --mem "$mem" \
		--timeout "$limit" --out "$folder" "$here/guest.sh" || code=$?
	if [ $code -ne 0 ]; then
		[ ! -f "$folder/run.json" ] || mv "$folder/run.json" "$folder/failed.json"
		printf '== %s, %s, seed %s: failed with exit code %s\n' "$1" "$2" "$3" "$code"
		return 1
	fi
	facts "$folder" "$1" >"$folder/facts"
	printf '%s\n' "$now" >"$folder/key"
}

mkdir -p "$out"
out=$(realpath "$out")
for kernel in $kernels; do
	config_of "$kernel"
done | sort -u >"$out/configs"
while read -r config; do
	build "$config"
done <"$out/configs"
rc=0
for workload in $workloads; do
	for seed in $seeds; do
		for kernel in $kernels; do
			run "$kernel" "$workload" "$seed" || rc=1
		done
	done
done
"$repo/tools/packages.sh" report
"$here/report.py" "$out" || rc=1
exit $rc
