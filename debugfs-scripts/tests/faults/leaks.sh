#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Looks for memory that the suites leaked, in a guest that ran them at boot, with kmemleak=on
# and kunit.enable=1.
#
# Exit code: 0 no leak, 1 leaks, 4 a requirement is not met.

. "$(dirname "$0")/../../lib/lib.sh"

need test -w "$lib_kmemleak" -- "no kmemleak: needs CONFIG_DEBUG_KMEMLEAK and kmemleak=on"
need sh -c 'dmesg | grep -q "^.*ok [0-9]* fragbed_"' -- "no suite has run: needs kunit.enable=1"
check_needs
kmemleak_scan
found=$(leaks)
status=0
if [ -n "$found" ]; then
	status=1
	say "leaked:"
	printf '%s\n' "$found" | sed 's/^/#   /'
else
	say "leaks: none"
fi
finish_one $status
