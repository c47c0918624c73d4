#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kunit.sh [--lane LANE | --group GROUP] [--limit S] [--out DIR]
#          [--kernel DIR | --kernels DIR] [GLOB]
#
# Builds the lane's kernel, or takes the linux in DIR as it is (with --kernels in
# DIR/BUILD, the name of the lane's build), and runs the suites that GLOB names
# (SUITE[.CASE], default fragbed_*). --group takes all lanes of a group: uml, sanitize, ...
#
# Exit codes: 0 all passed, 1 failed, 3 crashed or cut short, 4 all skipped,
# 5 no test ran, 124 time limit. --group fails, too, if a case ran in none
# of its kernels.
# Log, JSON and JUnit are left in build/kunit/LANE/.
#
#   FRAGBED_KERNEL_ARGS="..."  more kernel arguments
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

lanes=("${LANE:-uml}") limit=120 glob='' results=$OUT/kunit kernel='' kernels=''

usage() { die "usage: kunit.sh [--lane LANE | --group GROUP] [--limit S] [--out DIR] [--kernel DIR | --kernels DIR] [GLOB]"; }

while [ $# -gt 0 ]; do
	case $1 in
	--lane) check_lane "${2:?}" && lanes=("$2") && shift 2 ;;
	--group)
		mapfile -t lanes < <(lane_names "${2:?}")
		[ ${#lanes[@]} -gt 0 ] || die "no group '$2' of lanes; see tools/lanes.py"
		shift 2
		;;
	--limit) limit=${2:?} && shift 2 ;;
	--out) results=${2:?} && shift 2 ;;
	--kernel) kernel=${2:?} && shift 2 ;;
	--kernels) kernels=${2:?} && shift 2 ;;
	-*) usage ;;
	*)
		[ -z "$glob" ] || usage
		glob=$1 && shift
		;;
	esac
done

run_lane() {
	local lane=$1 tree=$2 cases=${glob:-fragbed_*}
	mkdir -p "$run/$lane"
	FRAGBED_NO_MODULE=1 get_kernel "$lane" "$run/$lane" \
		"${kernel:-${kernels:+$kernels/$(lane_field "$lane" build)}}"
	say "$lane: running $cases"
	run_stoppable "$TOOLS/suites.py" run --tree "$tree" --lane "$lane" --folder "$run/$lane" \
		--out "$run/$lane/out" --limit "$limit" --counts "$run/$lane/out/counts" "$cases"
}

# In one go at the end, so that two runs do not write into each other's log.
bring_results() {
	[ -d "$run/$1/out" ] || return 0
	mkdir -p "$results/$1"
	cp "$run/$1/out"/* "$results/$1/"
}

# Only whole runs count: a look at one suite must not change the sum.
count_results() {
	local lane rc=$1
	[ "$results" = "$OUT/kunit" ] && [ -z "$glob" ] || return 0
	mkdir -p "$COUNTS"
	for lane in "${lanes[@]}"; do
		cat "$run/$lane/out/counts" 2>/dev/null || :
	done | awk -v rc="$rc" '{ passed += $1; failed += $2; skipped += $3 }
		END { print passed + 0, failed + (rc && !failed), skipped + 0 }' >"$COUNTS/suites"
}

# What one kernel has not its other lanes have not, either: that is for other groups.
several_kernels() {
	local lane
	for lane in "${lanes[@]}"; do
		lane_field "$lane" build
	done | sort -u | awk 'END { exit NR < 2 }'
}

# The first lane that went wrong decides the exit code.
run_all() {
	local lane rc=0 lane_rc tree ran=()
	tree=$("$TOOLS/prepare.sh")
	for lane in "${lanes[@]}"; do
		lane_rc=0
		run_lane "$lane" "$tree" || lane_rc=$?
		[ $rc -ne 0 ] || rc=$lane_rc
		bring_results "$lane"
		ran+=("$run/$lane/out/result.json")
	done
	if [ $rc -eq 0 ] && several_kernels; then
		"$TOOLS/suites.py" compare "${ran[@]}" || rc=1
	fi
	count_results $rc
	exit $rc
}

make_run_folder
run_all
