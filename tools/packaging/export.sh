# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by who needs this repository elsewhere: what git tracks, as it is in the
# working tree.

# export_tree TO [VERSION]: with another version in dkms.conf, to upgrade from.
export_tree() {
	mkdir -p "$1"
	git -C "$REPO" -c safe.directory='*' ls-files -z --cached |
		(cd "$REPO" && tar --null --verbatim-files-from --ignore-failed-read -T - -cf - 2>/dev/null) |
		tar -xf - --no-same-owner -C "$1"
	[ -z "${2:-}" ] || sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$2\"/" "$1/dkms.conf"
}
