# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # $run is the caller's
#
# Sourced by the tests that need a Debian in a folder: debootstrap makes it, with signatures
# checked, the cache keeps it, and each test changes a copy of its own. The caller is root and
# has called own_mounts and make_run_folder.
#
# The name of a folder in the cache has a hash of its packages and their versions on the
# mirror: newer versions make a new folder.

. "$TOOLS/debian.sh"

FOLDERS=$CACHE/folders
# For "make install", the package and the tests of the module.
BASE_PACKAGES=(dkms kmod python3 busybox-static bash-completion openssl)

### Mirrors

suite_of() {
	case $1 in
	12) printf 'bookworm\n' ;;
	13) printf 'trixie\n' ;;
	esac
}

# FRAGBED_MIRROR is that of prepare.sh.
main_mirror() { { printf '%s\n' "${FRAGBED_MIRROR:-}" && apt_mirrors; } | grep . | sed -n 1p; }

# Lines "deb MIRROR SUITE": kernels are in the security suite or in backports.
sources_of() {
	local suite mirror security
	suite=$(suite_of "$1")
	mirror=$(main_mirror)
	[ -n "$mirror" ] || die "apt knows no mirror; give one with FRAGBED_MIRROR=..."
	printf 'deb %s %s\n' "$mirror" "$suite"
	[ "$1" -lt 13 ] || printf 'deb %s %s-backports\n' "$mirror" "$suite"
	security=$(apt_security_mirrors | sed -n 1p)
	[ -z "$security" ] || printf 'deb %s %s-security\n' "$security" "$suite"
}

# look_up RELEASE: fetches the package lists of that Debian into an apt root of its own.
look_up() {
	local sources
	mapfile -t sources < <(sources_of "$1")
	apt_root=$CACHE/apt-$1
	write_apt_root "$apt_root" "${sources[@]}"
	printf 'Dir::State::status "/dev/null";\n' >>"$apt_root/apt.conf"
	run_logged "fetching the package lists of Debian $1" "$CACHE/logs/apt-$1.log" \
		apt-get -c "$apt_root/apt.conf" -o APT::Update::Error-Mode=any update
}

# packages_like REGEX: the names of packages, oldest first.
packages_like() { apt-cache -c "$apt_root/apt.conf" pkgnames | { grep -xE "$1" || :; } | sort -V; }

versions_of() { apt-cache -c "$apt_root/apt.conf" policy "$@" | grep -E '^[^ ]|Candidate:'; }

### Mounts

# In a mount namespace: the mounts vanish when this process and its children end.
own_mounts() {
	[ "$(id -u)" -eq 0 ] || die "root is required to make a Debian in a folder: sudo make ..."
	[ -z "${FRAGBED_OWN_MOUNTS:-}" ] || return 0
	FRAGBED_OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"
}

# Unmounts before the folder is deleted.
release_mounts() {
	local point
	while read -r _ point _; do
		[[ $point != "$run"/* ]] || umount -R -l "$point" 2>/dev/null || :
	done </proc/self/mounts
	rm -rf "$run"
}

# throw_away FOLDER NAME: mounts a temporary, writable copy as $run/NAME/root.
throw_away() {
	local at=$run/$2
	mkdir -p "$at"
	mount -t tmpfs tmpfs "$at"
	mkdir "$at/upper" "$at/work" "$at/root"
	mount -t overlay overlay -o "lowerdir=$1,upperdir=$at/upper,workdir=$at/work" "$at/root" ||
		die "cannot mount overlayfs, which the temporary copies need"
	mount -t proc proc "$at/root/proc"
}

drop() {
	umount -R -l "$run/$1"
	rmdir "$run/$1"
}

# in_folder ROOT COMMAND...
in_folder() {
	local root=$1
	shift
	chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive INITRD=No "$@"
}

### Making a folder

# No daemons, no recommended packages, no fsync; kernel packages may come from backports.
configure_folder() {
	printf 'Package: linux-*\nPin: release n=*-backports\nPin-Priority: 500\n' >"$1/etc/apt/preferences.d/fragbed"
	sed 's/ \[signed-by=[^]]*\]//' "$apt_root/sources.list" >"$1/etc/apt/sources.list"
	cat >"$1/etc/apt/apt.conf.d/99fragbed" <<-'CONF'
		APT::Install-Recommends "false";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Dpkg::Options { "--force-unsafe-io"; };
	CONF
	printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
	chmod +x "$1/usr/sbin/policy-rc.d"
}

bootstrap() {
	debootstrap --variant=minbase --keyring="$KEYRING" "$(suite_of "$2")" "$1" "$(main_mirror)" &&
		configure_folder "$1" && in_folder "$1" apt-get update &&
		add_packages "$1" "${BASE_PACKAGES[@]}"
}

# The kernel's packages need /proc.
add_packages() {
	local rc=0
	mountpoint -q "$1/proc" || mount -t proc proc "$1/proc"
	in_folder "$1" apt-get install -y "${@:2}" && in_folder "$1" apt-get clean || rc=$?
	umount -l "$1/proc"
	return $rc
}

# keep KIND KEY COMMAND...: sets $folder to the folder with that key. If there is none, COMMAND,
# with the path of a new folder as its last argument, fills one; it gets its final name when it
# is complete, and older ones of its kind are deleted.
keep() {
	local kind=$1 key=$2 new=$FOLDERS/$1.new
	shift 2
	folder=$FOLDERS/$kind-$key
	[ ! -d "$folder" ] || return 0
	mkdir -p "$FOLDERS"
	rm -rf "$new"
	mkdir "$new"
	run_logged "making the folder $kind" "$CACHE/logs/folder-$kind.log" "$@" "$new" || return 1
	rm -rf "$FOLDERS/$kind"-??????????
	mv "$new" "$folder"
}

fill_base() { bootstrap "$2" "$1"; }

# base_folder RELEASE: sets $folder. look_up comes first.
base_folder() {
	take_lock folders
	keep "debian-$1" "$(short_hash "$(sources_of "$1")" "$(versions_of "${BASE_PACKAGES[@]}" base-files)" \
		"$(declare -f bootstrap configure_folder)")" fill_base "$1"
}

fill_kernel() {
	cp -a --reflink=auto "$1/." "${*: -1}/"
	add_packages "${*: -1}" "${@:2:$#-2}"
}

# kernel_folder RELEASE SERIES PACKAGE...: like base_folder, with a kernel's packages.
kernel_folder() {
	local release=$1 series=$2
	shift 2
	base_folder "$release" || return 1
	keep "linux-$series" "$(short_hash "${folder##*/}" "$(versions_of "$@")")" fill_kernel "$folder" "$@"
}
