#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: what "make test" does: the suites in all lanes, nodes, the knobs of
# fragbed.ko and the quick tests of the runner. All parts run, whatever the
# others said; the last line adds them up.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bad=()

part() {
	local name=$1 rc=0
	shift
	printf '== %s\n' "$name"
	"$@" || rc=$?
	[ $rc -eq 0 ] || bad+=("$name (exit code $rc)")
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
part suites "$TOOLS/kunit.sh" --all
part knobs "$TOOLS/uml.sh" --timeout 300 --out "$OUT/knobs" --counts knobs \
	"$REPO/debugfs-scripts/knobs.sh"
part numa "$TOOLS/uml.sh" --lane uml-numa --args "numa=fake=4 ncpus=2 seccomp=on" \
	--out "$OUT/numa" --counts numa "$REPO/debugfs-scripts/numa.sh"
part harness "$TOOLS/harness-test.sh" --quick
bring_counts "$kept"
add_counts kunit-uml kunit-uml-small-blocks kunit-uml-numa numa knobs harness-quick
for name in "${bad[@]}"; do
	printf 'FAILED: %s\n' "$name"
done
printf 'make test: %s passed, %s failed, %s skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
if [ ${#bad[@]} -gt 0 ] || [ "$FAILED" -gt 0 ] || [ "$PASSED" -eq 0 ]; then
	exit 1
fi
