#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# series.sh [DIR]: writes kernel/ as a patch series ready to mail, with a cover letter
# and a diffstat over all patches, to DIR (default build/series). A new file goes into
# the patch that lists it in a line "New-files: GLOB..." below its "---".
#
#   --each COMMAND...  runs COMMAND with the path of a full tree after each patch, for
#                      example to build it
#   --print PATCH      prints a patch of kernel/patches with its message: a patch for a
#                      newer Linux is stored as hunks only
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$TOOLS/prepare/patches.sh"

# print_patch FILE: TOPIC/NAME, or a path to such a file.
print_patch() {
	local name=$1
	[ -f "$PATCHES/$name" ] || name=$(realpath --relative-to="$PATCHES" -- "$name")
	[ -f "$PATCHES/$name" ] || die "$1: no such patch in $PATCHES"
	whole_patch "$name"
}

out=$OUT/series each=()
case ${1:-} in
--print) print_patch "${2:?usage: series.sh --print PATCH}" && exit ;;
--each) shift && each=("$@") ;;
'') ;;
*) out=$1 ;;
esac

field() { patch_message "$1" | sed -n "s/^$2: //p" | head -n 1; }
new_files() { patch_notes "$1" | sed -n 's/^New-files: //p'; }
# The patches that prepare.sh applied to this tree.
names() { cat "$(dirname "$TREE")/series"; }

git_here() { git -C "$work" -c user.name=fragbed -c user.email=fragbed -c commit.gpgsign=false "$@"; }

# A repository of just the files that the series changes, before the first patch: a
# diff needs no other files.
start_tree() {
	local name file
	git init -q -b series "$work"
	for name in $(names); do
		(cd "$TREE/.pc/$name" 2>/dev/null && find . -type f ! -name .timestamp -printf '%P\n') || :
	done | sort -u | while IFS= read -r file; do
		copy_original "$file"
	done
	git_here add -A
	git_here commit -q -m "the kernel before"
}

copy_original() {
	local name
	for name in $(names); do
		[ ! -f "$TREE/.pc/$name/$1" ] || break
	done
	# quilt keeps an empty file for a file that the patch creates.
	[ -s "$TREE/.pc/$name/$1" ] || return 0
	mkdir -p "$work/$(dirname "$1")"
	cp "$TREE/.pc/$name/$1" "$work/$1"
}

# The Makefile comes with the first patch, but lists objects of later ones.
drop_missing_objects() {
	local makefile=$work/mm/superpageblock/Makefile
	[ -f "$makefile" ] || return 0
	cp "$TREE/mm/superpageblock/Makefile" "$makefile"
	grep -o '[a-z_]*\.o' "$makefile" | while IFS= read -r object; do
		[ -f "$work/mm/superpageblock/${object%.o}.c" ] || sed -i "s/ $object\>//" "$makefile"
	done
}

add_files() {
	local glob file
	for glob in $(new_files "$1"); do
		for file in $(cd "$TREE" && compgen -G "$glob"); do
			grep -Fqx -- "$file" "$overlay" || continue
			mkdir -p "$work/$(dirname "$file")"
			cp "$TREE/$file" "$work/$file"
		done
	done
}

commit_patch() {
	local name=$1 body
	add_files "$name"
	! grep -q '^--- a/' "$PATCHES/$name" ||
		patch -s -p1 -d "$work" <"$PATCHES/$name"
	drop_missing_objects
	find "$work" -name '*.orig' -delete
	git_here add -A
	body=$(patch_message "$name" | sed '1,/^$/d')
	printf '%s\n\n%s\n' "$(field "$name" Subject | sed 's/^\[PATCH\] //')" "$body" |
		git_here commit -q --author="$(field "$name" From)" -F -
	[ ${#each[@]} -eq 0 ] || check_step "$name"
}

# Runs the command of --each in the full tree, with the patches so far.
check_step() {
	say "== after $1"
	rsync -rlp --checksum "$work/" "$full/" --exclude=.git
	"${each[@]}" "$full" </dev/null || die "after $1: '${each[*]}' failed"
}

# Each new file belongs to a patch.
check_complete() {
	local file missing=0
	while IFS= read -r file; do
		[ -f "$work/$file" ] || { say "$file is in no patch: add it to a New-files line" && missing=1; }
	done <"$overlay"
	return $missing
}

# A full tree without the series, for --each.
start_full_tree() {
	full=$run/tree
	say "copying the tree"
	cp -r --reflink=auto "$TREE" "$full"
	rm -rf "$full/.pc"
	(cd "$full" && xargs rm -f) <"$overlay"
	cp -r "$work/." "$full/"
	rm -rf "$full/.git"
}

TREE=$("$TOOLS/prepare.sh")
overlay=$(dirname "$TREE")/overlay # the new files, as prepare.sh copied them
take_lock "$(basename "$(dirname "$TREE")")"
make_run_folder
work=$run/series
start_tree
[ ${#each[@]} -eq 0 ] || start_full_tree
base=$(git_here rev-parse HEAD)
for name in $(names); do
	commit_patch "$name"
done
check_complete
rm -rf "$out"
git_here config branch.series.description "$(sed '/^#/d' "$KERNEL_DIR/cover-letter.txt")"
git_here format-patch -q --cover-letter --cover-from-description=subject --base="$base" -o "$out" "$base"
say "$(find "$out" -name '*.patch' | wc -l) files in $out:"
git_here diff --stat "$base" | tail -n 40
say "existing files: $(git_here diff --numstat "$base" --diff-filter=M | awk '{ add += $1; del += $2 } END { print add " lines added, " del " removed" }')"
