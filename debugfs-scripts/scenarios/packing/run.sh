#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh [--seeds "N..."] [--rounds N]
#
# What `make run SCENARIO=superpageblocks` does: the same workload (guest.sh) on a UML
# kernel without superpageblocks and on one with them, for each seed, and one report
# of all in build/report-superpageblocks/.
# Exit: 0 done, 1 failed, 4 refused (a requirement is missing).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../../.." && pwd)
out=$repo/build/report-superpageblocks
seeds=1

while [ $# -gt 0 ]; do
	case $1 in
	--seeds) seeds=${2:?} ;;
	--rounds) export FRAGBED_JOB_ROUNDS=${2:?} ;;
	*)
		sed -n '4,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
		exit 2
		;;
	esac
	shift 2
done

rm -rf "$out"
for seed in $seeds; do
	for config in uml-small-blocks uml-spb; do
		printf '== %s, seed %s\n' "$config" "$seed"
		FRAGBED_JOB_SEED=$seed "$repo/tools/guest.sh" --config "$config" --mem 1G --timeout 900 \
			--out "$out/$config/$seed" "$here/guest.sh"
	done
done
"$here/report.py" "$out" off=uml-small-blocks on=uml-spb
