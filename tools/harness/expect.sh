# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # $log is the caller's
#
# Sourced by the tests of the tools: how a command ended, and what it said. With
# inside=(COMMAND...) that one runs the others, in a folder for example.

inside=()

# exits WANTED COMMAND...: its exit code is as wanted; its output is in $log.
exits() {
	local wanted=$1 rc=0
	shift
	"${inside[@]}" "$@" >"$log" 2>&1 </dev/null || rc=$?
	[ $rc -ne "$wanted" ] || return 0
	printf '# exit code %s, not %s, from: %s\n' $rc "$wanted" "$*"
	return 1
}

# says TEXT: the output has it.
says() {
	grep -qF -- "$1" "$log" && return
	printf '# not said: %s\n' "$1"
	return 1
}
