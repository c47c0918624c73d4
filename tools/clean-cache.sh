#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# clean-cache.sh: deletes what the tools keep in the cache, and nothing else: FRAGBED_CACHE may
# be a folder with other files. tools/check/lists.py checks the list.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for folder in accel apt apt-12 apt-13 apt-sparse build folders locks logs run sources sparse sparse.new trees; do
	[ ! -e "$CACHE/$folder" ] || say "deleting $CACHE/$folder"
	rm -rf "${CACHE:?}/$folder"
done
rmdir "$CACHE" 2>/dev/null || :
