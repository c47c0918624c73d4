#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs press_memory.py and leaves what it counted in $FRAGBED_OUT/press.json:
# a steady load that cannot move while memory is nearly full. No superpageblock may be
# tainted as long as a tainted one has something to move out.
#
#   FRAGBED_JOB_SECONDS=60   how long
#   FRAGBED_JOB_PERCENT=90   of memory in use
#   FRAGBED_JOB_SEED=1
#
# Exit: 0 done, 1 one was tainted too early, a record was wrong or the log has trouble,
# 4 cannot run here.

. "$(dirname "$0")/../../lib/lib.sh"

need_module
need which python3 -- "python3 is missing"
check_needs
load_with_spb
mount -t tracefs none /sys/kernel/tracing 2>/dev/null
status=0
python3 "$(dirname "$0")/press_memory.py" "${FRAGBED_OUT:?}/press.json" \
	--seconds "${FRAGBED_JOB_SECONDS:-60}" --seed "${FRAGBED_JOB_SEED:-1}" \
	--percent "${FRAGBED_JOB_PERCENT:-90}" || status=1
knob reset 1
unload_module || status=1
log_check || status=1
finish_one $status
