#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# deb.sh [--as VERSION] [FOLDER]: builds the package fragbed-dkms from the files that git
# tracks, checks it with lintian, leaves it in FOLDER (build/deb) and prints its path. --as
# gives it an older version, for tests of upgrades.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
. "$TOOLS/packaging/export.sh"

as='' to=$OUT/deb

[ "${1:-}" != --as ] || { as=${2:?} && shift 2; }
[ -z "${1:-}" ] || to=$1

version_of() { sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$1/dkms.conf"; }

# Deletes the entries above that version.
set_changelog() {
	local file=$tree/debian/changelog
	sed -i -n "/^fragbed ($as) /,\$p" "$file"
	[ -s "$file" ] || die "tools/packaging/debian-package/debian/changelog has no version $as"
}

check_versions() {
	local version changelog
	version=$(version_of "$tree")
	changelog=$(cd "$tree" && dpkg-parsechangelog -S Version)
	[ "$version" = "$changelog" ] ||
		die "dkms.conf has version $version, tools/packaging/debian-package/debian/changelog $changelog: they must be the same"
}

build() { cd "$tree" && dpkg-buildpackage -b -us -uc; }

# Any tag but informational ones is a failure.
run_lintian() { lintian --fail-on error,warning --allow-root "$run"/fragbed-dkms_*.deb; }

"$TOOLS/packages.sh" deb
make_run_folder
tree=$run/fragbed
export_tree "$tree" "$as"
cp -r "$tree/tools/packaging/debian-package/debian" "$tree/"
[ -z "$as" ] || set_changelog
check_versions
mkdir -p "$to"
run_logged "building the package fragbed-dkms $(version_of "$tree")" "$to/build.log" build || exit 1
[ -n "$as" ] || run_logged "lintian" "$to/lintian.log" run_lintian || { cat "$to/lintian.log" >&2 && exit 1; }
cp "$run"/fragbed-dkms_*.deb "$to/"
printf '%s\n' "$to/fragbed-dkms_$(version_of "$tree")_all.deb"
