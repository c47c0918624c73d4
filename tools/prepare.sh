#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# prepare.sh: gets the kernel source, makes a tree in the cache with kernel/ and kunit/
# applied, and prints the path of that tree.
#
#   KERNEL=7.3              download this Linux instead of 7.2
#   KERNEL_SRC=DIR|TARBALL  use this source instead of downloading one
#   FRAGBED_UPDATE=1        look for a newer point release
#   FRAGBED_NO_SERIES=1     do not apply kernel/ and kunit/; the tree has a path of its own
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$TOOLS/debian.sh"
. "$TOOLS/prepare/source.sh"
. "$TOOLS/prepare/unpack.sh"
. "$TOOLS/prepare/patches.sh"
. "$TOOLS/prepare/apply.sh"
. "$TOOLS/prepare/overlay.sh"

main() {
	choose_source
	check_path "$TREE"
	take_lock "$KEY"
	mkdir -p "$BASE"
	case $KIND in
	dir) follow_tree ;;
	*) unpack_tree ;;
	esac
	[ "${FRAGBED_NO_SERIES:-}" != 1 ] || return 0
	apply_series
	lay_files
}

"$TOOLS/packages.sh" run
mkdir -p "$CACHE/logs" "$SOURCES"
main
printf '%s\n' "$TREE"
