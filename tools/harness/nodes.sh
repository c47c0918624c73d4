# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # $work is the caller's
#
# UML with an invalid numa=fake=: a warning and one node.

# one_node ARG [MEM]
one_node() {
	cat >"$work/out/job.sh" <<-END
		[ "\$(cat /sys/devices/system/node/online)" = 0 ] || exit 8
		dmesg | grep -q "numa=fake=$1 cannot be used" || exit 9
	END
	"$TOOLS/guest.sh" --kernel "$work/numa" --out "$work/out" --timeout 60 --mem "${2:-1G}" \
		--args "numa=fake=$1" /bin/sh "$work/out/job.sh"
}

test_fake_nodes_refused() {
	local arg
	mkdir -p "$work/out" "$work/numa"
	exits 0 "$TOOLS/build.sh" uml-numa "$work/numa" || return 1
	for arg in 0 -1 abc 4x; do
		exits 0 one_node "$arg" || return 1
	done
	exits 0 one_node 16 256M
}
