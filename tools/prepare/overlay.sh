# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by prepare.sh: copies the new files, kernel/files and the suites of kunit/, into
# the tree.

# Prints FOLDER PLACE: the suites of FOLDER go to PLACE, beside the code they test.
suite_folders() { printf '%s\n' "kunit mm/tests" "kunit/spb mm/superpageblock/tests"; }

# The files of a folder of suites that the kernel compiles; *.toml is for our tools.
suite_files() { (cd "$REPO/$1" && find . -maxdepth 1 -type f ! -name '*.toml' -printf '%P\n'); }

# The path in the tree of each file of kernel/files and kunit.
overlay_files() {
	[ ! -d "$KERNEL_DIR/files" ] || (cd "$KERNEL_DIR/files" && find . -type f -printf '%P\n')
	suite_folders | while read -r folder place; do
		suite_files "$folder" | sed "s,^,$place/,"
	done
}

# A new file must not replace a file of the kernel source: that is for a patch.
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

# Compares content and does not copy times, so that make builds only what changed.
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
