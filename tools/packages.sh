#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# packages.sh [run|check|qemu|report|coverage|dkms|deb|matrix|others]: makes sure that what
# the other tools call is there.
# Installs what is missing when it may; otherwise prints the command to type.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# What a kernel build, the patch series and the guests need.
RUN_PACKAGES=(gcc libc6-dev make python3 flex bison bc
	rsync quilt xz-utils kmod busybox-static numactl)
# What only the configuration x86_64 needs.
QEMU_PACKAGES=(qemu-system-x86 libelf-dev libssl-dev btrfs-progs)
# What draws the charts of the experiment.
REPORT_PACKAGES=(python3-matplotlib)
# What shows the source with what was reached; gcov is the compiler's.
COVERAGE_PACKAGES=(gcovr)
# What only "make check" needs.
CHECK_PACKAGES=(git perl shellcheck codespell sparse dpkg-dev mandoc)

# What "make install", "make deb" and "make matrix" need; the compiler comes with the
# headers of a kernel.
DKMS_PACKAGES=(dkms make kmod python3)
DEB_PACKAGES=(git dpkg-dev debhelper dh-dkms lintian)
MATRIX_PACKAGES=(debootstrap util-linux)
# What builds the kernel's selftests, and other people's tests that Debian has.
OTHERS_PACKAGES=(libcap-dev libnuma-dev liburing-dev stress-ng trinity util-linux)

# One line for each package that is not fully installed.
missing_packages() {
	local installed package
	installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || :)
	for package; do
		grep -qx "$package installed" <<<"$installed" || printf '%s\n' "$package"
	done
}

# Names the commands, for a machine without dpkg.
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

# A fresh machine's package lists may be absent or too old: refresh them only
# when the names or the files are not to be had as things are.
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
case ${1:-run} in
run) check_packages "${RUN_PACKAGES[@]}" ;;
qemu) check_packages "${RUN_PACKAGES[@]}" "${QEMU_PACKAGES[@]}" ;;
dkms) check_packages "${DKMS_PACKAGES[@]}" ;;
deb) check_packages "${DEB_PACKAGES[@]}" ;;
matrix) check_packages "${RUN_PACKAGES[@]}" "${QEMU_PACKAGES[@]}" "${DEB_PACKAGES[@]}" "${MATRIX_PACKAGES[@]}" ;;
others) check_packages "${RUN_PACKAGES[@]}" "${QEMU_PACKAGES[@]}" "${OTHERS_PACKAGES[@]}" ;;
report) check_packages "${REPORT_PACKAGES[@]}" ;;
coverage) check_packages "${COVERAGE_PACKAGES[@]}" ;;
check) check_packages "${RUN_PACKAGES[@]}" "${CHECK_PACKAGES[@]}" ;;
*) die "usage: packages.sh [run|check|qemu|report|coverage|dkms|deb|matrix|others]" ;;
esac
