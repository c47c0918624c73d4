#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# coverage.sh "SCRIPT [ARG...]"...
#
# Runs each of these files, if any, and leaves the counters of gcov since the boot in
# $FRAGBED_OUT/gcda. For a kernel with CONFIG_GCOV_KERNEL.
#
# Exit code: 0 done, 1 a script failed, 4 a requirement is not met.

. "$(dirname "$0")/../../lib/lib.sh"

counters=/sys/kernel/debug/gcov
status=0

need test -d $counters -- "no $counters: needs CONFIG_GCOV_KERNEL"
need test -n "${FRAGBED_OUT:-}" -- "FRAGBED_OUT is not set"
check_needs

for line; do
	name=${line%% *}
	args=${line#"$name"}
	say "$line"
	# shellcheck disable=SC2086  # the arguments are words
	"$name" $args && continue
	rc=$?
	say "$name: exit code $rc"
	[ $rc -eq 4 ] || status=1
done

# The files of debugfs have no size: cp would copy nothing.
find $counters -name '*.gcda' | while read -r file; do
	copy=$FRAGBED_OUT/gcda${file#"$counters"}
	mkdir -p "${copy%/*}"
	cat "$file" >"$copy"
done
say "$(find "$FRAGBED_OUT/gcda" -name '*.gcda' | wc -l) files with counters"
exit $status
