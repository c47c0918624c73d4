#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The initramfs of a guest of tools/packaging/matrix.sh: loads the modules with which a stock
# kernel mounts the host's folder. The guest's writes stay in memory.

export PATH=/bin
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /lower /upper /root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do
	insmod "$module" || echo "cannot load $module"
done

options=trans=virtio,version=9p2000.L,msize=262144
mount -t 9p -o $options,cache=loose,ro host /lower
mount -t tmpfs tmpfs /upper
mkdir /upper/upper /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work overlay /root
mkdir -p /root/mnt/job
mount -t 9p -o $options run /root/mnt/job
ln -s /proc/self/fd /dev/fd
mkdir /dev/shm
mount -t tmpfs tmpfs /dev/shm
for folder in proc sys dev; do
	mount --move /$folder /root/$folder
done
exec switch_root /root /bin/sh /mnt/job/matrix-guest.sh
