#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# sparse.sh: runs sparse over the new files of mm/, the files of mm/ with hooks and the
# module, in the configuration uml-spb. Fails if sparse prints a warning.
#
# Most distributions have a sparse that is too old for the kernel, which then refuses to
# use it. In that case this builds Debian's newest sparse in the cache.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
. "$TOOLS/debian.sh"

CONFIG=uml-spb
TARGETS=(mm/superpageblock/ mm/superpageblock/tests/ mm/fragbed/ mm/tests/ mm/page_alloc.o mm/vmstat.o)
LOG=$CACHE/logs/sparse.log

# Asks the kernel's own check instead of comparing versions.
knows_the_kernel() { [ "$("$TREE/scripts/checker-valid.sh" "$1")" = 1 ]; }

fetch_and_build() {
	local apt=(apt-get -c "$CACHE/apt-sparse/apt.conf")
	rm -rf "$CACHE/sparse.new"
	mkdir -p "$CACHE/sparse.new"
	cd "$CACHE/sparse.new"
	"${apt[@]}" -o APT::Update::Error-Mode=any update &&
		"${apt[@]}" source --download-only sparse &&
		dpkg-source -x ./*.dsc src &&
		make -C src CC=gcc -j"$JOBS" sparse &&
		rm -rf "$CACHE/sparse" &&
		mv src "$CACHE/sparse"
}

build_sparse() {
	local mirror
	command -v dpkg-source >/dev/null || die "sparse is too old for this kernel, and only a Debian machine can build a newer one by itself"
	for mirror in ${FRAGBED_MIRROR:-$(apt_mirrors)}; do
		write_apt_root "$CACHE/apt-sparse" "deb-src $mirror sid"
		run_logged "building a newer sparse" "$LOG" fetch_and_build && return
	done
	die "cannot build sparse: see $LOG"
}

choose_sparse() {
	local candidate
	for candidate in "$(command -v sparse)" "$CACHE/sparse/sparse"; do
		[ -x "$candidate" ] && knows_the_kernel "$candidate" && SPARSE=$candidate && return
	done
	build_sparse
	SPARSE=$CACHE/sparse/sparse
	knows_the_kernel "$SPARSE" || die "the newest sparse is too old for this kernel"
}

in_tree() {
	make -C "$TREE" ARCH=um O="$BUILD" --no-print-directory -j"$JOBS" C=2 CHECK="$SPARSE" "$@"
}

# Prints a line "CHECK file" for each file, and the warnings of sparse.
check() {
	in_tree "${TARGETS[@]}"
	in_tree M="$REPO" MO="$BUILD/$MODULE_SUBDIR" modules
}

"$TOOLS/packages.sh" run check
TREE=$("$TOOLS/prepare.sh")
KEY=$(basename "$(dirname "$TREE")")
BUILD=$CACHE/build/$KEY/$CONFIG
"$TOOLS/build.sh" "$CONFIG" >/dev/null
take_lock "$KEY"
choose_sparse
check >"$LOG" 2>&1 || die "cannot check: see $LOG"
files=$(grep -c '^ *CHECK ' "$LOG" || :)
warnings=$(grep -E '(warning|error|note): ' "$LOG" || :)
if [ -n "$warnings" ]; then
	printf '%s\n' "$warnings"
fi
printf '%s: %s files, %s\n' "$("$SPARSE" --version)" "$files" "$([ -z "$warnings" ] && printf "no warnings" || printf "see above")"
[ -z "$warnings" ] && [ "$files" -gt 0 ]
