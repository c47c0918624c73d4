#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kunit.sh [--config CONFIG | --group GROUP] [--limit S] [--out DIR]
#          [--kernel DIR | --kernels DIR] [GLOB]
#
# Builds the configuration's kernel, or takes the linux in DIR as it is (with --kernels in
# DIR/BUILD, the name of the configuration's build), and runs the suites that GLOB names
# (SUITE[.CASE], default fragbed_*). --group takes all configurations of a group: uml, sanitize, ...
#
# Exit codes: 0 all passed, 1 failed, 3 crashed or cut short, 4 all skipped,
# 5 no test ran, 124 time limit. --group fails, too, if a case ran in none
# of its kernels.
# Log, JSON and JUnit are left in build/kunit/CONFIG/.
#
#   FRAGBED_KERNEL_ARGS="..."  more kernel arguments
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

configs=("${CONFIG:-uml}") limit=120 glob='' results=$OUT/kunit kernel='' kernels=''

usage() { die "usage: kunit.sh [--config CONFIG | --group GROUP] [--limit S] [--out DIR] [--kernel DIR | --kernels DIR] [GLOB]"; }

while [ $# -gt 0 ]; do
	case $1 in
	--config) check_config "${2:?}" && configs=("$2") && shift 2 ;;
	--group)
		mapfile -t configs < <(config_names "${2:?}")
		[ ${#configs[@]} -gt 0 ] || die "no group '$2' of configurations; see tools/configurations.py"
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

# In one go at the end, so that two runs do not write into each other's log.
bring_results() {
	[ -d "$run/$1/out" ] || return 0
	mkdir -p "$results/$1"
	cp "$run/$1/out"/* "$results/$1/"
}

# Only whole runs count: a look at one suite must not change the sum.
count_results() {
	local config rc=$1
	[ "$results" = "$OUT/kunit" ] && [ -z "$glob" ] || return 0
	mkdir -p "$COUNTS"
	for config in "${configs[@]}"; do
		cat "$run/$config/out/counts" 2>/dev/null || :
	done | awk -v rc="$rc" '{ passed += $1; failed += $2; skipped += $3 }
		END { print passed + 0, failed + (rc && !failed), skipped + 0 }' >"$COUNTS/suites"
}

# What one kernel has not its other configurations have not, either: that is for other groups.
several_kernels() {
	local config
	for config in "${configs[@]}"; do
		config_field "$config" build
	done | sort -u | awk 'END { exit NR < 2 }'
}

# The first configuration that went wrong decides the exit code.
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
