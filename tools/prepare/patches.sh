# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced: reads the patches in kernel/patches, named TOPIC/NAME. For a newer Linux,
# VERSION/TOPIC/NAME replaces the hunks. Its message is that of TOPIC/NAME; what is above
# its hunks is added to the message.

PATCHES=$KERNEL_DIR/patches

series_names() {
	[ ! -f "$PATCHES/series" ] || sed 's/[[:space:]]*#.*//; s/[[:space:]].*//; /^$/d' "$PATCHES/series"
}

# base_patch PATCH: the patch that has the message.
base_patch() {
	case $1 in
	[0-9]*) printf '%s\n' "${1#*/}" ;;
	*) printf '%s\n' "$1" ;;
	esac
}

# The words that a version adds to the message.
own_words() { [ "$1" = "$(base_patch "$1")" ] || sed '/^--- /,$d' "$PATCHES/$1"; }

# From, Subject, text and tags; the words of a version go in front of the tags.
patch_message() {
	words=$(own_words "$1") awk '
		/^---$/ { exit }
		/^(Fixes|Reported-by|Signed-off-by): / && !tags++ && ENVIRON["words"] { print ENVIRON["words"] "\n" }
		{ print }' "$PATCHES/$(base_patch "$1")"
}

# What is between the "---" and the hunks: the licence and the new files.
patch_notes() { sed -n '/^---$/,/^--- /{ /^--- /!p }' "$PATCHES/$(base_patch "$1")"; }

patch_hunks() { sed -n '/^--- /,$p' "$PATCHES/$1"; }

whole_patch() {
	[ -f "$PATCHES/$(base_patch "$1")" ] || die "$1: $PATCHES has no $(base_patch "$1") with its message"
	patch_message "$1"
	patch_notes "$1"
	patch_hunks "$1"
}
