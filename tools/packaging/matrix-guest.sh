#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Process 1 of a guest of tools/packaging/matrix.sh after its initramfs: tests the module of the
# installed package on this kernel. Each step appends a line "name passed failed skipped" to
# /mnt/job/steps and writes its output to /mnt/job/NAME.txt.
# shellcheck disable=SC1090,SC1091,SC2154

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
SCRIPTS=/usr/share/fragbed/debugfs-scripts
TMPDIR=/tmp
FRAGBED_MODULE=$(modinfo -F filename fragbed)
FRAGBED_OUT=/mnt/job
FRAGBED_REPO=/usr/share/fragbed
export PATH TMPDIR FRAGBED_MODULE FRAGBED_OUT FRAGBED_REPO

. "$SCRIPTS/lib/lib.sh"
[ "$$" = 1 ] || exit 1

mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
exec </dev/null >/dev/ttyS1 2>&1

# step NAME COMMAND...: passed if its exit code is 0, skipped if 4.
step() {
	step_name=$1
	shift
	say "$step_name"
	rc=0
	"$@" >"/mnt/job/$step_name.txt" 2>&1 || rc=$?
	case $rc in
	0) set -- 1 0 0 ;;
	4) set -- 0 0 1 ;;
	*) set -- 0 1 0 ;;
	esac
	if [ -s "/mnt/job/$step_name.counts" ]; then
		read -r passed failed skipped <"/mnt/job/$step_name.counts"
		set -- "$passed" "$failed" "$skipped"
	fi
	# The script failed without counting the failure.
	[ $rc -eq 0 ] || [ $rc -eq 4 ] || [ "$2" -gt 0 ] || set -- "$1" 1 "$3"
	echo "$step_name $*" >>/mnt/job/steps
	say "$step_name: $1 passed, $2 failed, $3 skipped"
	sync
}

# script NAME FILE: a step whose script writes counts.
script() { step "$1" env FRAGBED_COUNTS="/mnt/job/$1.counts" "$SCRIPTS/$2"; }

load() { modprobe fragbed && module_loaded && [ -r "$FRAGBED_DIR/caps" ] && cat "$FRAGBED_DIR/version"; }
unload() { rmmod fragbed && ! module_loaded; }
shown() { shown_text=$("$@") && [ -n "$shown_text" ] && printf '%s\n' "$shown_text"; }


# As with Secure Boot. It cannot be undone: later steps can only read.
lock_down() {
	mountpoint -q /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security
	[ -w /sys/kernel/security/lockdown ] || { say "SKIP: this kernel has no lockdown" && return 4; }
	load && echo integrity >/sys/kernel/security/lockdown || return 1
	refusal=$(fragbed hold set=x type=unmovable order=0 count=1 2>&1) && return 1
	say "$refusal"
	case $refusal in
	*"locked down (integrity"*EPERM*) fragbed caps && fragbed map && unload ;;
	*) return 1 ;;
	esac
}

do_step() {
	case $1 in
	load) step load load ;;
	caps | map) step "$1" shown fragbed "$1" ;;
	unload) step unload unload ;;
	quick) script quick scenarios/quick/guest.sh ;;
	# It checks the log itself; the kernel logs its out-of-memory tests there.
	knobs) script knobs tests/knobs/knobs.py && log_mark ;;
	lockdown) step lockdown lock_down ;;
	log) step log log_check ;;
	esac
}

log_mark
read -r wanted </mnt/job/wanted
for name in $wanted; do
	do_step "$name"
done
dmesg >/mnt/job/dmesg.txt
echo 0 >/mnt/job/status
sync
busybox poweroff -f
