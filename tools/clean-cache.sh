#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# clean-cache.sh: deletes what the other tools keep in the cache, and nothing
# else, should the cache be a folder that is used for other things, too.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for folder in accel apt apt-12 apt-13 apt-sparse build folders locks logs run sources sparse sparse.new trees; do
	[ ! -e "$CACHE/$folder" ] || say "deleting $CACHE/$folder"
	rm -rf "${CACHE:?}/$folder"
done
rmdir "$CACHE" 2>/dev/null || :
