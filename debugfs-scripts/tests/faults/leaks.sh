#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Looks for memory that the suites leaked, in a guest that ran them when it booted: with
# kmemleak=on and kunit.enable=1.
#
# Exit: 0 none, 1 there is some, 4 cannot run here.

. "$(dirname "$0")/../../lib/lib.sh"

need test -w "$lib_kmemleak" -- "this kernel does not look for leaks: kmemleak=on"
need sh -c 'dmesg | grep -q "^.*ok [0-9]* fragbed_"' -- "no suite has run: kunit.enable=1"
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
