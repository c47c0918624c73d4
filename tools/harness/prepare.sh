# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # $work, $log are the caller's
#
# tools/prepare.sh on a source of three files, which is fast: broken, incomplete and changed
# sources, patches and files.

# Makes the source in $work/src and an empty kernel/ in $work/kernel.
make_source() {
	mkdir -p "$work/src/mm" "$work/kernel/patches" "$work/kernel/files"
	printf '# top\n' >"$work/src/Kbuild"
	seq 1 40 >"$work/src/mm/page_alloc.c"
	seq 1 40 >"$work/src/mm/compaction.c"
	: >"$work/kernel/patches/series"
}

make_tarball() { tar -C "$work" -cJf "$work/src.tar.xz" src; }

# add_patch NAME FILE LINE TEXT: a patch that replaces LINE by TEXT.
add_patch() {
	local file=$work/patched
	mkdir -p "$(dirname "$work/kernel/patches/$1")"
	sed "$3s/.*/$4/" "$work/src/$2" >"$file"
	diff -u --label "a/$2" --label "b/$2" "$work/src/$2" "$file" >"$work/kernel/patches/$1"
	grep -qx "$1" "$work/kernel/patches/series" || printf '%s\n' "$1" >>"$work/kernel/patches/series"
}

# prepare [SOURCE]: leaves the tree's path in $tree.
prepare() {
	local rc=0
	FRAGBED_LOCKS='' FRAGBED_CACHE=$work/cache FRAGBED_KERNEL_DIR=$work/kernel \
		KERNEL_SRC=${1-$work/src.tar.xz} "$TOOLS/prepare.sh" >"$work/tree" 2>"$log" || rc=$?
	tree=$(cat "$work/tree")
	return $rc
}

refuses() {
	! prepare || return 1
	grep -q '^error: ' "$log"
}

has_line() { grep -qx -- "$1" "$2"; }

test_prepare_applies_the_series() {
	make_source && make_tarball && add_patch one.patch mm/page_alloc.c 20 twenty || return 1
	prepare && has_line twenty "$tree/mm/page_alloc.c" && has_line 20 "$tree/mm/compaction.c"
}

test_prepare_again_touches_nothing() {
	test_prepare_applies_the_series && touch "$work/mark" && sleep 0.05 && prepare || return 1
	[ -z "$(find "$tree" -type f -newer "$work/mark" ! -path '*/.pc/*')" ]
}

test_prepare_touches_only_what_changed() {
	test_prepare_applies_the_series && add_patch two.patch mm/compaction.c 5 five && prepare || return 1
	touch "$work/mark" && sleep 0.05
	add_patch two.patch mm/compaction.c 5 FIVE && prepare && has_line FIVE "$tree/mm/compaction.c" || return 1
	[ "$(cd "$tree" && find mm -name '*.c' -newer "$work/mark" ! -path '*/kunit/*')" = mm/compaction.c ]
}

test_prepare_takes_patches_off() {
	test_prepare_applies_the_series && : >"$work/kernel/patches/series" && prepare &&
		cmp "$tree/mm/page_alloc.c" "$work/src/mm/page_alloc.c"
}

# The error names file and hunk; the repaired series applies.
test_patch_does_not_apply() {
	test_prepare_applies_the_series && add_patch two.patch mm/compaction.c 30 thirty || return 1
	sed -i 's/^-30$/-thirty-one/' "$work/kernel/patches/two.patch"
	refuses && says "mm/compaction.c" && says "Hunk #1 FAILED" && says two.patch &&
		add_patch two.patch mm/compaction.c 30 thirty && prepare &&
		has_line thirty "$tree/mm/compaction.c" && has_line twenty "$tree/mm/page_alloc.c"
}

test_patch_applies_only_with_fuzz() {
	make_source && make_tarball && add_patch one.patch mm/page_alloc.c 20 twenty || return 1
	sed -i 's/^ 17$/ seventeen/' "$work/kernel/patches/one.patch"
	refuses && says "Hunk #1 FAILED" && says mm/page_alloc.c
}

test_patch_applies_with_an_offset() {
	make_source && add_patch one.patch mm/page_alloc.c 20 twenty || return 1
	sed -i '1s/^/a line more\n/' "$work/src/mm/page_alloc.c"
	make_tarball && prepare && has_line twenty "$tree/mm/page_alloc.c"
}

# make_source_of VERSION PATCHLEVEL: a kernel to which 7.3/one.patch applies, but not one.patch.
make_source_of() {
	make_source && mkdir -p "$work/kernel/patches/7.3" || return 1
	add_patch one.patch mm/page_alloc.c 20 twenty && add_patch two.patch mm/compaction.c 5 five || return 1
	sed -i 's/^17$/seventeen/' "$work/src/mm/page_alloc.c"
	printf '# top\nVERSION = %s\nPATCHLEVEL = %s\nSUBLEVEL = 4\n' "$1" "$2" >"$work/src/Makefile"
	sed 's/^ 17$/ seventeen/; s/twenty/twenty-one/' "$work/kernel/patches/one.patch" \
		>"$work/kernel/patches/7.3/one.patch"
	make_tarball
}

applies_those_of_7.3() {
	prepare && has_line twenty-one "$tree/mm/page_alloc.c" && has_line five "$tree/mm/compaction.c" &&
		[ "$(paste -sd' ' <"$tree/../series")" = "7.3/one.patch two.patch" ]
}

test_patches_of_its_version() { make_source_of 7 3 && applies_those_of_7.3; }

test_patches_of_an_earlier_version() { make_source_of 7 10 && applies_those_of_7.3; }

test_no_patches_for_an_older_version() {
	make_source_of 7 2 && refuses && says "Hunk #1 FAILED" && says one.patch &&
		says "for Linux 7.2 7.3, does not apply"
}

# An edit of the version's patch is applied, and removed with the patch.
test_patches_of_a_version_are_edited() {
	make_source_of 7 3 && applies_those_of_7.3 || return 1
	sed -i 's/twenty-one/TWENTY/' "$work/kernel/patches/7.3/one.patch"
	prepare && has_line TWENTY "$tree/mm/page_alloc.c" && : >"$work/kernel/patches/series" && prepare &&
		cmp "$tree/mm/page_alloc.c" "$work/src/mm/page_alloc.c"
}

test_patches_in_topic_folders() {
	make_source && make_tarball && add_patch fixes/one.patch mm/page_alloc.c 20 twenty &&
		add_patch um/two.patch mm/page_alloc.c 30 thirty && sed -i '1i# a comment' "$work/kernel/patches/series" || return 1
	prepare && has_line twenty "$tree/mm/page_alloc.c" && has_line thirty "$tree/mm/page_alloc.c"
}

# The old name of a patch is still in the tree when its file is gone.
test_patch_is_renamed() {
	test_prepare_applies_the_series && mkdir "$work/kernel/patches/fixes" || return 1
	mv "$work/kernel/patches/one.patch" "$work/kernel/patches/fixes/new.patch"
	echo fixes/new.patch >"$work/kernel/patches/series"
	touch "$work/mark" && sleep 0.05 && prepare && has_line twenty "$tree/mm/page_alloc.c" &&
		[ ! "$tree/mm/page_alloc.c" -nt "$work/mark" ]
}

# Hunks and added words from the folder of the version, the rest from the base patch.
test_message_of_a_version_is_that_of_the_base() {
	make_source_of 7 3 && cd "$work/kernel/patches" && mkdir fixes 7.3/fixes || return 1
	printf 'Subject: title\n\nText.\n\nSigned-off-by: me\n---\nNew-files: a\n\n' | cat - one.patch >fixes/one.patch
	printf 'Words.\n\n' | cat - 7.3/one.patch >7.3/fixes/one.patch
	FRAGBED_KERNEL_DIR=$work/kernel "$TOOLS/series.sh" --print 7.3/fixes/one.patch >"$work/whole" || return 1
	printf 'Subject: title\n\nText.\n\nWords.\n\nSigned-off-by: me\n---\nNew-files: a\n\n' | cat - 7.3/one.patch |
		cmp - "$work/whole"
}

test_kernel_without_patches() {
	make_source_of 7 3 || return 1
	(export KERNEL=7.1 && ! prepare '') && says "no patches for Linux 7.1, only for 7.2 7.3"
}

test_half_unpacked_tree_is_redone() {
	test_prepare_applies_the_series || return 1
	rm "$tree/mm/compaction.c" "${tree%/linux}/stamp"
	mkdir -p "${tree%/linux}/unpacking/mm"
	prepare && has_line 20 "$tree/mm/compaction.c" && [ ! -e "${tree%/linux}/unpacking" ] &&
		has_line twenty "$tree/mm/page_alloc.c"
}

test_broken_tarball() {
	make_source && make_tarball && cp "$work/src.tar.xz" "$work/whole" || return 1
	truncate -s -60 "$work/src.tar.xz"
	refuses && says src.tar.xz && [ ! -s "$work/tree" ] && cp "$work/whole" "$work/src.tar.xz" && prepare
}

test_tarball_of_something_else() {
	make_source && rm "$work/src/Kbuild" && make_tarball && refuses && says "no Linux tree"
}

test_own_tree_is_followed() {
	make_source && add_patch one.patch mm/page_alloc.c 20 twenty && prepare "$work/src" || return 1
	sed -i 's/^39$/thirty-nine/' "$work/src/mm/page_alloc.c"
	rm "$work/src/mm/compaction.c"
	prepare "$work/src" && has_line thirty-nine "$tree/mm/page_alloc.c" &&
		has_line twenty "$tree/mm/page_alloc.c" && [ ! -e "$tree/mm/compaction.c" ] &&
		! has_line twenty "$work/src/mm/page_alloc.c" && [ ! -e "$work/src/.pc" ]
}

test_own_git_tree_leaves_ignored_files() {
	make_source && git init -q "$work/src" && printf '*.o\n' >"$work/src/.gitignore" || return 1
	: >"$work/src/junk.o"
	prepare "$work/src" && [ ! -e "$tree/junk.o" ] && [ -e "$tree/.gitignore" ] && [ ! -e "$tree/.git" ]
}

test_new_files_come_and_go() {
	make_source && make_tarball && mkdir -p "$work/kernel/files/mm/new" || return 1
	echo a >"$work/kernel/files/mm/new/a.c"
	echo b >"$work/kernel/files/mm/new/b.c"
	prepare && has_line a "$tree/mm/new/a.c" || return 1
	touch "$work/mark" && sleep 0.05
	echo aa >"$work/kernel/files/mm/new/a.c"
	touch "$work/kernel/files/mm/new/b.c"
	prepare && has_line aa "$tree/mm/new/a.c" && [ ! "$tree/mm/new/b.c" -nt "$work/mark" ] || return 1
	rm -r "$work/kernel/files/mm/new"
	prepare && [ ! -e "$tree/mm/new" ] && [ -e "$tree/mm/compaction.c" ]
}

test_new_file_must_not_hide_the_kernels() {
	make_source && make_tarball && mkdir -p "$work/kernel/files/mm" || return 1
	echo mine >"$work/kernel/files/mm/compaction.c"
	refuses && says "mm/compaction.c is in the kernel source already"
}

# An apt-get that aborts its first download.
fake_apt() {
	mkdir -p "$work/bin" "$work/deb/DEBIAN" "$work/deb/usr/src" || return 1
	make_source && tar -C "$work" -cJf "$work/deb/usr/src/linux-source-7.2.tar.xz" src || return 1
	printf 'Package: linux-source-7.2\nVersion: 7.2.1-1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: x\n' \
		>"$work/deb/DEBIAN/control"
	dpkg-deb --build "$work/deb" "$work/whole.deb" >/dev/null || return 1
	cat >"$work/bin/apt-get" <<-SH
		#!/bin/sh
		case "\$*" in
		*indextargets*) echo "http://mirror.example.org/debian/ bookworm" ;;
		*update) ;;
		*download*)
			cp "$work/whole.deb" linux-source-7.2_7.2.1-1_all.deb
			[ ! -e "$work/break" ] || { truncate -s 200 linux-source-7.2_7.2.1-1_all.deb; kill -9 \$PPID; exit 1; }
			;;
		esac
	SH
	chmod +x "$work/bin/apt-get"
}

test_interrupted_download_is_redone() {
	fake_apt && touch "$work/break" || return 1
	PATH=$work/bin:$PATH prepare '' && return 1
	rm "$work/break"
	PATH=$work/bin:$PATH prepare '' && has_line 20 "$tree/mm/compaction.c" || return 1
	# Now the cache has it: no more downloads.
	printf '#!/bin/sh\nexit 1\n' >"$work/bin/apt-get"
	PATH=$work/bin:$PATH prepare ''
}
