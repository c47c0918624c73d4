#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh [--config CONFIG] [--mem SIZE] [--order N] [--index PERMILLE]
#        [--unmovable PERCENT] [--seed N] [--sweep BLOCKS]
#
# What `make run` does: boots the configuration's kernel, runs guest.sh in it, prints
# the report. build/report/ keeps report.json and the raw snapshots.
# Exit: 0 done, 1 failed, 4 refused (the target degree was not reached, ...).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../../.." && pwd)
config=${CONFIG:-uml} mem=512M out=$repo/build/report

while [ $# -gt 0 ]; do
	case $1 in
	--config) config=${2:?} ;;
	--mem) mem=${2:?} ;;
	--order) export FRAGBED_JOB_ORDER=${2:?} ;;
	--index) export FRAGBED_JOB_INDEX=${2:?} ;;
	--unmovable) export FRAGBED_JOB_UNMOVABLE=${2:?} ;;
	--seed) export FRAGBED_JOB_SEED=${2:?} ;;
	--sweep) export FRAGBED_JOB_SWEEP=${2:?} ;;
	*)
		sed -n '4,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
		exit 2
		;;
	esac
	shift 2
done

# The report of a run that did not happen must not be taken for this one's.
rm -rf "$out"
mkdir -p "$out"
code=0
"$repo/tools/guest.sh" --config "$config" --mem "$mem" --timeout 300 --out "$out" \
	"$here/guest.sh" || code=$?

if [ ! -f "$out/raw/meta" ]; then
	echo "run: the guest left no snapshots, exit code $code"
	exit "$code"
fi
printf 'config_hash %s\nconfiguration %s\nmem %s\nexit_code %s\n' \
	"$(sha256sum <"$out/config" | cut -c1-12)" "$config" "$mem" "$code" >>"$out/raw/meta"
"$here/../../lib/report.py" "$out" || code=1
exit "$code"
