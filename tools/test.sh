#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: what "make test" does: the suites, the knobs of fragbed.ko, nodes, the
# quick tests of the runner, in all lanes of UML or, with LANE=x86_64, in QEMU,
# where some more can be had. All parts run, whatever the others said; the last
# line adds them up.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bad=() counted=()

# part NAME COMMAND...: it leaves its counts under that name.
part() {
	local name=$1 rc=0
	shift
	printf '== %s\n' "$name"
	"$@" || rc=$?
	counted+=("$name")
	[ $rc -eq 0 ] || bad+=("$name (exit code $rc)")
}

# The folder with a lane's kernel and module, built when first asked for.
built() {
	local folder
	folder=$run/$(lane_field "$1" build)
	if [ ! -d "$folder" ]; then
		mkdir "$folder"
		"$TOOLS/build.sh" "$1" "$folder" >/dev/null
	fi
	printf '%s\n' "$folder"
}

# script NAME LANE OPTION...: debugfs-scripts/NAME.sh in a guest.
script() {
	local name=$1 lane=$2
	shift 2
	part "$name-$lane" "$TOOLS/guest.sh" --lane "$lane" --kernel "$(built "$lane")" --timeout 300 \
		--out "$OUT/$name-$lane" --counts "$name-$lane" "$@" "$REPO/debugfs-scripts/$name.sh"
}

uml_parts() {
	part suites "$TOOLS/kunit.sh" --all
	script knobs uml
	script numa uml-numa
	part harness-quick "$TOOLS/harness-test.sh" --quick
}

x86_64_parts() {
	part suites "$TOOLS/kunit.sh" --lane x86_64 --kernel "$(built x86_64)"
	script knobs x86_64 --args numa=off
	script numa x86_64
	script balance x86_64
	script btrfs x86_64 --args page_owner=on
	part run "$TOOLS/run.sh" --lane x86_64
	part harness-quick "$TOOLS/harness-test.sh" --quick
}

# Counts of its own while it runs: another run in this clone writes some, too.
bring_counts() {
	mkdir -p "$1"
	cp "$COUNTS"/* "$1/" 2>/dev/null || :
}

kept=$COUNTS
make_run_folder
export FRAGBED_COUNTS_DIR=$run/counts
COUNTS=$FRAGBED_COUNTS_DIR
case ${LANE:-uml} in
uml) uml_parts ;;
x86_64) x86_64_parts ;;
*) die "LANE=$LANE: must be uml or x86_64" ;;
esac
add_counts "${counted[@]}"
printf '%s %s %s\n' "$PASSED" "$FAILED" "$SKIPPED" >"$COUNTS/test-${LANE:-uml}"
bring_counts "$kept"
for name in "${bad[@]}"; do
	printf 'FAILED: %s\n' "$name"
done
printf 'make test: %s passed, %s failed, %s skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
if [ ${#bad[@]} -gt 0 ] || [ "$FAILED" -gt 0 ] || [ "$PASSED" -eq 0 ]; then
	exit 1
fi
