#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh
#
# What `make run SCENARIO=beside` does: a benchmark with memory fragmented to the same
# degree once for all and kept so by another CPU, in a guest with two (guest.sh). The
# figures are kept in build/report-beside/beside.json.
# Exit: 0 kept and not disturbed, 1 failed, 4 cannot be told on this machine.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../../.." && pwd)

rm -rf "$repo/build/report-beside"
exec "$repo/tools/guest.sh" --config "${CONFIG:-uml-numa}" --timeout 900 \
	--out "$repo/build/report-beside" "$here/guest.sh"
