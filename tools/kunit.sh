#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kunit.sh [--lane LANE | --all] [--limit S] [--out DIR] [--kernel DIR] [GLOB]
#
# Builds the lane's kernel, or takes the linux in DIR as it is, and runs the
# suites that GLOB names (SUITE[.CASE], default fragbed_*, on uml-numa those
# about NUMA policy).
#
# Exit codes: 0 all passed, 1 failed, 3 crashed or cut short, 4 all skipped,
# 5 no test ran, 124 time limit. --all fails, too, if a case ran in no lane.
# Log, JSON and JUnit are left in build/kunit/LANE/.
#
#   FRAGBED_KERNEL_ARGS="..."  more kernel arguments
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

lanes=(uml) limit=120 glob='fragbed_*' results=$OUT/kunit kernel=''

usage() { die "usage: kunit.sh [--lane LANE | --all] [--limit S] [--out DIR] [GLOB]"; }

while [ $# -gt 0 ]; do
	case $1 in
	--lane) check_lane "${2:?}" && lanes=("$2") && shift 2 ;;
	--all) lanes=("${LANES[@]}") && shift ;;
	--limit) limit=${2:?} && shift 2 ;;
	--out) results=${2:?} && shift 2 ;;
	--kernel) kernel=${2:?} && shift 2 ;;
	-*) usage ;;
	*) glob=$1 && shift ;;
	esac
done

# What makes and watches whole compactions wants a machine with one CPU.
lane_glob() {
	if [ "$1 $glob" = 'uml-numa fragbed_*' ]; then
		printf 'fragbed_vma_policy_mof\n'
	else
		printf '%s\n' "$glob"
	fi
}

run_lane() {
	local lane=$1 tree=$2 cases
	cases=$(lane_glob "$lane")
	mkdir -p "$run/$lane"
	FRAGBED_NO_MODULE=1 get_kernel "$lane" "$run/$lane" "$kernel"
	say "$lane: running $cases"
	run_stoppable "$TOOLS/suites.py" run --tree "$tree" --lane "$lane" --folder "$run/$lane" \
		--out "$run/$lane/out" --limit "$limit" --counts "$run/$lane/out/counts" "$cases"
}

# In one go at the end, so that two runs do not write into each other's log. Only
# whole runs count: a look at one suite must not change the sum.
bring_results() {
	[ -d "$run/$1/out" ] || return 0
	mkdir -p "$results/$1"
	cp "$run/$1/out"/* "$results/$1/"
	[ "$results" = "$OUT/kunit" ] && [ "$glob" = 'fragbed_*' ] || return 0
	mkdir -p "$COUNTS"
	cp "$run/$1/out/counts" "$COUNTS/kunit-$1" 2>/dev/null || :
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
	if [ $rc -eq 0 ] && [ ${#ran[@]} -gt 1 ]; then
		"$TOOLS/suites.py" compare "${ran[@]}" || rc=1
	fi
	exit $rc
}

make_run_folder
run_all
