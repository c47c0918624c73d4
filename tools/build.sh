#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh CONFIG [DIR]: builds the configuration's kernel and fragbed.ko and prints the
# path of the kernel image. The module is next to it in fragbed/. With DIR, both
# are put there as well, and the configuration: the next build of the configuration leaves
# those alone.
#
#   FRAGBED_NO_MODULE=1  build only the kernel
#   LLVM=1  build with clang
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

check_config "${1:-uml}"
CONFIG=$(config_field "${1:-uml}" build)
ARCH=$(config_field "$CONFIG" arch)
IMAGE=$(config_field "$CONFIG" image)

# Other people's tests: the same for mainline and ours, but for superpageblocks.
others_fragments() {
	local configs=$KERNEL_DIR/configs
	case $CONFIG in
	others-uml-*) printf '%s\n' "$TREE/tools/testing/kunit/configs/all_tests.config" "$configs/others-uml.config" ;;
	*) printf '%s\n' "$configs/others.config" ;;
	esac
	case $CONFIG in
	others-uml-spb) printf '%s\n' "$configs/others-uml-spb.config" ;;
	others-spb) printf '%s\n' "$configs/experiment-spb.config" ;;
	esac
}

# more NAME...: fragments of kernel/configs.
more() { printf "$KERNEL_DIR/configs/%s.config\n" "$@"; }

# The configuration fragments of the configuration, which kunit.py merges.
fragments() {
	local configs=$KERNEL_DIR/configs suites=$TREE/mm/tests
	case $CONFIG in
	exp-spb) printf '%s\n' "$configs/experiment.config" "$configs/experiment-spb.config" && return ;;
	exp-*) printf '%s\n' "$configs/experiment.config" && return ;;
	others-*) others_fragments && return ;;
	esac
	printf '%s\n' "$configs/guest.config"
	[ ! -f "$suites/.kunitconfig" ] || printf '%s\n' "$suites/.kunitconfig"
	case $CONFIG in
	uml) more uml ;;
	uml-small-blocks) more uml small-blocks && printf '%s\n' "$suites/numa.config" ;;
	x86_64 | gcov-x86_64) more x86_64 x86_64-more not-rt && printf '%s\n' "$suites/numa.config" ;;
	x86_64-*) more x86_64 superpageblock{,-64m} && printf '%s\n' "$suites/numa.config" ;;
	*) more uml small-blocks superpageblock{,-16m} && printf '%s\n' "$suites/numa.config" ;;
	esac
	case $CONFIG in
	sanitize) more kasan sanitize ;;
	x86_64-sanitize) more kasan sanitize preempt not-rt ;;
	x86_64-rt) more rt ;;
	faults-spb) more kasan faults ;;
	fuzz-spb) more fuzz ;;
	fuzz-kasan) more kasan fuzz ;;
	gcov-*) more gcov ;;
	esac
}

# All that decides what the configuration comes out as: the fragments, the
# compiler and the Kconfig files, which the last configuration has listed.
config_state() {
	mapfile -t files < <(fragments)
	printf 'LLVM=%s\n' "${LLVM:-}"
	cat "${files[@]}"
	sed -n 's/^\t\(.*Kconfig[^ ]*\) \\$/\1/p' "$BUILD/include/config/auto.conf.cmd" 2>/dev/null |
		(cd "$TREE" && xargs -r cat 2>/dev/null) || :
}

configure() {
	local args=() file
	while IFS= read -r file; do
		args+=("--kunitconfig=$file")
	done < <(fragments)
	[ -z "${LLVM:-}" ] || args+=("--make_options=LLVM=$LLVM")
	run_logged "$CONFIG: configuring" "$LOGS/config.log" \
		"$TREE/tools/testing/kunit/kunit.py" config --arch="$ARCH" --build_dir="$BUILD" "${args[@]}" || exit 1
}

# What "make coverage" counts, as kbuild wants to be told: by the name of the object,
# whatever folder it is in. A function that is inlined before the counters come would be
# counted as part of its callers; fair.c does not build without that.
counted_objects() {
	local file
	case $CONFIG in
	gcov-spb) printf '%s\n' "CFLAGS_GCOV=-fprofile-arcs -fprofile-update=prefer-atomic -ftest-coverage -fno-tree-loop-im -fno-early-inlining"
		for file in page_alloc compaction mempolicy vmstat mm_init "$TREE"/mm/superpageblock/*.c; do
			printf 'GCOV_PROFILE_%s.o=y\n' "$(basename "$file" .c)"
		done ;;
	gcov-x86_64) echo GCOV_PROFILE_fair.o=y ;;
	esac
}

# kunit.py's own "build" configures a second time and makes indexes for editors
# and gdb; when just a file changed that is most of the time.
in_tree() {
	local counted
	mapfile -t counted < <(counted_objects)
	make -C "$TREE" ARCH="$ARCH" O="$BUILD" --no-print-directory -j"$JOBS" ${LLVM:+LLVM="$LLVM"} "${counted[@]}" "$@"
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

# A folder of its own for what kbuild makes, so that none of it lands in the
# repository. From there kbuild does not see that the kernel's configuration has
# changed: then it starts anew.
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

# As a kernel without our series gets it, so that its refusals are tested too.
build_stock_module() {
	[ -f "$REPO/Kbuild" ] || return 0
	module_folder "$BUILD/$MODULE_SUBDIR-stock"
	run_logged "$CONFIG: building fragbed.ko without the core" "$LOGS/module.log" \
		in_tree M="$REPO" MO="$BUILD/$MODULE_SUBDIR-stock" FRAGBED_CORE=n modules || exit 1
}

# What measures: built for each kernel, ours or not.
build_bench() {
	module_folder "$BUILD/bench"
	run_logged "$CONFIG: building the modules that measure" "$LOGS/bench.log" \
		in_tree M="$REPO/module/bench" MO="$BUILD/bench" modules || exit 1
}

build_modules() {
	case $(config_field "$CONFIG" modules) in
	bench) build_bench ;;
	none) ;;
	*) build_module && build_stock_module ;;
	esac
}

hand_out() {
	mkdir -p "$1"
	cp "$BUILD/$IMAGE" "$1/linux"
	cp "$BUILD/.config" "$1/config"
	[ ! -f "$BUILD/$MODULE_SUBDIR/fragbed.ko" ] || cp "$BUILD/$MODULE_SUBDIR/fragbed.ko" "$1/"
	[ ! -f "$BUILD/$MODULE_SUBDIR-stock/fragbed.ko" ] ||
		cp "$BUILD/$MODULE_SUBDIR-stock/fragbed.ko" "$1/fragbed-stock.ko"
	[ ! -d "$BUILD/bench" ] || cp "$BUILD"/bench/fragbed_*.ko "$1/"
}

[ "$ARCH" = um ] || "$TOOLS/packages.sh" qemu
[ "$(config_field "$CONFIG" series)" != none ] || export FRAGBED_NO_SERIES=1
TREE=$("$TOOLS/prepare.sh")
KEY=$(basename "$(dirname "$TREE")")
BUILD=$CACHE/build/$KEY/$CONFIG
LOGS=$BUILD/logs
take_lock "$KEY"
mkdir -p "$LOGS"
configure_if_needed
build_kernel
[ "${FRAGBED_NO_MODULE:-}" = 1 ] || build_modules
[ -z "${2:-}" ] || hand_out "$2"
printf '%s\n' "$BUILD/$IMAGE"
