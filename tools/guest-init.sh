#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Process 1 of a guest that tools/guest.sh boots. The root is the host's file system, read-only,
# so that all paths are those of the host. FRAGBED_RUN, from the kernel command line, is the
# folder with the job.
# shellcheck disable=SC2154,SC1091

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH HOME=/run TMPDIR=/run

. "$FRAGBED_RUN/job"

# The host may be a container with an almost empty /dev.
fill_dev() {
	mount -t devtmpfs devtmpfs /dev
	ln -s /proc/self/fd /dev/fd
	ln -s fd/0 /dev/stdin
	ln -s fd/1 /dev/stdout
	ln -s fd/2 /dev/stderr
	mkdir /dev/shm
	mount -t tmpfs tmpfs /dev/shm
}

# The console has the kernel's messages, the other terminal the job's output.
find_terminal() {
	arch=x86_64 terminal=/dev/ttyS1
	! grep -qw hostfs /proc/filesystems || arch=um terminal=/dev/tty0
	exec </dev/null >$terminal 2>&1
	stty -onlcr <&1
}

# mount_writable TAG FOLDER: mounts the host's folder at the same path; TAG is QEMU's name of it.
mount_writable() {
	mkdir -p "$2"
	if [ "$arch" = um ]; then
		mount -t hostfs -o "$2" hostfs "$2"
	else
		mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 "$1" "$2"
	fi
}

mount --bind "$FRAGBED_REPO" /mnt
mount -t proc proc /proc
fill_dev
find_terminal
mount -t sysfs sysfs /sys
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null

# These mounts hide the host's folders. The job needs some of them again.
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -p "$FRAGBED_REPO"
mount --move /mnt "$FRAGBED_REPO"
mount_writable run "$FRAGBED_RUN"
mount_writable out "$FRAGBED_OUT"

cd "$FRAGBED_REPO" || busybox poweroff -f
run_job
echo $? >"$FRAGBED_RUN/status"
sync
busybox poweroff -f
