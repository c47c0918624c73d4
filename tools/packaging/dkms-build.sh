#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dkms-build.sh FOLDER [...]: builds fragbed.ko in the current folder for the kernel whose
# headers are in FOLDER. The headers determine the compiler; what dkms adds is ignored.
#
# dkms-build.sh --check KERNEL FOLDER OPTION...: fails if fragbed.ko cannot be built for KERNEL
# and prints all reasons in a line. OPTIONs are Kconfig options that the kernel needs.
#
# dkms copies only this file and the module's source, so it must not use other tools.
set -euo pipefail

### Which compiler

built_by_clang() { grep -q '^CONFIG_CC_IS_CLANG=y' "$1/.config"; }

# The version in the compiler's name, as -19: from Debian's headers, or that of a clang as new
# as the kernel's.
clang_suffix() {
	local suffix major
	suffix=$(sed -n 's/^.*CC *:\{0,1\}= *.*clang\(-[0-9]\{1,\}\)$/\1/p' "$1/.kernelvariables" 2>/dev/null || :)
	if [ -z "$suffix" ]; then
		major=$(sed -n 's/^CONFIG_CLANG_VERSION=\([0-9]*\)[0-9]\{4\}$/\1/p' "$1/.config")
		! clang --version 2>/dev/null | grep -q "version $major\\." || return 0
		! command -v "clang-$major" >/dev/null || suffix=-$major
	fi
	printf '%s\n' "$suffix"
}

# The argument for make: LLVM=1 or LLVM=-19.
compiler_words() {
	local suffix
	built_by_clang "$1" || return 0
	suffix=$(clang_suffix "$1")
	printf 'LLVM=%s\n' "${suffix:-1}"
}

### Reasons not to build

# Headers have the version as "6.12.117+deb12-amd64".
version_reason() {
	local major minor
	IFS=.- read -r major minor _ <<<"$1"
	if [ "$major" -lt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -lt 1 ]; }; then
		printf 'it is older than 6.1\n'
	elif [ "$major" -eq 6 ] && [ "$minor" -ge 4 ] && [ "$minor" -le 7 ]; then
		printf 'Linux 6.4 to 6.7 is not supported, where MAX_ORDER has another meaning\n'
	fi
}

option_reasons() {
	local folder=$1 option
	shift
	for option; do
		grep -q "^$option=[ym]" "$folder/.config" || printf 'it was built without %s\n' "$option"
	done
}

clang_reason() {
	local suffix tool missing=()
	built_by_clang "$1" || return 0
	suffix=$(clang_suffix "$1")
	for tool in clang:clang ld.lld:lld llvm-nm:llvm; do
		command -v "${tool%:*}$suffix" >/dev/null || missing+=("${tool#*:}$suffix")
	done
	[ ${#missing[@]} -eq 0 ] || printf 'it was built by clang, please install: %s\n' "${missing[*]}"
}

# Without headers there is nothing to check; dkms reports that itself.
check() {
	local kernel=$1 folder=$2 reasons
	shift 2
	[ -r "$folder/.config" ] || return 0
	reasons=$(version_reason "$kernel" && option_reasons "$folder" "$@" && clang_reason "$folder")
	[ -n "$reasons" ] || return 0
	printf '%s\n' "${reasons//$'\n'/; }"
	return 1
}

if [ "${1:-}" = --check ]; then
	check "${@:2}"
	exit
fi
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
read -ra compiler < <(compiler_words "$1") || :
make -C "$1" M="$PWD" -j"$(nproc)" "${compiler[@]}" modules
