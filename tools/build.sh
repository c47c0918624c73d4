#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh CONFIG [DIR]: builds the kernel of a configuration (tools/configurations.toml) and
# fragbed.ko, and prints the path of the kernel image; the module is beside it in fragbed/.
# With DIR, copies image, .config and modules there, where later builds do not change them.
#
#   FRAGBED_NO_MODULE=1  build only the kernel
#   LLVM=1  build with clang
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

check_config "${1:-uml}"
CONFIG=$(config_field "${1:-uml}" build)
ARCH=$(config_field "$CONFIG" arch)
IMAGE=$(config_field "$CONFIG" image)

# Everything that .config depends on: the fragments, the compiler and the Kconfig files,
# which kbuild listed when it configured the last time.
config_state() {
	printf 'LLVM=%s\n' "${LLVM:-}"
	cat "${FRAGMENTS[@]}"
	sed -n 's/^\t\(.*Kconfig[^ ]*\) \\$/\1/p' "$BUILD/include/config/auto.conf.cmd" 2>/dev/null |
		(cd "$TREE" && xargs -r cat 2>/dev/null) || :
}

configure() {
	local args=("${FRAGMENTS[@]/#/--kunitconfig=}")
	[ -z "${LLVM:-}" ] || args+=("--make_options=LLVM=$LLVM")
	run_logged "$CONFIG: configuring" "$LOGS/config.log" \
		"$TREE/tools/testing/kunit/kunit.py" config --arch="$ARCH" --build_dir="$BUILD" "${args[@]}" || exit 1
}

# kunit.py's own "build" configures a second time and makes indexes for editors and gdb:
# after a change to one file that takes most of the time.
in_tree() {
	make -C "$TREE" ARCH="$ARCH" O="$BUILD" --no-print-directory -j"$JOBS" ${LLVM:+LLVM="$LLVM"} "${COUNTED[@]}" "$@"
}

configure_if_needed() {
	local stamp=$BUILD/fragbed.config.stamp state
	state=$(config_state | sha256sum)
	[ ! -f "$BUILD/.config" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$state" ] || return 0
	configure
	in_tree -s syncconfig >>"$LOGS/config.log" 2>&1 </dev/null || die "$CONFIG: see $LOGS/config.log"
	config_state | sha256sum >"$stamp"
}

build_kernel() {
	local before
	before=$(stat -c %Y "$BUILD/$IMAGE" 2>/dev/null || :)
	run_logged "$CONFIG: building the kernel" "$LOGS/build.log" in_tree all || exit 1
	[ -n "$before" ] || say "$CONFIG: $BUILD/$IMAGE"
}

# The module is built in a folder of its own, outside the repository. From there kbuild does
# not notice that the kernel's configuration changed, so the folder is deleted then.
module_folder() {
	[ ! "$BUILD/include/config/auto.conf" -nt "$1/.configured" ] || rm -rf "$1"
	mkdir -p "$1"
	[ -f "$1/.configured" ] || touch "$1/.configured"
}

build_module() {
	[ -f "$REPO/Kbuild" ] || return 0
	module_folder "$BUILD/$MODULE_SUBDIR"
	run_logged "$CONFIG: building fragbed.ko" "$LOGS/module.log" \
		in_tree M="$REPO" MO="$BUILD/$MODULE_SUBDIR" modules || exit 1
}

# The module as it is on a kernel without our series: tests of its refusals load it.
build_stock_module() {
	[ -f "$REPO/Kbuild" ] || return 0
	module_folder "$BUILD/$MODULE_SUBDIR-stock"
	run_logged "$CONFIG: building fragbed.ko without the core" "$LOGS/module.log" \
		in_tree M="$REPO" MO="$BUILD/$MODULE_SUBDIR-stock" FRAGBED_CORE=n modules || exit 1
}

build_bench() {
	module_folder "$BUILD/bench"
	run_logged "$CONFIG: building the microbenchmarks" "$LOGS/bench.log" \
		in_tree M="$REPO/module/bench" MO="$BUILD/bench" modules || exit 1
}

build_modules() {
	case $(config_field "$CONFIG" modules) in
	bench) build_bench ;;
	none) ;;
	*) build_module && build_stock_module ;;
	esac
}

copy_results() {
	mkdir -p "$1"
	cp "$BUILD/$IMAGE" "$1/linux"
	cp "$BUILD/.config" "$1/config"
	[ ! -f "$BUILD/$MODULE_SUBDIR/fragbed.ko" ] || cp "$BUILD/$MODULE_SUBDIR/fragbed.ko" "$1/"
	[ ! -f "$BUILD/$MODULE_SUBDIR-stock/fragbed.ko" ] ||
		cp "$BUILD/$MODULE_SUBDIR-stock/fragbed.ko" "$1/fragbed-stock.ko"
	[ ! -d "$BUILD/bench" ] || cp "$BUILD"/bench/fragbed_*.ko "$1/"
}

[ "$ARCH" = um ] || "$TOOLS/packages.sh" run qemu
[ "$(config_field "$CONFIG" series)" != none ] || export FRAGBED_NO_SERIES=1
TREE=$("$TOOLS/prepare.sh")
KEY=$(basename "$(dirname "$TREE")")
BUILD=$CACHE/build/$KEY/$CONFIG
LOGS=$BUILD/logs
fragments=$("$TOOLS/configurations.py" fragments "$CONFIG" "$TREE")
counted=$("$TOOLS/configurations.py" counted "$CONFIG" "$TREE")
COUNTED=()
mapfile -t FRAGMENTS <<<"$fragments"
[ -z "$counted" ] || mapfile -t COUNTED <<<"$counted"
take_lock "$KEY"
mkdir -p "$LOGS"
configure_if_needed
build_kernel
[ "${FRAGBED_NO_MODULE:-}" = 1 ] || build_modules
[ -z "${2:-}" ] || copy_results "$2"
printf '%s\n' "$BUILD/$IMAGE"
