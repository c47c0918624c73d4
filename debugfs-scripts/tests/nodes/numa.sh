#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Nodes as user space sees them, in a guest with two CPUs on two of its nodes: the memory and
# CPUs of each node, the node of a bound process's pages, migration of pages to another node,
# and which policies may have migrate-on-fault.
#
# shellcheck disable=SC2317,SC2329  # functions are called by name

. "$(dirname "$0")/../../lib/lib.sh"

nodes=/sys/devices/system/node
work=${TMPDIR:-/tmp}/fragbed-numa

last=1
case ${FRAGBED_CONFIG:-} in *-numa) last=3 ;; esac

need test -d $nodes/node$last -- "there is no node $last; needs CONFIG_NUMA and, in UML, numa=fake=4"
need test -d /sys/devices/system/cpu/cpu1 -- "there is one CPU; UML needs ncpus=2 seccomp=on"
need which numactl migratepages python3 gcc -- "numactl, migratepages, python3 or gcc is missing"
check_needs

# The pages of a node, all zones together.
present() {
	awk -v node="$1," '$1 == "Node" { mine = $2 == node } mine && $1 == "present" { sum += $2 } END { print sum }' /proc/zoneinfo
}

# On a PC node 0 has holes.
same_size() {
	for node in $(seq "$last"); do
		[ "$(present "$node")" -ge "$(present 0)" ] || return 1
		[ $(($(present "$node") * 9)) -le $(($(present 0) * 10)) ] || return 1
	done
}

distances_complete() { [ "$(wc -w <"$nodes/node$last/distance")" -eq $((last + 1)) ]; }

file_is() { [ "$(cat "$1")" = "$2" ]; }

# heap_is_on NODE PID: all pages of its heap are on that node.
heap_is_on() {
	awk -v node="N$1" '/\[?heap\]?/ {
		for (i = 3; i <= NF; i++) {
			split($i, part, "=")
			if (part[1] == node) here += part[2]
			else if (part[1] ~ /^N[0-9]+$/) elsewhere += part[2]
		}
	} END { exit !(here > 0 && !elsewhere) }' "/proc/$2/numa_maps"
}

# start_bound NODE [OPTION]: starts a process with a heap, bound to a node, which waits until
# stop_bound. OPTION is for numactl.
start_bound() {
	mkfifo "$work/wait"
	# shellcheck disable=SC2016,SC2086
	numactl ${2:-} --membind="$1" busybox sh -c 'x=$(seq 5000); echo up >"$1/up"; read -r x <"$1/wait"' sh "$work" &
	bound=$!
	until [ -s "$work/up" ]; do
		sleep 0.1
	done
}

stop_bound() {
	kill "$bound"
	wait "$bound" 2>/dev/null
	rm -f "$work/up" "$work/wait"
}

bound_to() {
	start_bound "$1"
	heap_is_on "$1" "$bound"
	bound_result=$?
	stop_bound
	return "$bound_result"
}

moves_to() {
	start_bound "$1"
	heap_is_on "$1" "$bound" && migratepages "$bound" "$1" "$2" && heap_is_on "$2" "$bound"
	moves_result=$?
	stop_bound
	return "$moves_result"
}

# numactl itself checks the node of each page.
file_bound_to() {
	numactl --length=1m --file "/dev/shm/fragbed-$1" --membind="$1" --touch --verify
	file_result=$?
	rm -f "/dev/shm/fragbed-$1"
	return "$file_result"
}

free_on() { awk '/MemFree/ { print $4 / 4 }' "$nodes/node$1/meminfo"; }

# Some pages are on per-cpu lists.
takes_from() {
	held_before=$(free_on "$1")
	must_knob hold/alloc "set=numa type=unmovable order=0 count=8192 node=$1"
	held_after=$(free_on "$1")
	must_knob hold/free set=numa
	[ $((held_before - held_after)) -ge $((8192 - 512)) ]
}

# The module allocates from the given node. Other tasks may free memory meanwhile, hence the
# repetition.
held_on() { takes_from "$1" || takes_from "$1" || takes_from "$1"; }

# written_from NODE KNOB LINE [OPTION]: a process that is bound to the node's memory writes the
# line. OPTION is for numactl.
written_from() {
	# shellcheck disable=SC2016  # for the inner shell
	numactl --membind="$1" ${4:+"$4"} busybox sh -c 'echo "$2" >"$1"' sh "$FRAGBED_DIR/$2" "$3" 2>"$work/refused"
}

# refused_from NODE KNOB LINE: the writer cannot allocate movable pages of node 0, and no page
# is kept.
refused_from() {
	! written_from "$@" || { say "$2: not refused"; return 1; }
	[ "$(lib_errno_name "$(cat "$work/refused")")" = EOPNOTSUPP ] || { cat "$work/refused"; return 1; }
	! grep -v '^#' "$FRAGBED_DIR/hold/sets"
}

# fragments_from [OPTION]
fragments_from() {
	written_from 0 fragment/run "$fragment_line" "$@" || { cat "$work/refused"; return 1; }
	fragment_kept=$(fact fragment/result kept_movable)
	must_knob fragment/free 1
	[ "$fragment_kept" -gt 100 ]
}

# Calls set_mempolicy() with each mode and the flag MPOL_F_NUMA_BALANCING.
set_mempolicy() {
	python3 -c '
import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
for mode, nodes in ((1, 1), (2, 1), (3, 1), (4, 0), (5, 1), (6, 1), (0, 0)):
    mask = ctypes.c_ulong(nodes)
    failed = libc.syscall(238, mode | 1 << 13, ctypes.byref(mask), 64)
    print(mode, errno.errorcode[ctypes.get_errno()] if failed else "OK")
    libc.syscall(238, 0, None, 0)'
}

heap_of() { sed -n 's/-.*\[heap\]$//p' "/proc/$1/maps"; }

# mof_answers PID DECIDED-BY POLICY MOF [ADDRESS]: ADDRESS is in the process's heap by default.
mof_answers() {
	knob mof "$1 ${5:-$(heap_of "$1")}" || { say "mof: $knob_errno"; return 1; }
	mof_said="$(fact mof decided_by) $(fact mof policy) $(fact mof mof)"
	[ "$mof_said" = "$2 $3 $4" ] || { say "mof: $mof_said"; return 1; }
}

# bound_mof OPTION POLICY MOF
bound_mof() {
	start_bound 1 "$1"
	mof_answers "$bound" task "$2" "$3"
	mof_result=$?
	stop_bound
	return "$mof_result"
}

# map_with_policy SHARED MODE: becomes a process with a mapping that has its own policy, and
# prints the mapping's address. SHARED is 1 for shared memory, which is tmpfs.
map_with_policy() {
	exec python3 -c '
import ctypes, mmap, sys, time
shared, mode = map(int, sys.argv[1:])
memory = mmap.mmap(-1, 65536, mmap.MAP_ANONYMOUS | (mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE))
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
mask = ctypes.c_ulong(2)
if ctypes.CDLL(None).syscall(237, ctypes.c_void_p(start), 65536, mode, ctypes.byref(mask), 64, 0):
    sys.exit("mbind failed")
print(f"{start:x}", flush=True)
time.sleep(1000)' "$1" "$2"
}

# mapped_mof SHARED MODE DECIDED-BY POLICY MOF
mapped_mof() {
	map_with_policy "$1" "$2" >"$work/start" &
	mapper=$!
	until [ -s "$work/start" ]; do
		kill -0 "$mapper" 2>/dev/null || return 1
		sleep 0.1
	done
	mof_answers "$mapper" "$3" "$4" "$5" "$(cat "$work/start")"
	mapped_result=$?
	kill "$mapper"
	wait "$mapper" 2>/dev/null
	rm "$work/start"
	return "$mapped_result"
}

mof_refuses() {
	! knob mof "$2" && [ "$knob_errno" = "$1" ] && return
	say "mof: '$2' gives $knob_errno"
	return 1
}

# A rejected write keeps the last answer.
mof_keeps() {
	knob mof "$$ $(heap_of $$)"
	mof_refuses EINVAL "x 0" && [ "$(fact mof pid)" = $$ ]
}

writes_survive() {
	gcc -O2 -o "$work/write_while_moved" "$(dirname "$0")/write_while_moved.c" &&
		"$work/write_while_moved"
}

only_bind_and_many_balance() {
	[ "$(set_mempolicy | tr '\n' ';')" = "1 EINVAL;2 OK;3 EINVAL;4 EINVAL;5 OK;6 EINVAL;0 EINVAL;" ]
}

ktap_start
log_mark
load_module || exit 1
mkdir -p "$work"
at_exit "rm -rf '$work'"

expect "all nodes are online" file_is $nodes/online 0-$last
expect "all nodes have the same number of pages" same_size
expect "CPU 0 is on node 0" file_is $nodes/node0/cpulist 0
expect "CPU 1 is on node 1" file_is $nodes/node1/cpulist 1
[ $last -lt 2 ] || expect "node 2 has no CPU" file_is $nodes/node2/cpulist ""
expect "a node has a distance to each node" distances_complete
numactl --hardware | sed 's/^/# /'
expect "numactl counts the nodes" sh -c "numactl --hardware | grep -q '^available: $((last + 1)) nodes (0-$last)'"
for node in $(seq 0 $last); do
	expect "a hold takes from node $node" held_on "$node"
done
fragment_line="order=4 index=300 unmovable=0 seed=1 node=0"
movable_line="set=numa type=movable order=0 count=8 node=0"
expect "fragment: not by a writer bound to another node" refused_from $last fragment/run "$fragment_line"
expect "fragment: by a writer bound to the node" fragments_from --physcpubind=0
expect "fragment: by a writer bound to the node, on another node's CPU" fragments_from --physcpubind=1
expect "hold: no movable pages for a writer bound to another node" refused_from $last hold/alloc "$movable_line"
for node in $(seq 0 $last); do
	expect "a bound process gets its heap on node $node" bound_to "$node"
	expect "a bound tmpfs file gets its pages on node $node" file_bound_to "$node"
done
expect "pages move from node 0 to node $last" moves_to 0 $last
expect "pages move from node 1 to node 0" moves_to 1 0
expect "a process that keeps writing loses nothing while its pages move" writes_survive
expect "only bind and preferred-many may ask for migrate-on-fault" only_bind_and_many_balance
expect "mof: a process without a policy has the system's" mof_answers $$ system default 1
expect "mof: a bound process's policy decides for its heap" bound_mof "" "bind:1" 0
expect "mof: a bound process's policy with balancing" bound_mof --balancing "bind=balancing:1" 1
expect "mof: a mapping's own policy decides" mapped_mof 0 2 mapping "bind:1" 0
expect "mof: a mapping's own policy with balancing" mapped_mof 0 $((2 | 1 << 13)) mapping "bind=balancing:1" 1
expect "mof: the policy of a range of shared memory decides" mapped_mof 1 2 range "bind:1" 0
expect "mof: a process that is not there" mof_refuses ESRCH "999999 1000"
expect "mof: a kernel thread" mof_refuses ESRCH "2 1000"
expect "mof: nothing mapped" mof_refuses EFAULT "$$ 10"
for line in "$$" "$$ " "x 1000" "0 1000" "-1 1000" "01 1000" "99999999999 1000" "$$ wxyz" "$$ -1000" \
	"$$ 1000 x" "$$ 10000000000000000"; do
	expect "mof: '$line' is refused" mof_refuses EINVAL "$line"
done
expect "mof: a rejected write has no side effect" mof_keeps
expect "unload" unload_module
expect "log is clean" log_check
finish $((40 + 3 * last + (last > 1)))
