# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # $work is the caller's
#
# QEMU: how it runs its guest is chosen, or the choice refused.

# Does not come as far as starting a guest.
qemu_accel() {
	ACCEL=$1 FRAGBED_CACHE=$work python3 -c '
import sys
sys.path.insert(0, sys.argv[1])
import machine
print(machine.Qemu(sys.argv[2], "1G").accel)' "$TOOLS" "$work"
}

test_accel_is_forced() { exits 0 qemu_accel kvm && says kvm && exits 0 qemu_accel tcg && says tcg; }
test_accel_unknown() { exits 1 qemu_accel xen && says "ACCEL=xen: must be auto, kvm or tcg"; }

# What the last trial said is believed as long as the host is up.
test_accel_is_tried_once() {
	printf '%s kvm\n' "$(cat /proc/sys/kernel/random/boot_id)" >"$work/accel"
	exits 0 qemu_accel auto && says kvm
}

# No guest comes up without a kernel: what answers is not what works.
test_accel_must_run_a_guest() {
	mkdir "$work/bin"
	printf '#!/bin/sh\nexec sleep 100\n' >"$work/bin/qemu-system-x86_64"
	chmod +x "$work/bin/qemu-system-x86_64"
	PATH=$work/bin:$PATH exits 0 qemu_accel auto && says tcg && grep -q ' tcg$' "$work/accel"
}

test_memory_size_unknown() {
	exits 1 "$TOOLS/boot.py" --config x86_64 --mem 1T --limit 1 --folder "$work" --out "$work" \
		--log "$work/log" && says "'1T' is no size of memory"
}
