#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Process 1 of a guest that tools/uml.sh boots. The host's file system is its
# root, read-only, so programs and the repository are where they are outside.
# FRAGBED_RUN, from the kernel command line, is the folder with the job.
# shellcheck disable=SC2154,SC1091

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH HOME=/run TMPDIR=/run

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null

# The kernel's messages have the console, the job has the other terminal.
mknod /run/job-tty c 4 0
exec </dev/null >/run/job-tty 2>&1
stty -onlcr <&1

# A tmpfs on /tmp would hide whatever of the host lies there: what the job needs
# is mounted again by its path.
show() {
	mkdir -p "$2"
	mount -t hostfs -o "$2" hostfs "$2"
	[ "$1" = rw ] || mount -o remount,ro "$2"
}
mount -t tmpfs tmpfs /tmp
show rw "$FRAGBED_RUN"
. "$FRAGBED_RUN/job"
case $FRAGBED_REPO in
/tmp/*) show ro "$FRAGBED_REPO" ;;
esac
show rw "$FRAGBED_OUT"

cd "$FRAGBED_REPO" || busybox poweroff -f
run_job
echo $? >"$FRAGBED_RUN/status"
sync
busybox poweroff -f
