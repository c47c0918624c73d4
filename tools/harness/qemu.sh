# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # $work is the caller's
#
# QEMU: the choice of its accelerator.

# Starts no guest.
qemu_accel() {
	ACCEL=$1 FRAGBED_CACHE=$work python3 -c '
import sys
sys.path.insert(0, sys.argv[1])
import machine
print(machine.Qemu(sys.argv[2], "1G").accel)' "$TOOLS" "$work"
}

test_accel_is_forced() { exits 0 qemu_accel kvm && says kvm && exits 0 qemu_accel tcg && says tcg; }
test_accel_unknown() { exits 1 qemu_accel xen && says "ACCEL=xen: must be auto, kvm or tcg"; }

# The result of the trial is kept until the host reboots.
test_accel_is_tried_once() {
	printf '%s kvm\n' "$(cat /proc/sys/kernel/random/boot_id)" >"$work/accel"
	exits 0 qemu_accel auto && says kvm
}

# The trial needs a guest that boots: a QEMU that only starts does not count.
test_accel_must_run_a_guest() {
	mkdir "$work/bin"
	printf '#!/bin/sh\nexec sleep 100\n' >"$work/bin/qemu-system-x86_64"
	chmod +x "$work/bin/qemu-system-x86_64"
	PATH=$work/bin:$PATH exits 0 qemu_accel auto && says tcg && grep -q ' tcg$' "$work/accel"
}

test_memory_size_unknown() {
	exits 1 "$TOOLS/boot.py" --config x86_64 --mem 1T --limit 1 --folder "$work" --out "$work" \
		--log "$work/log" && says "'1T' is not a size of memory"
}
