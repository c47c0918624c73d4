# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # $log is the caller's
#
# Sourced by the tests of the tools: checks a command's exit code and output. If
# inside=(COMMAND...) is set, that command runs the tested one, in a folder for example.

inside=()

# exits WANTED COMMAND...: checks its exit code; leaves its output in $log.
exits() {
	local wanted=$1 rc=0
	shift
	"${inside[@]}" "$@" >"$log" 2>&1 </dev/null || rc=$?
	[ $rc -ne "$wanted" ] || return 0
	printf '# exit code %s, not %s, from: %s\n' $rc "$wanted" "$*"
	return 1
}

# says TEXT: the output contains the text.
says() {
	grep -qF -- "$1" "$log" && return
	printf '# not in the output: %s\n' "$1"
	return 1
}
