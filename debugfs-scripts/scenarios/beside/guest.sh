#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Memory kept fragmented while something else is measured: is that disturbed? Runs
# beside.py, which leaves its figures in $FRAGBED_OUT/beside.json.
#
# Choices: FRAGBED_JOB_ORDER=4 FRAGBED_JOB_INDEX=800 FRAGBED_JOB_UNMOVABLE=100
#          FRAGBED_JOB_RATE=20000 FRAGBED_JOB_ROUNDS=5 FRAGBED_JOB_SECONDS=2 FRAGBED_JOB_SEED=1
#
# Exit: 0 kept and not disturbed, 1 failed, 4 cannot be told here.

. "$(dirname "$0")/../../lib/lib.sh"

need test "$(id -u)" = 0 -- "must be root"
need test "$(nproc)" -gt 1 -- "one CPU only: nothing can run beside"
need which python3 -- "python3 is missing"
check_needs
log_mark
load_module || exit 1
exec 5>"$FRAGBED_DIR/lease"
# What is on a per-cpu list is in no free area, and they take up to an eighth of memory.
setting /proc/sys/vm/percpu_pagelist_high_fraction 1000
status=0
python3 "$(dirname "$0")/beside.py" "${FRAGBED_OUT:?}/beside.json" \
	--order "${FRAGBED_JOB_ORDER:-4}" --index "${FRAGBED_JOB_INDEX:-800}" \
	--unmovable "${FRAGBED_JOB_UNMOVABLE:-100}" --rate "${FRAGBED_JOB_RATE:-20000}" \
	--rounds "${FRAGBED_JOB_ROUNDS:-5}" --seconds "${FRAGBED_JOB_SECONDS:-2}" \
	--seed "${FRAGBED_JOB_SEED:-1}" || status=$?
exec 5>&-
log_check || status=1
exit $status
