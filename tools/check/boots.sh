#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# boots.sh TREE: builds TREE for UML with all options of ours that it has, boots it, runs
# KUnit's example and those of our suites that it has, and fails on a failed case or a
# splat. To check the tree after each patch, in one build folder:
#
#   tools/series.sh --each tools/check/boots.sh
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

tree=${1:?usage: boots.sh TREE}
BUILD=${FRAGBED_BOOTS:-$(dirname "$tree")/boots}

in_tree() { make -C "$tree" ARCH=um O="$BUILD" -j"$JOBS" "$@"; }

# kbuild drops the options that this tree does not have yet.
configure() {
	cat "$tree/tools/testing/kunit/configs/arch_uml.config" "$REPO/kunit/.kunitconfig" \
		"$KERNEL_DIR"/configs/{uml,small-blocks,superpageblock}.config
	printf 'CONFIG_KUNIT=y\nCONFIG_KUNIT_EXAMPLE_TEST=y\nCONFIG_WERROR=y\n'
}

mkdir -p "$BUILD"
configure >"$BUILD/.config"
in_tree olddefconfig >/dev/null 2>&1
run_logged "building" "$BUILD/log" in_tree linux
"$TOOLS/boot.py" --config uml-small-blocks --limit 300 --folder "$BUILD" --out "$BUILD" \
	--log "$BUILD/kernel.log" kunit.enable=1 kunit_shutdown=poweroff
grep -E '^(not )?ok [0-9]+ ' "$BUILD/kernel.log"
! grep -E "^ *not ok |$(splats)" "$BUILD/kernel.log"
