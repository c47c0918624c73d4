#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# deb.sh [--as VERSION] [FOLDER]: builds the package fragbed-dkms from what git tracks,
# looks at it with lintian and leaves it in FOLDER (build/deb); prints its path. --as:
# the same with an older version, to upgrade from.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
. "$TOOLS/packaging/export.sh"

as='' to=$OUT/deb

[ "${1:-}" != --as ] || { as=${2:?} && shift 2; }
[ -z "${1:-}" ] || to=$1

version_of() { sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$1/dkms.conf"; }

# Entries above that version go.
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

# Each tag fails, but for what is only informational.
look() { lintian --fail-on error,warning --allow-root "$run"/fragbed-dkms_*.deb; }

"$TOOLS/packages.sh" deb
make_run_folder
tree=$run/fragbed
export_tree "$tree" "$as"
cp -r "$tree/tools/packaging/debian-package/debian" "$tree/"
[ -z "$as" ] || set_changelog
check_versions
mkdir -p "$to"
run_logged "building the package fragbed-dkms $(version_of "$tree")" "$to/build.log" build || exit 1
[ -n "$as" ] || run_logged "lintian" "$to/lintian.log" look || { cat "$to/lintian.log" >&2 && exit 1; }
cp "$run"/fragbed-dkms_*.deb "$to/"
printf '%s\n' "$to/fragbed-dkms_$(version_of "$tree")_all.deb"
