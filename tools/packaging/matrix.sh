#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# matrix.sh [SERIES...]: tests the package fragbed-dkms on stock Debian kernels (6.1 6.12 7.2
# 7.3). For each series it makes a Debian with the newest headers and image, installs the
# package there, so that dkms builds the module, boots the image in QEMU with that Debian as
# its root, and tests the module.
#
# Leaves build/matrix/matrix.txt and .json, and a folder of logs for each kernel.
#   KNOBS=1  all tests of the knobs, too, which take minutes for each kernel
#   FRAGBED_MATRIX_SECONDS=1800  time limit of a guest
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
. "$TOOLS/packaging/folders.sh"

RELEASES=(12 13)
LIMIT=${FRAGBED_MATRIX_SECONDS:-1800}
# The steps of matrix-guest.sh.
STEPS=(load caps map unload quick ${KNOBS:+knobs} lockdown log)
# Modules that a stock kernel needs for a writable root on 9p.
ROOT_MODULES=(virtio_pci 9pnet_virtio 9p overlay)

### Which kernel

# newest KIND SERIES: the newest linux-KIND package of a series, but not cloud or rt.
newest() {
	packages_like "linux-$1-${2//./\\.}(\.[0-9]+)*(\+[a-z0-9]+)?(-[0-9]+)?-amd64" | tail -n 1
}

# Sets debian, kernel (its release), headers and image, or reason.
find_kernel() {
	local series=$1
	reason='' headers='' image=''
	for debian in "${RELEASES[@]}"; do
		apt_root=$CACHE/apt-$debian
		headers=$(newest headers "$series") image=$(newest image "$series")
		[ -z "$headers$image" ] || break
	done
	kernel=${headers#linux-headers-}
	if [ -z "$headers$image" ]; then
		debian='' reason="Debian has no kernel of this series any more"
	elif [ -z "$headers" ]; then
		kernel=${image#linux-image-} reason="Debian has images of this series, but no headers"
	elif [ -z "$(packages_like "linux-image-${kernel//[.+]/[.+]}")" ]; then
		reason="Debian has no image for these headers"
	fi
	image=linux-image-$kernel
}

### The package on it

build_module() {
	local start
	cp "$deb" "$root/root/"
	start=$(seconds)
	run_logged "$series: installing the package for $kernel" "$to/dkms.log" \
		in_folder "$root" dpkg -i "/root/${deb##*/}" || return 1
	fact dkms_seconds $(($(seconds) - start))
	find "$root/lib/modules/$kernel/updates/dkms" -name 'fragbed.ko*' | grep -q .
}

### The guest

# Paths of the modules, in the order in which they have to be loaded.
root_modules() {
	local name
	for name in "${ROOT_MODULES[@]}"; do
		modprobe --dirname "$root" --set-version "$kernel" --show-depends "$name"
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}

unpack() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -dc "$1" ;;
	*) cat "$1" ;;
	esac
}

make_initrd() {
	local at=$run/$series-initrd file number=100 name
	mkdir -p "$at/bin" "$at/modules"
	cp "$root/bin/busybox" "$at/bin/"
	ln -s busybox "$at/bin/sh"
	cp "$TOOLS/packaging/matrix-init.sh" "$at/init"
	while IFS= read -r file; do
		number=$((number + 1)) name=${file##*/}
		unpack "$file" >"$at/modules/$number-${name%.ko*}.ko"
	done < <(root_modules)
	(cd "$at" && find . | busybox cpio -o -H newc) >"$job/initrd" 2>/dev/null
	rm -rf "$at"
}

# outcome CODE: how the guest ended, in words.
outcome() {
	if [ -s "$job/status" ]; then
		printf 'finished\n'
	elif grep -q 'Kernel panic' "$to/kernel.log"; then
		printf 'panic: %s\n' "$(sed -n 's/.*Kernel panic - not syncing: //p' "$to/kernel.log" | head -n 1 | tr -d '\r')"
	elif [ "$1" -eq 124 ]; then
		printf 'hang: killed after %s s\n' "$LIMIT"
	else
		printf 'ended before its last step\n'
	fi
}

run_guest() {
	local code=0 what
	umount "$root/proc"
	cp "$root/boot/vmlinuz-$kernel" "$job/linux"
	cp "$TOOLS/packaging/matrix-guest.sh" "$job/"
	printf '%s\n' "${STEPS[*]}" >"$job/wanted"
	fact wanted "${STEPS[*]}"
	make_initrd
	say "$series: booting $kernel"
	run_stoppable "$TOOLS/boot.py" --config x86_64 --folder "$job" --out "$to" --host "$root" \
		--initrd "$job/initrd" --limit "$LIMIT" --log "$to/kernel.log" --job "$to/guest.txt" -- \
		numa=off || code=$?
	what=$(outcome $code)
	fact guest "$what"
	cp "$job"/*.txt "$job"/steps "$to/" 2>/dev/null || :
	if [ "$what" != finished ]; then
		say "$series: $what; its last messages, from $to/kernel.log:"
		tail -n 15 "$to/kernel.log" >&2
	fi
}

### One kernel

# fact NAME VALUE: for matrix_table.py.
fact() { printf '%s=%s\n' "$1" "$2" >>"$to/facts"; }

try_kernel() {
	local to=$OUT/matrix/$series job=$run/$series-job root=$run/$series/root
	local debian kernel headers image reason
	rm -rf "$to"
	mkdir -p "$to" "$job"
	find_kernel "$series"
	fact series "$series"
	fact kernel "$kernel"
	fact debian "$debian"
	[ -z "$reason" ] || { fact skipped "$reason" && return 0; }
	kernel_folder "$debian" "$series" "$headers" "$image" || { fact broken "cannot make a Debian with it" && return 0; }
	throw_away "$folder" "$series"
	if build_module; then
		run_guest
	else
		fact broken "dkms built no module, see dkms.log"
	fi
	drop "$series"
}

"$TOOLS/packages.sh" run qemu deb matrix
own_mounts "$@"
make_run_folder
trap release_mounts EXIT
deb=$("$TOOLS/packaging/deb.sh" "$run/deb")
for debian in "${RELEASES[@]}"; do
	look_up "$debian"
done
[ $# -gt 0 ] || set -- 6.1 6.12 7.2 7.3
for series; do
	try_kernel
done
rc=0
"$TOOLS/packaging/matrix_table.py" "$OUT/matrix" "$@" || rc=$?
read -r passed failed skipped <"$OUT/matrix/counts"
write_counts matrix "$passed" "$failed" "$skipped"
exit $rc
