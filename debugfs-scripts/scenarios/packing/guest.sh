#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs mix_memory.py and leaves what it counted in $FRAGBED_OUT/mix.json.
# With superpageblocks the kernel's records are compared with its pages, too.
#
# Choices: FRAGBED_JOB_ROUNDS=6 FRAGBED_JOB_SEED=1 FRAGBED_JOB_CHUNK_KB=16384
#
# Exit: 0 done, 1 failed, 4 requirement missing.

. "$(dirname "$0")/../../lib/lib.sh"

need_module
need which python3 -- "python3 is missing"
check_needs
log_mark
load_module || exit 1
status=0
python3 "$(dirname "$0")/mix_memory.py" "${FRAGBED_OUT:?}/mix.json" \
	--rounds "${FRAGBED_JOB_ROUNDS:-6}" --seed "${FRAGBED_JOB_SEED:-1}" \
	--chunk-kb "${FRAGBED_JOB_CHUNK_KB:-16384}" || status=1
have_feature spb && cat "$FRAGBED_DIR/spb/stats" >"$FRAGBED_OUT/stats" && cat "$FRAGBED_DIR/spb/table" >"$FRAGBED_OUT/table"
unload_module || status=1
log_check || status=1
finish_one $status
