#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh [--seeds "N..."] [--steps N]
#
# The same atomic allocations (atomic.sh) on a UML kernel without superpageblocks and on
# one with them. What the one can serve the other has to: a step that fails only with
# superpageblocks is a failure. Leaves what each got in build/atomic/CONFIG/SEED/steps.
# Exit: 0 done, 1 failed, 4 refused (a requirement is missing).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../../.." && pwd)
out=$repo/build/atomic
without=uml-small-blocks with=uml-spb
seeds=1

while [ $# -gt 0 ]; do
	case $1 in
	--seeds) seeds=${2:?} ;;
	--steps) export FRAGBED_JOB_STEPS=${2:?} ;;
	*)
		sed -n '4,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
		exit 2
		;;
	esac
	shift 2
done

# compare FILE FILE: step by step; fails if they are not the same run, too.
compare() {
	awk '
		NR == FNR { asked[$1] = $2 " " $3; got[$1] = $4; steps++; next }
		asked[$1] != $2 " " $3 { other++ }
		{ seen++; a += got[$1] != "ok"; b += $4 != "ok" }
		got[$1] == "ok" && $4 != "ok" { only++; list = list " " $1 }
		END {
			printf "%d steps, failed without: %d, with: %d, only with: %d\n", steps, a, b, only
			if (only) print "steps that failed only with superpageblocks:" list
			if (other || seen != steps) print "the two runs do not match"
			exit !(steps && seen == steps && !other && !only)
		}' "$1" "$2"
}

rm -rf "$out"
rc=0
for seed in $seeds; do
	for config in $without $with; do
		printf '== %s, seed %s\n' "$config" "$seed"
		FRAGBED_JOB_SEED=$seed "$repo/tools/guest.sh" --config "$config" --mem 1G --timeout 600 \
			--args log_buf_len=4M --out "$out/$config/$seed" "$here/guest.sh"
	done
	printf 'seed %s: ' "$seed"
	compare "$out/$without/$seed/steps" "$out/$with/$seed/steps" || rc=1
done
exit $rc
