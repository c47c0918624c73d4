#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# prepare.sh: gets the kernel source, lays kernel/ and kunit/ over a tree of its
# own in the cache, and prints that tree's path.
#
#   KERNEL=7.3              download that Linux, not 7.2
#   KERNEL_SRC=DIR|TARBALL  take this source instead of downloading one
#   FRAGBED_UPDATE=1        look for a newer point release
#   FRAGBED_NO_SERIES=1     the source as it is, in a tree beside ours
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$TOOLS/debian.sh"
. "$TOOLS/patches.sh"

SERIES=${KERNEL:-7.2}
PACKAGE=linux-source-$SERIES
SUITE=trixie-backports
SOURCES=$CACHE/sources

# The Linux versions that the patches are for. The patches of kernel/patches/TOPIC are
# made for the oldest one; kernel/patches/VERSION/TOPIC has the hunks that differ.
known_series() {
	printf '7.2\n'
	find "$KERNEL_DIR/patches" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*' -printf '%f\n' | sort -V
}

check_series() {
	local known
	known=$(known_series)
	grep -Fqx -- "$SERIES" <<<"$known" ||
		die "KERNEL=$SERIES: there are no patches for Linux $SERIES, only for ${known//$'\n'/ }; or give a source with KERNEL_SRC=..."
}

### The source: a .deb in the cache, somebody's tarball or somebody's tree

# apt-get leaves what it has got so far under the final name: fetch into a
# folder of its own and move the finished file out.
fetch_deb() {
	local apt=(apt-get -c "$1/apt.conf")
	rm -rf "$SOURCES/partial"
	mkdir -p "$SOURCES/partial"
	"${apt[@]}" -o APT::Update::Error-Mode=any update &&
		cd "$SOURCES/partial" &&
		"${apt[@]}" download "$PACKAGE" &&
		mv -- "$PACKAGE"_*.deb "$SOURCES/"
}

newest_deb() { find "$SOURCES" -maxdepth 1 -name "${PACKAGE}_*.deb" 2>/dev/null | sort -V | tail -n 1; }

no_debian() {
	die "only a Debian machine can download the source by itself; give a tree or tarball: KERNEL_SRC=..."
}

# In a subshell, to hold the lock no longer than it takes.
download_deb() (
	local mirror mirrors before=$1
	take_lock sources
	[ "$(newest_deb)" = "$before" ] || exit 0 # the run we waited for got one
	command -v apt-get >/dev/null || no_debian
	[ -r "$KEYRING" ] || no_debian
	mirrors=${FRAGBED_MIRROR:-$(apt_mirrors)}
	[ -n "$mirrors" ] || die "apt knows no mirror; give one with FRAGBED_MIRROR=... or a source with KERNEL_SRC=..."
	for mirror in $mirrors; do
		write_apt_root "$CACHE/apt" "deb $mirror $SUITE"
		PROGRESS_FILE=$SOURCES/partial/ run_logged "downloading the Linux $SERIES source (about 165 MB)" \
			"$CACHE/logs/download.log" fetch_deb "$CACHE/apt" && exit 0
	done
	exit 1
)

# The newest one in the cache; a failed look for a newer one is no reason to stop.
choose_deb() {
	DEB=$(newest_deb)
	[ -z "$DEB" ] || [ "${FRAGBED_UPDATE:-}" = 1 ] || return 0
	if ! download_deb "$DEB"; then
		[ -n "$DEB" ] || die "cannot download the kernel source; see above, or give one with KERNEL_SRC=..."
		warn "staying with the source of an earlier run"
	fi
	DEB=$(newest_deb)
}

# Sets KIND, the base folder for everything about this source and this clone,
# and STAMP: what an unpacked tree was unpacked from.
choose_source() {
	local name
	if [ -z "${KERNEL_SRC:-}" ]; then
		check_series
		choose_deb
		KIND=deb STAMP=$(basename "$DEB") name=${STAMP#"$PACKAGE"_}
		name=${name%%-*}
	else
		SRC=$(realpath -e -- "$KERNEL_SRC") || die "KERNEL_SRC=$KERNEL_SRC: no such file or folder"
		KIND=tar STAMP=$(stat -c '%n %s %y' "$SRC") name=own-$(short_hash "$SRC")
		[ ! -d "$SRC" ] || KIND=dir STAMP=$SRC
	fi
	KEY=$name-$(clone_hash)
	[ "${FRAGBED_NO_SERIES:-}" != 1 ] || KEY=$KEY-mainline
	BASE=$CACHE/trees/$KEY
	TREE=$BASE/linux
}

### Unpacking

deb_tar() { dpkg-deb --fsys-tarfile "$1" | tar -xf - -O "./usr/src/$PACKAGE.tar.xz"; }

unpack_source() {
	case $KIND in
	deb) deb_tar "$DEB" | tar -xJf - --strip-components=1 -C "$1" ;;
	tar) tar -xaf "$SRC" --strip-components=1 -C "$1" ;;
	esac
}

looks_like_kernel() { [ -f "$1/Kbuild" ] && [ -f "$1/mm/page_alloc.c" ]; }

# The stamp is written last and the tree gets its name when it is whole, so a
# tree cut short never counts.
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

### Following somebody's tree

copy_changed() {
	rsync -rlp --checksum --from0 --files-from="$1" "$SRC/" "$TREE/"
}

# Our patches come off first: the source's files are compared with and laid
# over the unpatched ones.
follow_tree() {
	local changed=$BASE/changed gone=$BASE/gone
	looks_like_kernel "$SRC" || die "KERNEL_SRC=$SRC is no Linux tree"
	mkdir -p "$TREE"
	"$TOOLS/treelist.py" "$SRC" "$BASE/listing" "$changed" "$gone"
	[ -s "$changed" ] || [ -s "$gone" ] || return 0
	pop_patches
	(cd "$TREE" && xargs -0r rm -f -- <"$gone")
	run_logged "copying $(tr -cd '\0' <"$changed" | wc -c) changed files of $SRC" \
		"$CACHE/logs/copy.log" copy_changed "$changed"
	clean_copy
	mv "$BASE/listing.new" "$BASE/listing"
}

# Out-of-tree builds refuse a tree that was built in.
clean_copy() {
	local arch
	[ -e "$TREE/.config" ] || [ -d "$TREE/include/config" ] || [ -d "$TREE/include/generated" ] || return 0
	for arch in um x86; do
		run_logged "cleaning the copy (ARCH=$arch)" "$CACHE/logs/mrproper.log" make -C "$TREE" ARCH=$arch mrproper
	done
}

### The patch series

tree_series() { sed -nE '1,9s/^(VERSION|PATCHLEVEL) = //p' "$TREE/Makefile" 2>/dev/null | paste -sd.; }

# not_newer A B: compares 7.9 and 7.10 as one would.
not_newer() { printf '%s\n' "$1" "$2" | sort -CV; }

# The folders of patches that count for this tree, the newest first.
patch_folders() {
	local series
	series=$(tree_series)
	known_series | sort -rV | while IFS= read -r folder; do
		! not_newer "$folder" "$series" || printf '%s\n' "$folder"
	done
}

# The series for quilt: VERSION/TOPIC/NAME where a version has hunks of its own.
resolve_series() {
	local name folder folders found
	folders=$(patch_folders)
	series_names | while IFS= read -r name; do
		found=$name
		for folder in $folders; do
			[ -f "$KERNEL_DIR/patches/$folder/$name" ] && found=$folder/$name && break
		done
		printf '%s\n' "$found"
	done
}

# Which patches, in which order, saying what.
series_state() {
	cat "$BASE/series"
	(cd "$KERNEL_DIR/patches" && xargs -r cat --) <"$BASE/series"
}

# The folder of the patches and the series are told anew each time: quilt would
# stay with those it saw first.
in_quilt() {
	mkdir -p "$TREE/.pc"
	printf '2\n' >"$TREE/.pc/.version"
	printf '%s\n' "$KERNEL_DIR/patches" >"$TREE/.pc/.quilt_patches"
	printf '%s\n' "$BASE/series" >"$TREE/.pc/.quilt_series"
	(cd "$TREE" && quilt --quiltrc /dev/null "$@")
}

# The files the applied patches touch.
patched_files() {
	local name
	[ -s "$TREE/.pc/applied-patches" ] || return 0
	while IFS= read -r name; do
		(cd "$TREE/.pc/$name" && find . -type f ! -name .timestamp -printf '%P\n')
	done <"$TREE/.pc/applied-patches" | sort -u
}

file_hash() { sha256sum 2>/dev/null <"$1" | cut -c1-64; }

# "hash mtime path" of each file of standard input that is there.
file_states() {
	local file
	cd "$TREE" || return
	while IFS= read -r file; do
		[ ! -f "$file" ] || printf '%s %s %s\n' "$(file_hash "$file")" "$(stat -c %.9Y "$file")" "$file"
	done
}

# Popping and pushing touches every patched file; those that end up the same
# get their old time back, so that make builds only what really changed.
keep_times() {
	local hash mtime file
	[ -f "$BASE/times" ] || return 0
	while read -r hash mtime file; do
		[ "$(file_hash "$TREE/$file")" = "$hash" ] || continue
		touch -d "@$mtime" "$TREE/$file"
	done <"$BASE/times"
	rm -f "$BASE/times"
}

# Edits made in the tree itself and not brought home with "quilt refresh".
save_edits() {
	local hash mtime file to
	to=$BASE/edits-$(date +%Y%m%d-%H%M%S)
	[ -f "$BASE/pushed" ] || return 0
	while read -r hash mtime file; do
		[ -f "$TREE/$file" ] || continue
		[ "$(file_hash "$TREE/$file")" != "$hash" ] || continue
		mkdir -p "$to/$(dirname "$file")"
		cp -p "$TREE/$file" "$to/$file"
		warn "$file was edited in the tree; the series changed, so the edited file now is $to/$file"
	done <"$BASE/pushed"
}

pop_patches() {
	rm -f "$BASE/applied"
	[ -s "$TREE/.pc/applied-patches" ] || return 0
	save_edits
	# Times kept by a run that was cut short are the older and better ones.
	[ -f "$BASE/times" ] || patched_files | (file_states) >"$BASE/times.new"
	[ ! -f "$BASE/times.new" ] || mv "$BASE/times.new" "$BASE/times"
	in_quilt pop -afq >"$CACHE/logs/quilt.log" 2>&1 ||
		die "cannot take the patches off the tree; delete $BASE and try again: $(tail -n 3 "$CACHE/logs/quilt.log")"
	rm -f "$BASE/pushed"
}

# No fuzz: a hunk that applies only loosely may land in the wrong place.
push_patches() {
	local log=$CACHE/logs/quilt.log
	[ -s "$BASE/series" ] || return 0
	if ! in_quilt push -a --fuzz=0 >"$log" 2>&1; then
		sed -n '/^Applying patch/h; /^patching file/H; /FAILED\|malformed\|does not\|No such\|reject/{x;/./p;s/.*//;x;p}' "$log" >&2
		die "the series in $KERNEL_DIR/patches, for Linux $(known_series | paste -sd" "), does not apply to ${STAMP}; whole log: $log"
	fi
}

apply_series() {
	local state
	resolve_series >"$BASE/series"
	state=$(series_state | sha256sum)
	[ ! -f "$BASE/applied" ] || [ "$(cat "$BASE/applied")" != "$state" ] || return 0
	pop_patches
	push_patches
	keep_times
	patched_files | (file_states) >"$BASE/pushed"
	printf '%s\n' "$state" >"$BASE/applied"
}

### New files

# FOLDER PLACE: the suites of a folder lie in the tree beside the code they test.
suite_folders() { printf '%s\n' "kunit mm/tests" "kunit/spb mm/superpageblock/tests"; }

# The files of a folder of suites that are for the kernel, not for our tools.
suite_files() { (cd "$REPO/$1" && find . -maxdepth 1 -type f ! -name '*.toml' -printf '%P\n'); }

# Where each file of kernel/files and kunit belongs in the tree.
overlay_files() {
	[ ! -d "$KERNEL_DIR/files" ] || (cd "$KERNEL_DIR/files" && find . -type f -printf '%P\n')
	suite_folders | while read -r folder place; do
		suite_files "$folder" | sed "s,^,$place/,"
	done
}

# A new file must not hide one of the kernel's: that would be a patch's work.
refuse_to_hide() {
	local file
	comm -13 "$BASE/overlay" "$1" | while IFS= read -r file; do
		[ ! -e "$TREE/$file" ] || [ -f "$BASE/overlay.begun" ] ||
			die "$file is in the kernel source already; change it with a patch"
	done
}

remove_files() {
	local file
	while IFS= read -r file; do
		rm -f -- "$TREE/$file"
		rmdir -p --ignore-fail-on-non-empty -- "$(dirname "$TREE/$file")" 2>/dev/null || :
	done
}

# By content and without times: make sees just the files that changed.
lay_files() {
	local new=$BASE/overlay.new
	[ -f "$BASE/overlay" ] || : >"$BASE/overlay"
	overlay_files | sort >"$new"
	refuse_to_hide "$new"
	touch "$BASE/overlay.begun"
	comm -23 "$BASE/overlay" "$new" | remove_files
	[ ! -d "$KERNEL_DIR/files" ] || rsync -rlp --checksum "$KERNEL_DIR/files/" "$TREE/"
	suite_folders | while read -r folder place; do
		mkdir -p "$TREE/$place"
		suite_files "$folder" | rsync -lp --checksum --files-from=- "$REPO/$folder/" "$TREE/$place/"
	done
	mv "$new" "$BASE/overlay"
	rm -f "$BASE/overlay.begun"
}

### All of it

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
