#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# install.sh [KERNEL]     installs the module with dkms, for the running kernel or the release
#                         KERNEL, and the command; removes other versions
# install.sh --uninstall  removes both
# install.sh --files      only copies the files to DESTDIR, for a package
#
#   PREFIX=DIR   prefix of the command (/usr/local)
#   DESTDIR=DIR  with --files: the root of the package
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

PREFIX=${PREFIX:-/usr/local}
SHARE=$PREFIX/share/fragbed
MAN=$PREFIX/share/man/man1
COMPLETIONS=$PREFIX/share/bash-completion/completions
EFIVARS=${FRAGBED_EFIVARS:-/sys/firmware/efi/efivars}

conf_field() { sed -n "s/^$1=\"\(.*\)\"/\1/p" "$REPO/dkms.conf"; }

VERSION=$(conf_field PACKAGE_VERSION)

### Files

# lay TO FILE...: copies the files, with their folders; leaves out what is no file, as Python's
# __pycache__.
lay() {
	local to=$1 file mode
	shift
	for file; do
		[ -f "$file" ] || continue
		mode=644
		[ ! -x "$file" ] || mode=755
		install -D -m "$mode" "$file" "$to/$file"
	done
}

# The files that dkms builds from.
lay_source() {
	(cd "$REPO" && lay "$1" dkms.conf Kbuild module/*.[ch] tools/packaging/dkms-build.sh)
}

# The command, and what it runs: the guest half of each scenario and the tests of the knobs.
lay_command() {
	local to=${DESTDIR:-}
	(cd "$REPO/debugfs-scripts" && lay "$to$SHARE/debugfs-scripts" command/fragbed command/*.py \
		lib/*.{py,sh} lib/splats scenarios/*/{guest.sh,scenario.toml,*.py} tests/knobs/*)
	install -D -m 644 "$REPO/dkms.conf" "$to$SHARE/dkms.conf"
	mkdir -p "$to$PREFIX/bin"
	ln -sfn ../share/fragbed/debugfs-scripts/command/fragbed "$to$PREFIX/bin/fragbed"
	install -D -m 644 "$REPO/debugfs-scripts/command/fragbed.1" "$to$MAN/fragbed.1"
	install -D -m 644 "$REPO/debugfs-scripts/command/fragbed.bash-completion" "$to$COMPLETIONS/fragbed"
}

remove_command() {
	rm -rf "${SHARE:?}"
	rm -f "$PREFIX/bin/fragbed" "$MAN/fragbed.1" "$COMPLETIONS/fragbed"
	rmdir --ignore-fail-on-non-empty "$MAN" "$COMPLETIONS" "${COMPLETIONS%/*}" 2>/dev/null || :
}

### dkms

# Each version that dkms has or that has its source in /usr/src.
versions() {
	local path
	for path in /var/lib/dkms/fragbed/* /usr/src/fragbed-*; do
		# dkms has links to installed versions in the same folder.
		[ ! -d "$path" ] || [ -L "$path" ] || basename "${path/fragbed-/}"
	done | sort -u
}

remove_versions() {
	local version
	for version in $(versions); do
		say "removing fragbed $version"
		[ ! -d "/var/lib/dkms/fragbed/$version" ] || dkms remove "fragbed/$version" --all >"$log" 2>&1 ||
			{ cat "$log" >&2 && die "dkms cannot remove fragbed $version"; }
		rm -rf "/usr/src/fragbed-${version:?}"
	done
}

dkms_install() {
	dkms add "fragbed/$VERSION" && dkms install -k "$kernel" "fragbed/$VERSION"
}

# dkms prints only the path of its log.
show_make_log() { tail -n 30 "/var/lib/dkms/fragbed/$VERSION/build/make.log" 2>/dev/null >&2 || :; }

### Requirements

need_root() { [ "$(id -u)" -eq 0 ] || die "root is required: sudo make $1"; }

# Package and "make install" would overwrite each other's files.
refuse_if_packaged() {
	local state
	state=$(dpkg-query -W -f '${db:Status-Status}' fragbed-dkms 2>/dev/null || :)
	case $state in
	'' | not-installed | config-files) ;;
	*) die "fragbed is installed as a package; remove it first: apt-get remove fragbed-dkms" ;;
	esac
}

# Debian and its derivatives name the package after the release.
need_headers() {
	[ ! -r "/lib/modules/$kernel/build/.config" ] || return 0
	say "error: there are no headers of Linux $kernel: /lib/modules/$kernel/build"
	if grep -qE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release 2>/dev/null; then
		die "please install the package: apt-get install linux-headers-$kernel"
	fi
	die "please install the package of the headers: on Debian linux-headers-$kernel, on Fedora kernel-devel-$kernel; other distributions have other names"
}

need_served_kernel() {
	local why
	# shellcheck disable=SC2046  # the options are words
	why=$("$TOOLS/packaging/dkms-build.sh" --check "$kernel" "/lib/modules/$kernel/build" $(conf_field BUILD_EXCLUSIVE_CONFIG)) ||
		die "no module for Linux $kernel: $why"
}

### Notes to the user

warn_if_loaded() {
	! grep -qs '^fragbed ' /proc/modules || warn "the loaded module stays: rmmod fragbed $1"
}

# From mokutil's text, or the fifth byte of the EFI variable.
secure_boot_is_on() {
	local value
	if command -v mokutil >/dev/null && value=$(mokutil --sb-state 2>/dev/null); then
		grep -q '^SecureBoot enabled' <<<"$value"
		return
	fi
	value=$(od -An -t u1 -j 4 -N 1 "$EFIVARS"/SecureBoot-* 2>/dev/null || :)
	[ "${value// /}" = 1 ]
}

certificate() {
	local file
	for file in /var/lib/shim-signed/mok/MOK.der /var/lib/dkms/mok.pub; do
		[ ! -e "$file" ] || { printf '%s\n' "$file" && return; }
	done
}

explain_secure_boot() {
	local key
	secure_boot_is_on || return 0
	key=$(certificate)
	warn "Secure Boot is on: the kernel loads only modules signed with an enrolled key"
	if [ -z "$key" ]; then
		say "    dkms made no key: install openssl and repeat the installation; then"
		key=/var/lib/dkms/mok.pub
	fi
	say "    mokutil --import $key    asks for a password of your choice"
	say "    reboot, choose \"Enroll MOK\" and enter that password"
	say "    Most kernels are locked down with Secure Boot: the knobs refuse writes with EPERM."
}

### Commands

install_all() {
	need_root install
	kernel=${1:-$(uname -r)}
	refuse_if_packaged
	need_headers
	"$TOOLS/packages.sh" dkms
	need_served_kernel
	remove_versions
	lay_source "/usr/src/fragbed-$VERSION"
	run_logged "building fragbed $VERSION for Linux $kernel with dkms" "$log" dkms_install || { show_make_log && exit 1; }
	lay_command
	warn_if_loaded "and modprobe fragbed load the new one"
	explain_secure_boot
	say "installed: modprobe fragbed, then fragbed --help"
}

uninstall_all() {
	need_root uninstall
	refuse_if_packaged
	remove_versions
	remove_command
	warn_if_loaded "unloads it"
	say "removed"
}

DESTDIR=${DESTDIR:-}
if [ "${1:-}" = --files ]; then
	lay_source "$DESTDIR/usr/src/fragbed-$VERSION"
	lay_command
	exit
fi
[ -z "$DESTDIR" ] || die "DESTDIR is for packages: install.sh --files"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
case ${1:-} in
--uninstall) uninstall_all ;;
-*) die "usage: install.sh [KERNEL] | --uninstall | --files" ;;
*) install_all "${1:-}" ;;
esac
