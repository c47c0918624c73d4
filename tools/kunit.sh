#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kunit.sh [--config CONFIG | --group GROUP] [--limit S] [--out DIR]
#          [--kernel DIR | --kernels DIR] [GLOB]
#
# Builds the configuration's kernel and runs the suites that GLOB names (SUITE[.CASE],
# default fragbed_*). With --kernel it runs DIR/linux without a build, with --kernels
# DIR/BUILD/linux, BUILD being the configuration's build. --group runs all configurations
# of a group: uml, sanitize, ...
#
# Exit code: 0 all passed, 1 failed, 3 crashed or cut short, 4 all skipped, 5 no test ran,
# 124 time limit. --group also fails if a case was skipped in all of its kernels.
# build/kunit/CONFIG/ has the log, JSON and JUnit.
#
#   FRAGBED_KERNEL_ARGS="..."  more kernel arguments
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

configs=("${CONFIG:-uml}") limit=120 glob='' results=$OUT/kunit kernel='' kernels=''


while [ $# -gt 0 ]; do
	case $1 in
	--config) check_config "${2:?}" && configs=("$2") && shift 2 ;;
	--group)
		names=$(config_names "${2:?}") || exit 1
		mapfile -t configs <<<"$names"
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

run_config() {
	local config=$1 tree=$2 cases=${glob:-fragbed_*}
	mkdir -p "$run/$config"
	FRAGBED_NO_MODULE=1 get_kernel "$config" "$run/$config" \
		"${kernel:-${kernels:+$kernels/$(config_field "$config" build)}}"
	say "$config: running $cases"
	run_stoppable "$TOOLS/suites.py" run --tree "$tree" --config "$config" --folder "$run/$config" \
		--out "$run/$config/out" --limit "$limit" --counts "$run/$config/out/counts" "$cases"
}

# Copied at the end, so that two runs do not write to the same log.
bring_results() {
	[ -d "$run/$1/out" ] || return 0
	mkdir -p "$results/$1"
	cp "$run/$1/out"/* "$results/$1/"
}

# Only complete runs are counted: a run of one suite must not change the sum.
count_results() {
	local config rc=$1
	[ "$results" = "$OUT/kunit" ] && [ -z "$glob" ] || return 0
	mkdir -p "$COUNTS"
	for config in "${configs[@]}"; do
		cat "$run/$config/out/counts" 2>/dev/null || :
	done | awk -v rc="$rc" '{ passed += $1; failed += $2; skipped += $3 }
		END { print passed + 0, failed + (rc && !failed), skipped + 0 }' >"$COUNTS/suites"
}

# Configurations of one kernel skip the same cases, which other groups run: only several
# kernels are compared.
several_kernels() {
	local config
	for config in "${configs[@]}"; do
		config_field "$config" build
	done | sort -u | awk 'END { exit NR < 2 }'
}

# The first configuration that fails decides the exit code.
run_all() {
	local config rc=0 config_rc tree ran=()
	tree=$("$TOOLS/prepare.sh")
	for config in "${configs[@]}"; do
		config_rc=0
		run_config "$config" "$tree" || config_rc=$?
		[ $rc -ne 0 ] || rc=$config_rc
		bring_results "$config"
		ran+=("$run/$config/out/result.json")
	done
	if [ $rc -eq 0 ] && several_kernels; then
		"$TOOLS/suites.py" compare "${ran[@]}" || rc=1
	fi
	count_results $rc
	exit $rc
}

make_run_folder
run_all
