#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh: what "make run" does. The scenario is debugfs-scripts/run.sh; it counts
# as one test.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

rc=0
"$REPO/debugfs-scripts/run.sh" "$@" || rc=$?
case $rc in
0) write_counts run 1 0 0 ;;
4) write_counts run 0 0 1 ;;
*) write_counts run 0 1 0 ;;
esac
exit $rc
