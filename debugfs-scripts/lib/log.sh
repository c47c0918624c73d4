# shellcheck shell=sh disable=SC2154  # lib_folder is of lib.sh
# SPDX-License-Identifier: GPL-2.0
#
# Part of lib.sh: the kernel log since a mark, and memory leaks.

lib_mark=
lib_no_memory='page allocation failure|Call Trace'
lib_kmemleak=/sys/kernel/debug/kmemleak

log_mark() {
	lib_mark="fragbed-mark-$$-$(cut -d' ' -f1 /proc/uptime)"
	echo "$lib_mark" >/dev/kmsg
}

# The kernel's reports of its own bugs, as one extended regular expression. Not kmemleak's,
# which also counts objects of the kernel's start-up: leaks() leaves those out.
splats() { sed '/^#/d; /^$/d; /^kmemleak/d' "$lib_folder/splats" | paste -sd'|' -; }

# For a script that allocates more memory than there is: the kernel logs a stack trace for
# a failed allocation. log_check looks for splats all the same.
log_may_have_failed_allocations() { lib_no_memory=; }

log_since_mark() { dmesg | sed -n "/$lib_mark/,\$p" | sed 1d; }

# Off by default in our kernel (kmemleak=on enables it): nothing to scan then.
kmemleak_scan() {
	[ -w $lib_kmemleak ] || return 0
	echo scan >$lib_kmemleak 2>/dev/null || return 0
	# kmemleak reports only objects that are older than five seconds.
	sleep 6
	echo scan >$lib_kmemleak 2>/dev/null
}

# Prints the leaks, if there are any. Objects of pid 0 are those of the kernel's start-up.
leaks() {
	grep '^  comm' $lib_kmemleak 2>/dev/null | grep -qv 'pid 0,' && cat $lib_kmemleak
}

# Fails and prints the lines if there is a splat or a leak.
log_check() {
	kmemleak_scan
	log_since_mark >"${TMPDIR:-/tmp}/fragbed-log"
	if ! dmesg | grep -q "$lib_mark"; then
		say "the kernel log was overwritten since its mark"
		return 1
	fi
	lib_found=$(grep -E "$(splats)${lib_no_memory:+|$lib_no_memory}" "${TMPDIR:-/tmp}/fragbed-log"; leaks)
	[ -n "$lib_found" ] || return 0
	say "the kernel log has:"
	printf '%s\n' "$lib_found" | sed 's/^/#   /'
	return 1
}
