#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run-superpageblocks.sh [--seed N] [--rounds N]
#
# What `make run SCENARIO=superpageblocks` does: the same workload (mix.sh) on a UML
# kernel without superpageblocks and on one with them, and one report of both in
# build/report-superpageblocks/.
# Exit: 0 done, 1 failed, 4 refused (a requirement is missing).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(dirname "$here")
out=$repo/build/report-superpageblocks

while [ $# -gt 0 ]; do
	case $1 in
	--seed) export FRAGBED_JOB_SEED=${2:?} ;;
	--rounds) export FRAGBED_JOB_ROUNDS=${2:?} ;;
	*)
		sed -n '4,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
		exit 2
		;;
	esac
	shift 2
done

rm -rf "$out"
for lane in uml-small-blocks uml-spb; do
	printf '== %s\n' "$lane"
	"$repo/tools/guest.sh" --lane "$lane" --mem 1G --timeout 600 --out "$out/$lane" "$here/mix.sh"
done
"$here/report_superpageblocks.py" "$out" off=uml-small-blocks on=uml-spb
