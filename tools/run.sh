#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh [packing | defrag | beside]: what "make run" does. The scenarios are
# debugfs-scripts/scenarios/*/run.sh; each counts as one test.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

scenario=compact
case ${1:-} in
'' | --*) ;;
superpageblocks) scenario=packing && shift ;;
packing | defrag | beside) scenario=$1 && shift ;;
*) die "SCENARIO=$1: there are packing, defrag and beside" ;;
esac
rc=0
"$REPO/debugfs-scripts/scenarios/$scenario/run.sh" "$@" || rc=$?
case $rc in
0) write_counts "run-$scenario" 1 0 0 ;;
4) write_counts "run-$scenario" 0 0 1 ;;
*) write_counts "run-$scenario" 0 1 0 ;;
esac
exit $rc
