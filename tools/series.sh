#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# series.sh [DIR]: writes kernel/ as a patch series to be mailed, with cover letter
# and overall diffstat, to DIR (default build/series), each new file in the patch
# that says so in a line "New-files: GLOB..." below its "---".
#
#   --each COMMAND...  runs COMMAND in a full tree after each patch, the tree's path
#                      is appended; for "does each build?"
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

out=$OUT/series each=()
case ${1:-} in
--each) shift && each=("$@") ;;
'') ;;
*) out=$1 ;;
esac

header() { sed '/^---$/,$d' "$KERNEL_DIR/patches/$1"; }
field() { header "$1" | sed -n "s/^$2: //p" | head -n 1; }
new_files() { sed -n 's/^New-files: //p' "$KERNEL_DIR/patches/$1"; }
# As prepare.sh chose them for this tree, FOLDER/NAME for those of a newer kernel only.
names() { cat "$(dirname "$TREE")/series"; }

git_here() { git -C "$work" -c user.name=fragbed -c user.email=fragbed -c commit.gpgsign=false "$@"; }

# Only what the series touches, as it was before: the repository of a whole kernel
# is not needed for a diff.
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
	# quilt keeps an empty file for one that is new.
	[ -s "$TREE/.pc/$name/$1" ] || return 0
	mkdir -p "$work/$(dirname "$1")"
	cp "$TREE/.pc/$name/$1" "$work/$1"
}

# A Makefile that comes first lists what comes later.
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
	! grep -q '^--- a/' "$KERNEL_DIR/patches/$name" ||
		patch -s -p1 -d "$work" <"$KERNEL_DIR/patches/$name"
	drop_missing_objects
	find "$work" -name '*.orig' -delete
	git_here add -A
	body=$(header "$name" | sed '1,/^$/d')
	printf '%s\n\n%s\n' "$(field "$name" Subject | sed 's/^\[PATCH\] //')" "$body" |
		git_here commit -q --author="$(field "$name" From)" -F -
	[ ${#each[@]} -eq 0 ] || check_step "$name"
}

# In the prepared tree: what is not yet there is taken away.
check_step() {
	say "== after $1"
	rsync -rlp --checksum "$work/" "$full/" --exclude=.git
	"${each[@]}" "$full" </dev/null || die "after $1: '${each[*]}' failed"
}

# All that is new belongs to some patch.
check_complete() {
	local file missing=0
	while IFS= read -r file; do
		[ -f "$work/$file" ] || { say "$file is in no patch: add it to a New-files line" && missing=1; }
	done <"$overlay"
	return $missing
}

# A whole tree without the series, for --each.
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
overlay=$(dirname "$TREE")/overlay # the new files prepare.sh laid into it
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
