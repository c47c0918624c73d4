#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs packing.py, which leaves its figures in $FRAGBED_OUT/packing.json. With superpageblocks
# the kernel's records are compared with its pages, too.
#
# Exit: 0 done, 1 failed, 4 requirement missing.

. "$(dirname "$0")/../../lib/scenario.sh"

need_module
need which python3 -- "python3 is missing"
check_needs
log_mark
load_module || exit 1
scenario_meta >"${FRAGBED_OUT:?}/meta"
status=0
python3 "$(dirname "$0")/packing.py" "$FRAGBED_OUT/packing.json" \
	--rounds "$FRAGBED_JOB_ROUNDS" --seed "$FRAGBED_JOB_SEED" \
	--chunk-kb "$FRAGBED_JOB_CHUNK_KB" || status=1
have_feature spb && cat "$FRAGBED_DIR/spb/stats" >"$FRAGBED_OUT/stats" && cat "$FRAGBED_DIR/spb/table" >"$FRAGBED_OUT/table"
unload_module || status=1
log_check || status=1
finish_one $status
