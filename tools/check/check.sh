#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh: static checks. Per file shellcheck, pyflakes, checkpatch, kernel-doc, the man page,
# the licence line, the mode and names of this machine; sparse; and the checks in
# tools/check/*.py, which compare lists, knobs and documents with each other.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

# row WHAT COMMAND...: prints one line, and the command's output if it fails.
row() {
	local what=$1 output
	shift
	if output=$("$@" 2>&1); then
		printf 'ok %s\n' "$what"
	else
		printf '%s\nnot ok %s\n' "$output" "$what"
	fi
}

# Paths that are in the repository or that "git add" would add.
our_files() { git -C "$REPO" -c safe.directory='*' ls-files --cached --others --exclude-standard | sort -u | existing; }

existing() {
	local file
	while IFS= read -r file; do
		[ ! -f "$REPO/$file" ] || printf '%s\n' "$file"
	done
}

first_line() {
	local first=''
	IFS= read -r first <"$1" || :
	printf '%s\n' "$first"
}

is_shell() {
	case $1:$(first_line "$1") in
	*.sh:* | *.bash-completion:* | *:'#!/bin/sh'* | *:'#!/bin/bash'*) return 0 ;;
	esac
	return 1
}

is_python() {
	case $1:$(first_line "$1") in
	*.py:* | *:'#!/usr/bin/env python3'*) return 0 ;;
	esac
	return 1
}

# Types of checkpatch that do not apply outside a kernel tree:
#   FILE_PATH_CHANGES        the files are new to a tree without our MAINTAINERS entry
#   EMBEDDED_FILENAME        false alarm on names of suites in comments
#   LINUX_VERSION_CODE       the module has to build on several kernels
#   MACRO_ARG_UNUSED         hooks are macros when their option is off
#   UNKNOWN_COMMIT_ID        Fixes: names a commit of Linux, which is not in this repository
CHECKPATCH_IGNORE=FILE_PATH_CHANGES,EMBEDDED_FILENAME,LINUX_VERSION_CODE,MACRO_ARG_UNUSED,UNKNOWN_COMMIT_ID

checkpatch() {
	"$TREE/scripts/checkpatch.pl" --strict --quiet --no-summary --max-line-length=100 \
		--ignore="$CHECKPATCH_IGNORE" --root="$TREE" "$@"
}

# The macros of a trace header are not laid out like functions.
checkpatch_trace() {
	CHECKPATCH_IGNORE=$CHECKPATCH_IGNORE,PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE checkpatch --file "$1"
}

# By standard input: a patch that git tracks would be checked as a source file.
checkpatch_patch() { "$TOOLS/series.sh" --print "$1" | checkpatch -; }

# Formats without comments have no place for the line; a patch has it in the files it adds.
needs_licence() {
	case $1 in
	*.json | *.log | *.patch | */series | LICENSE* | COPYING* | *.golden) return 1 ;;
	*/debian/changelog | */debian/source/format | */debian/*.dkms) return 1 ;;
	esac
}

has_licence() { head -n 5 "$1" | grep -q 'SPDX-License-Identifier: GPL-2.0'; }

# An executable file starts with #!.
mode_fits() {
	local mode
	mode=$(git -C "$REPO" -c safe.directory='*' ls-files -s -- "$1")
	case ${mode%% *}:$(first_line "$1") in
	100755:'#!'*) return 0 ;;
	100755:*) printf '%s: executable, but does not start with #!\n' "$1" && return 1 ;;
	esac
}

# Package mirrors and folders of this machine.
machine_words() {
	case $(dirname "$REPO") in
	/ | /tmp) ;;
	*) printf '%s/\n' "$(dirname "$REPO")" ;;
	esac
	case ${HOME:-/} in
	/ | /root) ;;
	*) printf '%s/\n' "$HOME" ;;
	esac
	sed -nE 's,.*https?://([^/ ]+).*,\1,p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | sort -u
}

no_machine_words() {
	local words
	words=$(machine_words)
	if grep -nIF -e "$words" -- "$1"; then
		return 1
	fi
}

check_file() {
	local file=$1
	if is_shell "$file"; then
		row "shellcheck $file" shellcheck -x -P SCRIPTDIR -P "$TOOLS" "$file"
	fi
	if is_python "$file"; then
		row "pyflakes $file" pyflakes3 "$file"
	fi
	case $file in
	*.[1-8]) row "man page $file" mandoc -T lint -W warning "$file" ;;
	*/trace/events/*.h) row "checkpatch $file" checkpatch_trace "$file" ;;
	*.[ch])
		row "checkpatch $file" checkpatch --file "$file"
		row "kernel-doc $file" "$TREE/scripts/kernel-doc" -none -Werror "$file"
		;;
	*.patch) row "checkpatch $file" checkpatch_patch "$file" ;;
	esac
	if needs_licence "$file"; then
		row "licence $file" has_licence "$file"
	fi
	row "mode $file" mode_fits "$file"
	row "machine words $file" no_machine_words "$file"
}

# check_lists: each tools/check/*.py is a row; those of lists.py have one each.
check_lists() {
	local check name names
	names=$("$TOOLS/check/lists.py" --list) || printf 'not ok lists\n'
	for name in $names; do
		row "lists: $name" "$TOOLS/check/lists.py" "$name"
	done
	for check in "$TOOLS"/check/*.py; do
		name=$(basename "$check" .py)
		[ "$name" = lists ] || row "$name" "$check"
	done
}

# Started by xargs, with some of the files.
if [ "${1:-}" = --files ]; then
	shift
	for file; do
		check_file "$file" </dev/null
	done
	exit 0
fi

"$TOOLS/packages.sh" run check
TREE=$("$TOOLS/prepare.sh")
export TREE
make_run_folder
cd "$REPO"
{
	our_files | xargs -d '\n' -P "$JOBS" -n 4 "$0" --files
	check_lists
	row "sparse" "$TOOLS/check/sparse.sh"
} | tee "$run/rows"
passed=$(grep -c '^ok ' "$run/rows" || :)
failed=$(grep -c '^not ok ' "$run/rows" || :)
write_counts check "$passed" "$failed" 0
printf 'check: %s passed, %s failed\n' "$passed" "$failed"
if [ "$passed" -eq 0 ] || [ "$failed" -gt 0 ]; then
	exit 1
fi
