#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh [superpageblocks | defrag | beside]: what "make run" does. The scenarios are
# debugfs-scripts/run.sh and run-*.sh; each counts as one test.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

scenario=run
case ${1:-} in
'' | --*) ;;
superpageblocks | defrag | beside) scenario=run-$1 && shift ;;
*) die "SCENARIO=$1: there are superpageblocks, defrag and beside" ;;
esac
rc=0
"$REPO/debugfs-scripts/$scenario.sh" "$@" || rc=$?
case $rc in
0) write_counts "$scenario" 1 0 0 ;;
4) write_counts "$scenario" 0 0 1 ;;
*) write_counts "$scenario" 0 1 0 ;;
esac
exit $rc
