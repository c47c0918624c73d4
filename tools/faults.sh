#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# faults.sh [PART...]: what "make faults" does: allocations that fail, signals, too little
# memory and, with CONFIG=x86_64, CPUs and memory that come and go. All parts run, whatever
# the others said; the last line adds them up. A PART is one of the names below.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

config=${CONFIG:-uml}

# Name (of the counts, too), configuration, scenario or test, memory (- the configuration's),
# arguments of the kernel.
all_parts() {
	case $config in
	uml) cat <<-'END' ;;
		faults-knobs     faults-spb faults       -   log_buf_len=8M
		faults-suites    faults-spb kunit_faults -   log_buf_len=8M kunit.enable=1 kunit.autorun=0
		faults-signals   uml-spb    signals      -   log_buf_len=8M
		faults-oom-spb   uml-spb    oom          -
		faults-oom       uml        oom          -
		faults-small-spb uml-spb    quick        64M
		faults-small     uml        quick        64M
	END
	x86_64) cat <<-'END' ;;
		faults-cpus       x86_64          cpu_hotplug    -
		faults-cpus-spb   x86_64-sanitize cpu_hotplug    -   numa=off
		faults-memory     x86_64-hotplug  memory_hotplug -
		faults-oom-x86_64 x86_64          oom            -
	END
	*) die "CONFIG=$config: must be uml or x86_64" ;;
	esac
}

# With names: only those.
parts() {
	[ $# -gt 0 ] || set -- .
	all_parts | grep -E "^faults-($(IFS='|' && printf '%s' "$*"))" || die "no part '$*' in CONFIG=$config"
}

run_part() {
	local name=$1 config=$2 script=$3 mem=${4#-}
	shift 4
	"$TOOLS/guest.sh" --config "$config" ${mem:+--mem "$mem"} --timeout 3600 --args "$*" \
		--out "$OUT/$name" --counts "$name" "$script"
}

list=$(parts "$@")
names=() bad=0
while read -r -u 3 -a part; do
	printf '== %s\n' "${part[0]}"
	names+=("${part[0]}")
	rc=0
	run_part "${part[@]}" </dev/null || rc=$?
	[ $rc -eq 0 ] || { bad=1 && printf 'FAILED: %s (exit code %s)\n' "${part[0]}" "$rc"; }
done 3<<<"$list"
add_counts "${names[@]}"
printf 'make faults: %s passed, %s failed, %s skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
if [ $bad -gt 0 ] || [ "$FAILED" -gt 0 ] || [ "$PASSED" -eq 0 ]; then
	exit 1
fi
