#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# packages.sh [SET...]: installs the packages of the sets (run) that are missing, if it may;
# otherwise prints the command that installs them.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# run          to build kernels, apply the patches and run guests in UML
# qemu         for configurations of x86_64
# report       to draw the charts of the experiment
# coverage     to show the source with the lines that were reached; gcov comes with gcc
# dkms         for "make install"; the compiler comes with a kernel's headers
# third-party  to build the kernel's selftests, and third-party tests that Debian has
declare -A PACKAGES=(
	[run]="gcc libc6-dev make python3 flex bison bc rsync quilt xz-utils kmod busybox-static numactl"
	[qemu]="qemu-system-x86 libelf-dev libssl-dev btrfs-progs"
	[report]="python3-matplotlib"
	[coverage]="gcovr"
	[check]="git perl shellcheck codespell sparse dpkg-dev mandoc pyflakes3"
	[dkms]="dkms make kmod python3"
	[deb]="git dpkg-dev debhelper dh-dkms lintian"
	[matrix]="debootstrap util-linux"
	[third-party]="libcap-dev libnuma-dev liburing-dev stress-ng trinity util-linux"
)

# One line for each package that is not fully installed.
missing_packages() {
	local installed package
	installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || :)
	for package; do
		grep -qx "$package installed" <<<"$installed" || printf '%s\n' "$package"
	done
}

# For a machine without dpkg.
missing_commands() {
	local command
	for command in gcc make python3 flex bison bc rsync quilt xz insmod busybox; do
		command -v "$command" >/dev/null || printf '%s\n' "$command"
	done
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

may_install() {
	[ "${FRAGBED_NO_INSTALL:-}" != 1 ] || return 1
	[ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null
}

# The package lists of a fresh machine may be absent or too old: apt-get update runs only if
# the packages cannot be installed without.
install_packages() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" && return
	as_root apt-get update &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

check_without_dpkg() {
	local missing
	missing=$(missing_commands)
	[ -z "$missing" ] || die "please install these commands first: ${missing//$'\n'/ }"
}

check_packages() {
	local missing
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	say "missing packages: ${missing[*]}"
	if ! may_install; then
		say "please install them with:"
		say "    sudo apt-get install -y --no-install-recommends ${missing[*]}"
		exit 1
	fi
	take_lock packages
	run_logged "installing ${missing[*]}" "$CACHE/logs/packages.log" install_packages "${missing[@]}" || exit 1
}

if ! command -v dpkg-query >/dev/null; then
	check_without_dpkg
	exit 0
fi
packages=()
for set in "${@:-run}"; do
	[ -n "${PACKAGES[$set]:-}" ] || die "packages.sh: no set '$set'; there are: ${!PACKAGES[*]}"
	read -ra words <<<"${PACKAGES[$set]}"
	packages+=("${words[@]}")
done
check_packages "${packages[@]}"
