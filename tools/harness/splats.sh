# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# debugfs-scripts/lib/splats: each reader finds all reports in a log and nothing else.

SAMPLES=$TOOLS/harness/splats

# found READER FILE: the number of its lines that the reader finds.
found() {
	case $1 in
	python)
		python3 -c '
import sys
sys.path.insert(0, sys.argv[1])
import suites
print(sum(bool(suites.SPLAT.search(line)) for line in open(sys.argv[2])))' "$TOOLS" "$2"
		;;
	busybox) busybox grep -cE "$(splats)" "$2" || : ;;
	*) grep -cE "$(splats)" "$2" || : ;;
	esac
}

# finds_all READER: all reports, and no harmless line.
finds_all() {
	local all splats harmless
	all=$(grep -vc "^#" "$SAMPLES/splats.log")
	splats=$(found "$1" "$SAMPLES/splats.log")
	harmless=$(found "$1" "$SAMPLES/harmless.log")
	printf '# %s: %s of %s reports, %s harmless lines\n' "$1" "$splats" "$all" "$harmless"
	[ "$splats" -eq "$all" ] && [ "$harmless" -eq 0 ]
}

test_splats_found_by_grep() { finds_all grep; }
test_splats_found_by_busybox() { finds_all busybox; }
test_splats_found_by_python() { finds_all python; }

# Each expression of the list has an example.
test_splats_have_examples() {
	local expression rc=0
	while IFS= read -r expression; do
		grep -qE "$expression" "$SAMPLES/splats.log" || { printf '# no example: %s\n' "$expression" && rc=1; }
	done < <(sed '/^#/d; /^$/d' "$REPO/debugfs-scripts/lib/splats")
	return $rc
}
