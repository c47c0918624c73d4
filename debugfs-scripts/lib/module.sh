# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# Part of lib.sh: fragbed.ko and its files in debugfs.

module_loaded() { grep -q '^fragbed ' /proc/modules; }

load_module() {
	module_loaded && return 0
	insmod "${FRAGBED_MODULE:?path of fragbed.ko}" || return 1
	at_exit 'module_loaded && unload_module'
}

unload_module() {
	lib_records=0
	spb_records_are_true || lib_records=1
	rmmod fragbed && return $lib_records
}

# --- command files -----------------------------------------------------------

knob_errno=

lib_errno_name() {
	case $1 in
	*"Invalid argument"*) echo EINVAL ;;
	*"No such device or address"*) echo ENXIO ;;
	*"No such process"*) echo ESRCH ;;
	*"Bad address"*) echo EFAULT ;;
	*"Device or resource busy"* | *"Resource busy"*) echo EBUSY ;;
	*"Interrupted system call"*) echo EINTR ;;
	*"Resource temporarily unavailable"*) echo EAGAIN ;;
	*"Cannot allocate memory"* | *"Out of memory"*) echo ENOMEM ;;
	*"Operation not supported"* | *"Not supported"*) echo EOPNOTSUPP ;;
	*"No space left on device"*) echo ENOSPC ;;
	*"Argument list too long"*) echo E2BIG ;;
	*"Permission denied"*) echo EACCES ;;
	*"Operation not permitted"*) echo EPERM ;;
	*) echo "unknown (${1:-no message})" ;;
	esac
}

# The shell writes with its own echo if that can be used. printf of busybox succeeds even
# if the write failed, and its echo repeats a write that ended with EINTR.
lib_error=${TMPDIR:-/tmp}/fragbed-error.$$
at_exit "rm -f '$lib_error'"
lib_echo='echo'
{ echo x >/dev/full; } 2>"$lib_error"
grep -q 'No space left' "$lib_error" || lib_echo='busybox echo'

# knob FILE LINE: one write; sets knob_errno to OK or to the errno's name.
knob() {
	if { $lib_echo "$2" >"$FRAGBED_DIR/$1"; } 2>"$lib_error"; then
		knob_errno=OK
		return 0
	fi
	knob_errno=$(lib_errno_name "$(cat "$lib_error")")
	return 1
}

# must_knob FILE LINE: as knob, but ends the script if the write fails.
must_knob() {
	knob "$1" "$2" && return 0
	say "$1: '$2' failed with $knob_errno"
	log_since_mark | grep "fragbed: " | tail -n 1 | sed 's/^/# /'
	exit 1
}

# --- read-only files -----------------------------------------------------------

# fact FILE NAME
fact() {
	while read -r lib_name lib_value; do
		[ "$lib_name" = "$2" ] || continue
		echo "$lib_value"
		return 0
	done <"$FRAGBED_DIR/$1"
	return 1
}

have_feature() { [ "$(fact caps "$1")" = yes ]; }
