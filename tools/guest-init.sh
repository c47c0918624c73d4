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

# The host may be a container, whose /dev has next to nothing.
fill_dev() {
	mount -t tmpfs -o mode=755 tmpfs /dev
	mknod -m 666 /dev/null c 1 3
	mknod -m 666 /dev/zero c 1 5
	mknod -m 666 /dev/full c 1 7
	mknod -m 666 /dev/random c 1 8
	mknod -m 666 /dev/urandom c 1 9
	mknod /dev/kmsg c 1 11
	mknod -m 666 /dev/tty c 5 0
	mknod /dev/console c 5 1
	mknod /dev/tty0 c 4 0
	ln -s /proc/self/fd /dev/fd
	ln -s fd/0 /dev/stdin
	ln -s fd/1 /dev/stdout
	ln -s fd/2 /dev/stderr
	mkdir /dev/shm
}

# The kernel's messages have the console, the job has the other terminal.
fill_dev
exec </dev/null >/dev/tty0 2>&1
stty -onlcr <&1

# The tmpfs mounts hide whatever of the host lies there: what the job needs is
# mounted again by its path.
show() {
	mkdir -p "$2"
	mount -t hostfs -o "$2" hostfs "$2"
	[ "$1" = rw ] || mount -o remount,ro "$2"
}
mount -t tmpfs tmpfs /tmp
show rw "$FRAGBED_RUN"
. "$FRAGBED_RUN/job"
case $FRAGBED_REPO in
/tmp/* | /run/* | /dev/*) show ro "$FRAGBED_REPO" ;;
esac
show rw "$FRAGBED_OUT"

cd "$FRAGBED_REPO" || busybox poweroff -f
run_job
echo $? >"$FRAGBED_RUN/status"
sync
busybox poweroff -f
