# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by prepare.sh: makes the tree from the source: unpacks a .deb or a tarball, or
# copies what changed in the tree of KERNEL_SRC.

deb_tar() { dpkg-deb --fsys-tarfile "$1" | tar -xf - -O "./usr/src/$PACKAGE.tar.xz"; }

unpack_source() {
	case $KIND in
	deb) deb_tar "$DEB" | tar -xJf - --strip-components=1 -C "$1" ;;
	tar) tar -xaf "$SRC" --strip-components=1 -C "$1" ;;
	esac
}

looks_like_kernel() { [ -f "$1/Kbuild" ] && [ -f "$1/mm/page_alloc.c" ]; }

# The tree gets its name when it is complete, and the stamp is written last, so that an
# interrupted run never leaves a tree that counts as unpacked.
unpack_tree() {
	local temp=$BASE/unpacking
	[ ! -d "$TREE" ] || [ "$(cat "$BASE/stamp" 2>/dev/null)" != "$STAMP" ] || return 0
	rm -rf "$temp" "$BASE/stamp" "$BASE/applied" "$BASE/overlay"
	mkdir -p "$temp"
	run_logged "unpacking the kernel source" "$CACHE/logs/unpack.log" unpack_source "$temp" ||
		die "cannot unpack the source; if the file is broken, delete it: ${DEB:-$SRC}"
	looks_like_kernel "$temp" || die "${DEB:-$SRC} holds no Linux tree"
	rm -rf "$TREE"
	mv "$temp" "$TREE"
	printf '%s\n' "$STAMP" >"$BASE/stamp"
}

copy_changed() {
	rsync -rlp --checksum --from0 --files-from="$1" "$SRC/" "$TREE/"
}

# Removes the patches first: the files of the source are compared with the unpatched
# files and replace them.
follow_tree() {
	local changed=$BASE/changed gone=$BASE/gone
	looks_like_kernel "$SRC" || die "KERNEL_SRC=$SRC is no Linux tree"
	mkdir -p "$TREE"
	"$TOOLS/prepare/treelist.py" "$SRC" "$BASE/listing" "$changed" "$gone"
	[ -s "$changed" ] || [ -s "$gone" ] || return 0
	pop_patches
	(cd "$TREE" && xargs -0r rm -f -- <"$gone")
	run_logged "copying $(tr -cd '\0' <"$changed" | wc -c) changed files of $SRC" \
		"$CACHE/logs/copy.log" copy_changed "$changed"
	clean_copy
	mv "$BASE/listing.new" "$BASE/listing"
}

# kbuild refuses to build in another folder if the tree holds a build.
clean_copy() {
	local arch
	[ -e "$TREE/.config" ] || [ -d "$TREE/include/config" ] || [ -d "$TREE/include/generated" ] || return 0
	for arch in um x86; do
		run_logged "cleaning the copy (ARCH=$arch)" "$CACHE/logs/mrproper.log" make -C "$TREE" ARCH=$arch mrproper
	done
}
