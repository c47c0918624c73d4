#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs beside.py, which leaves its figures in $FRAGBED_OUT/beside.json.
#
# Exit: 0 the index was kept and the benchmark not disturbed, 1 failed, 4 no verdict is
# possible here.

. "$(dirname "$0")/../../lib/scenario.sh"

need test "$(id -u)" = 0 -- "must be root"
need test "$(nproc)" -gt 1 -- "one CPU only: fragment/keep needs another one"
need which python3 -- "python3 is missing"
check_needs
log_mark
load_module || exit 1
exec 5>"$FRAGBED_DIR/lease"
# Pages on per-cpu lists are not counted in free_area, and these lists may hold an eighth of memory.
setting /proc/sys/vm/percpu_pagelist_high_fraction 1000
status=0
python3 "$(dirname "$0")/beside.py" "${FRAGBED_OUT:?}/beside.json" \
	--order "$FRAGBED_JOB_ORDER" --index "$FRAGBED_JOB_INDEX" \
	--unmovable "$FRAGBED_JOB_UNMOVABLE" --rate "$FRAGBED_JOB_RATE" \
	--rounds "$FRAGBED_JOB_ROUNDS" --seconds "$FRAGBED_JOB_SECONDS" \
	--seed "$FRAGBED_JOB_SEED" || status=$?
exec 5>&-
log_check || status=1
exit $status
