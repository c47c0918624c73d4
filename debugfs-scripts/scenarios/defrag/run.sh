#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh [--rounds N] [--seed N]
#
# What `make run SCENARIO=defrag` does: tainted superpageblocks are defragmented and clean
# ones evacuated, round by round, in a UML guest (guest.sh). The report is drawn in
# the terminal and kept in build/report-defrag/, index.html among it.
# Exit: 0 done, 1 failed, 4 refused (a requirement is missing).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../../.." && pwd)
out=$repo/build/report-defrag

while [ $# -gt 0 ]; do
	case $1 in
	--rounds) export FRAGBED_JOB_ROUNDS=${2:?} ;;
	--seed) export FRAGBED_JOB_SEED=${2:?} ;;
	*)
		sed -n '4,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
		exit 2
		;;
	esac
	shift 2
done

# The report of a run that did not happen must not be taken for this one's.
rm -rf "$out"
code=0
"$repo/tools/guest.sh" --config uml-spb --mem 1G --timeout 900 --out "$out" \
	"$here/guest.sh" || code=$?
if [ ! -s "$out/states" ]; then
	echo "run: the guest left no states, exit code $code"
	exit "$code"
fi
printf 'exit_code %s\n' "$code" >>"$out/meta"
"$here/report_defrag.py" "$out" || code=1
exit "$code"
