#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs pressure.py, which leaves its figures in $FRAGBED_OUT/pressure.json. No superpageblock
# may become tainted as long as a tainted one has movable pages that could be migrated.
#
# Exit: 0 done, 1 one was tainted too early, a record was wrong or the log has trouble,
# 4 cannot run here.

. "$(dirname "$0")/../../lib/scenario.sh"

need_module
need which python3 -- "python3 is missing"
check_needs
load_with_spb
mount -t tracefs none /sys/kernel/tracing 2>/dev/null
status=0
python3 "$(dirname "$0")/pressure.py" "${FRAGBED_OUT:?}/pressure.json" \
	--seconds "$FRAGBED_JOB_SECONDS" --seed "$FRAGBED_JOB_SEED" \
	--percent "$FRAGBED_JOB_PERCENT" || status=1
knob reset 1
unload_module || status=1
log_check || status=1
finish_one $status
