#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# selftests.sh: builds the kernel's selftests of mm and futex, from the source without our
# series, and prints the folder where they are installed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

TARGETS="mm futex"

# Everything that the build depends on.
state() {
	printf '%s\n' "$TARGETS" "$(gcc --version)"
	dpkg-query -W libnuma-dev libcap-dev liburing-dev 2>/dev/null || :
	cd "$TREE/tools/testing/selftests" && find . -maxdepth 1 -type f -o -path './mm/*' -type f -o -path './futex/*' -type f |
		sort | xargs cat | sha256sum
}

# The selftests write two files beside their source, in spite of O.
build() {
	local rc=0
	make -C "$TREE" O="$BUILD" ARCH=x86_64 headers_install || return
	make -C "$TREE/tools/testing/selftests" -j"$JOBS" O="$BUILD" INSTALL_PATH="$BUILD/install.new" \
		TARGETS="$TARGETS" FORCE_TARGETS=1 install || rc=$?
	rm -f "$TREE"/tools/testing/selftests/mm/local_config.{h,mk}
	return $rc
}

"$TOOLS/packages.sh" run qemu third-party
TREE=$(FRAGBED_NO_SERIES=1 "$TOOLS/prepare.sh")
KEY=$(basename "$(dirname "$TREE")")
BUILD=$CACHE/build/$KEY/selftests
take_lock "$KEY"
state=$(state)
if [ "$(cat "$BUILD/stamp" 2>/dev/null)" != "$state" ]; then
	rm -rf "$BUILD"
	mkdir -p "$BUILD"
	run_logged "building the selftests" "$BUILD/build.log" build || exit 1
	mv "$BUILD/install.new" "$BUILD/install"
	printf '%s\n' "$state" >"$BUILD/stamp"
fi
printf '%s\n' "$BUILD/install"
