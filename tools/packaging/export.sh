# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the tools that copy this repository.

# export_tree TO [VERSION]: copies the tracked files from the working tree; VERSION replaces the
# one in dkms.conf, for tests of upgrades.
export_tree() {
	mkdir -p "$1"
	git -C "$REPO" -c safe.directory='*' ls-files -z --cached |
		(cd "$REPO" && tar --null --verbatim-files-from --ignore-failed-read -T - -cf - 2>/dev/null) |
		tar -xf - --no-same-owner -C "$1"
	[ -z "${2:-}" ] || sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$2\"/" "$1/dkms.conf"
}
