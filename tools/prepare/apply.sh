# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by prepare.sh: applies the patch series to the tree with quilt, and keeps the
# times of the files that do not change by it.

tree_series() { sed -nE '1,9s/^(VERSION|PATCHLEVEL) = //p' "$TREE/Makefile" 2>/dev/null | paste -sd.; }

# not_newer A B: compares versions by number: 7.9 is not newer than 7.10.
not_newer() { printf '%s\n' "$1" "$2" | sort -CV; }

# The versions whose patches fit this tree, the newest first.
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
			[ -f "$PATCHES/$folder/$name" ] && found=$folder/$name && break
		done
		printf '%s\n' "$found"
	done
}

# Names, order and content of the patches.
series_state() {
	cat "$BASE/series"
	(cd "$PATCHES" && xargs -r cat --) <"$BASE/series"
}

# Writes the folder of the patches and the series each time: quilt would go on using
# those of its first run.
in_quilt() {
	mkdir -p "$TREE/.pc"
	printf '2\n' >"$TREE/.pc/.version"
	printf '%s\n' "$PATCHES" >"$TREE/.pc/.quilt_patches"
	printf '%s\n' "$BASE/series" >"$TREE/.pc/.quilt_series"
	(cd "$TREE" && quilt --quiltrc /dev/null "$@")
}

# The files that the applied patches change.
patched_files() {
	local name
	[ -s "$TREE/.pc/applied-patches" ] || return 0
	while IFS= read -r name; do
		(cd "$TREE/.pc/$name" && find . -type f ! -name .timestamp -printf '%P\n')
	done <"$TREE/.pc/applied-patches" | sort -u
}

file_hash() { sha256sum 2>/dev/null <"$1" | cut -c1-64; }

# Prints "hash mtime path" for each existing file of standard input.
file_states() {
	local file
	cd "$TREE" || return
	while IFS= read -r file; do
		[ ! -f "$file" ] || printf '%s %s %s\n' "$(file_hash "$file")" "$(stat -c %.9Y "$file")" "$file"
	done
}

# Removing and applying the patches writes each patched file. Restores the time of those
# with the same content as before, so that make builds only what really changed.
keep_times() {
	local hash mtime file
	[ -f "$BASE/times" ] || return 0
	while read -r hash mtime file; do
		[ "$(file_hash "$TREE/$file")" = "$hash" ] || continue
		touch -d "@$mtime" "$TREE/$file"
	done <"$BASE/times"
	rm -f "$BASE/times"
}

# Saves edits that the user made in the tree but did not add to a patch ("quilt refresh").
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
	# Times that an interrupted run left are older, and so the right ones.
	[ -f "$BASE/times" ] || patched_files | (file_states) >"$BASE/times.new"
	[ ! -f "$BASE/times.new" ] || mv "$BASE/times.new" "$BASE/times"
	in_quilt pop -afq >"$CACHE/logs/quilt.log" 2>&1 ||
		die "cannot take the patches off the tree; delete $BASE and try again: $(tail -n 3 "$CACHE/logs/quilt.log")"
	rm -f "$BASE/pushed"
}

# Without fuzz: a hunk that applies with fuzz may change the wrong place.
push_patches() {
	local log=$CACHE/logs/quilt.log
	[ -s "$BASE/series" ] || return 0
	if ! in_quilt push -a --fuzz=0 >"$log" 2>&1; then
		sed -n '/^Applying patch/h; /^patching file/H; /FAILED\|malformed\|does not\|No such\|reject/{x;/./p;s/.*//;x;p}' "$log" >&2
		die "the series in $PATCHES, for Linux $(known_series | paste -sd" "), does not apply to ${STAMP}; whole log: $log"
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
