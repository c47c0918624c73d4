#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh [SCENARIO] [PARAMETER=VALUE...] [--config "CONFIG..."] [--mem SIZE] [--seeds "N..."]
#
# What "make run" does: runs a scenario of debugfs-scripts/scenarios/ (compact) in a guest,
# once for each configuration and seed, and prints its report. SCENARIO/scenario.toml has the
# defaults and the parameters. Leaves build/report-SCENARIO/ (compact: build/report/); several
# runs have a folder CONFIGURATION/SEED/ each. The scenario counts as one test.
#
# Exit: 0 done, 1 failed, 2 there is no such scenario or parameter, 4 refused (a requirement is
# missing, the run cannot count).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

SCRIPTS=$REPO/debugfs-scripts

scenario=compact
case ${1:-} in
'' | --* | *=*) ;;
*) scenario=$1 && shift ;;
esac
plan=$("$SCRIPTS/lib/scenarios.py" plan "$scenario" "$@") || exit 2
configs='' seeds='' mem='' limit='' arguments='' report=''
# Sets these and the name of the scenario; exports FRAGBED_JOB_*.
eval "$plan"

# What the guest does not know about itself, for the report.
write_facts() {
	local folder=$1 config=$2 code=$3 hash=unknown
	[ ! -f "$folder/config" ] || hash=$(sha256sum <"$folder/config" | cut -c1-12)
	printf 'config_hash %s\nconfiguration %s\nmem %s\nexit_code %s\n' \
		"$hash" "$config" "${mem:-default}" "$code" >>"$folder/meta"
}

# run_guest FOLDER CONFIG SEED
run_guest() {
	local folder=$1 config=$2 code=0
	[ "$3" = - ] || export FRAGBED_JOB_SEED=$3
	mkdir -p "$folder"
	"$TOOLS/guest.sh" --config "$config" ${mem:+--mem "$mem"} --timeout "$limit" --args "$arguments" \
		--out "$folder" "$SCRIPTS/scenarios/$scenario/guest.sh" || code=$?
	[ ! -f "$folder/meta" ] || write_facts "$folder" "$config" "$code"
	return $code
}

# report_on FOLDER
report_on() { "$SCRIPTS/scenarios/$scenario/report.py" "$1"; }

# folder_of CONFIG SEED: a single run needs no folder of its own.
folder_of() {
	if [ "$report" != "all runs" ] && [ "$(wc -w <<<"$configs")" = 1 ] && [ "$(wc -w <<<"$seeds")" = 1 ]; then
		printf '%s\n' "$out"
	else
		printf '%s\n' "$out/$1/$2"
	fi
}

# Ends at the first guest that failed; what it left is reported on all the same.
run_all() {
	local seed config folder code
	for seed in $seeds; do
		for config in $configs; do
			printf '== %s, %s, seed %s\n' "$scenario" "$config" "$seed"
			folder=$(folder_of "$config" "$seed")
			code=0
			run_guest "$folder" "$config" "$seed" || code=$?
			if [ "$report" = "each run" ]; then
				report_on "$folder" || code=$((code ? code : 1))
			fi
			[ $code -eq 0 ] || return $code
		done
	done
	if [ "$report" = "all runs" ]; then
		report_on "$out"
	fi
}

for config in $configs; do
	check_config "$config"
done
out=$OUT/report-$scenario
[ "$scenario" != compact ] || out=$OUT/report
# The report of a run that did not happen must not be taken for this one's.
rm -rf "$out"
mkdir -p "$out"
rc=0
run_all || rc=$?
case $rc in
0) write_counts "run-$scenario" 1 0 0 ;;
4) write_counts "run-$scenario" 0 0 1 ;;
*) write_counts "run-$scenario" 0 1 0 ;;
esac
exit $rc
