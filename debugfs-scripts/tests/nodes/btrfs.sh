#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# btrfs allocates its metadata from movable pageblocks: counts the pages of the btree inode
# of a loop-mounted file system per pageblock. Needs a guest started with page_owner=on, whose
# list has the allocating function of each page and the migratetype of its pageblock.
#
# shellcheck disable=SC2317,SC2329  # functions are called by name

. "$(dirname "$0")/../../lib/lib.sh"

owners=/sys/kernel/debug/page_owner
work=${TMPDIR:-/tmp}/fragbed-btrfs
files=1000

need which mkfs.btrfs -- "mkfs.btrfs is missing"
need grep -qw btrfs /proc/filesystems -- "the kernel lacks CONFIG_BTRFS_FS"
need test -e /dev/loop-control -- "the kernel lacks CONFIG_BLK_DEV_LOOP"
need test -e $owners -- "no page owners; needs CONFIG_PAGE_OWNER and page_owner=on"
check_needs

mount_btrfs() {
	mkdir -p "$work/mnt"
	truncate -s 256M "$work/image"
	mkfs.btrfs -q "$work/image" >/dev/null || return 1
	mount -t btrfs -o loop "$work/image" "$work/mnt" || return 1
	at_exit "umount '$work/mnt'"
}

# btrfs stores small files in the metadata.
make_metadata() {
	number=0
	while [ "$number" -lt "$files" ]; do
		number=$((number + 1))
		echo "a small file has its data beside its inode $number" >"$work/mnt/$number"
	done
	sync
}

# "block migratetype pages" of the pages that alloc_extent_buffer() attaches to the btree
# inode. page_owner must be read page by page, hence cat.
metadata_blocks() {
	cat $owners | awk -v RS= '/alloc_eb_folio_array/ && / alloc_extent_buffer[+]/ {
		count = 1
		for (i = 1; i <= NF; i++) {
			if ($i == "order") for (order = $(i + 1) + 0; order > 0; order--) count *= 2
			if ($i == "Block") { block = $(i + 1); type = $(i + 3); break }
		}
		pages[block " " type] += count
	} END { for (block in pages) print block, pages[block] }'
}

pages_in() { awk -v type="$1" '$2 ~ type { sum += $3 } END { print sum + 0 }' "$work/blocks"; }

ktap_start
log_mark
mkdir -p "$work"
at_exit "rm -rf '$work'"
expect "btrfs is mounted from a loop device" mount_btrfs
expect "$files small files are written" make_metadata
metadata_blocks | sort -n >"$work/blocks"
awk '{ print "# pageblock " $1 ": " $2 ", " $3 " metadata pages" }' "$work/blocks"
say "metadata pages in movable pageblocks: $(pages_in Movable), in other ones: $(pages_in '^(Unm|Rec|High|Iso)')"
expect "there are metadata pages" [ "$(pages_in .)" -ge 64 ]
expect "all of them are in movable pageblocks" [ "$(pages_in .)" -eq "$(pages_in '^Movable$')" ]
expect "log is clean" log_check
finish 5
