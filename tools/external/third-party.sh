#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# third-party.sh [--seed N] [--resume] [ITEM...]
#
# What "make third-party" does: runs third-party tests on mainline and on ours, configured the
# same but for superpageblocks. In UML these are all_tests, the kernel's own set of KUnit
# suites. With CONFIG=x86_64, in QEMU, they are the ITEMs of
# debugfs-scripts/tests/external/third-party.sh, by default all of all_items() below; the two
# kernels run in parallel. That takes hours; --resume continues an interrupted run.
#
# Tests may be flaky: those whose results differ run three times more. Leaves in
# build/third-party/CONFIG/ the table, also as JSON, and a folder run-N/KERNEL with the output
# of each run. Exit: 0 nothing is worse on ours, 1 something is.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

config=${CONFIG:-uml}
again=3
MM=(compaction hugetlb thp migration cow madv_guard madv_populate process_madv ksm ksm_numa
	mmap mremap mlock gup_test userfaultfd soft_dirty pagemap mkdirty mdwe vma_merge rmap
	memory-failure memfd_secret process_mrelease)

usage() { die "usage: [CONFIG=uml|x86_64] third-party.sh [--seed N] [--resume] [ITEM...]"; }

# The stressors of the class "vm" and "numa". mlockmany and watchdog are left out: according
# to stress-ng's manual they may hang a machine.
stressors() {
	printf 'numa\n'
	stress-ng --class vm? | sed 's/.*stressors: //' | tr ' ' '\n' | grep -vxE 'mlockmany|watchdog'
}

all_items() {
	printf 'mm/%s\n' "${MM[@]}"
	printf 'futex/%s\n' futex_numa_mpol
	stressors | sed 's,^,stress-ng/,'
	printf 'trinity/%s\n' vm vfs all
}

# choose_items ITEM...: those, or all.
choose_items() {
	local item all
	all=$(all_items)
	for item; do
		grep -qxF -- "$item" <<<"$all" || die "no test '$item'; there are: ${all//$'\n'/ }"
	done
	printf '%s\n' "${@:-$all}"
}

# The two configurations, mainline first.
kernels() {
	case $config in
	uml) printf '%s\n' third-party-uml-mainline third-party-uml-spb ;;
	x86_64) printf '%s\n' third-party-mainline third-party-spb ;;
	*) die "CONFIG=$config: must be uml or x86_64" ;;
	esac
}

# facts KERNEL FOLDER: the table starts with these; FOLDER has the built kernel.
facts() {
	printf 'kernel=%s\nconfig=%s\nseed=%s\ncommit=%s\n' \
		"$(cat "$2/include/config/kernel.release")" "$(sha256sum <"$2/.config" | cut -c1-12)" \
		"$FRAGBED_JOB_SEED" "$(git -C "$REPO" describe --always --dirty 2>/dev/null || echo unknown)"
}

# new_facts KERNEL FOLDER: refuses to resume a run with other facts.
new_facts() {
	local file=$out/facts-$1
	if [ -e "$file" ] && [ "$(facts "$@")" != "$(cat "$file")" ]; then
		die "--resume: $out is from another kernel, commit or seed: run without --resume"
	fi
	facts "$@" >"$file"
}

build_all() {
	local kernel image
	mkdir -p "$out"
	for kernel in "${pair[@]}"; do
		mkdir -p "$run/$kernel"
		image=$("$TOOLS/build.sh" "$kernel" "$run/$kernel")
		new_facts "$kernel" "${image%"/$(config_field "$kernel" image)"}"
	done
	[ "$config" = uml ] || FRAGBED_JOB_SELFTESTS=$("$TOOLS/external/selftests.sh")
	export FRAGBED_JOB_SELFTESTS
}

# run_suites KERNEL FOLDER: ignores the exit code, since a suite may fail on both kernels.
run_suites() {
	"$TOOLS/kunit.sh" --config "$1" --kernel "$run/$1" --limit 1200 --out "$2" '*' >"$2/$1.txt" 2>&1 || :
	[ -s "$2/$1/result.json" ] || die "$1: no suite was run, see $2/$1.txt"
}

# An emulated guest on a busy host sees RCU stalls and a timer that seems dead.
patience="rcupdate.rcu_cpu_stall_timeout=180 no_timer_check"

# not_begun FOLDER ITEM...: those without a folder, one per line.
not_begun() {
	local to=$1 item
	shift
	for item; do
		[ -d "$to/$item" ] || printf '%s\n' "$item"
	done
}

# run_guests KERNEL FOLDER ITEM...: if a guest dies, the test that ran has failed, and the next
# guest runs the remaining ones.
run_guests() {
	local kernel=$1 to=$2 left before rc
	shift 2
	mapfile -t left < <(not_begun "$to" "$@")
	while [ ${#left[@]} -gt 0 ]; do
		before=${#left[@]} rc=0
		"$TOOLS/guest.sh" --config "$kernel" --kernel "$run/$kernel" --timeout $((before * 960)) --out "$to" \
			--args "$patience" third-party "${left[@]}" || rc=$?
		mv "$to/kernel.log" "$to/kernel-before-$before.log"
		mapfile -t left < <(not_begun "$to" "$@")
		[ ${#left[@]} -lt "$before" ] || die "$kernel: the guest ran no test (exit code $rc), see $to"
	done
}

# run_one KERNEL FOLDER ITEM...
run_one() {
	local kernel=$1 folder=$2
	shift 2
	trap 'exit 130' INT
	say "== $kernel, ${folder##*/}"
	mkdir -p "$folder/$kernel"
	case $config in
	uml) run_suites "$kernel" "$folder" ;;
	*) run_guests "$kernel" "$folder/$kernel" "$@" ;;
	esac
}

# run_both NUMBER ITEM...: in parallel, so that other load on the host affects both kernels.
run_both() {
	local kernel pid pids=() rc=0 folder=$out/run-$1
	shift
	for kernel in "${pair[@]}"; do
		run_one "$kernel" "$folder" "$@" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || rc=1
	done
	[ $rc -eq 0 ] || exit 1
}

# Deletes the items that were interrupted.
forget_unfinished() {
	local item
	for item in "$out"/run-*/*/*/*/; do
		[ ! -d "$item" ] || [ -e "$item/ended" ] || rm -rf "$item"
	done
}

export FRAGBED_JOB_SEED=1
resume=
while [ $# -gt 0 ]; do
	case $1 in
	--seed) FRAGBED_JOB_SEED=${2:?} && shift 2 ;;
	--resume) resume=1 && shift ;;
	-*) usage ;;
	*) break ;;
	esac
done
# all_tests can only be run as a whole.
if [ "$config" = x86_64 ]; then
	"$TOOLS/packages.sh" run qemu third-party
	chosen=$(choose_items "$@")
elif [ $# -gt 0 ]; then
	usage
fi
mapfile -t items <<<"${chosen:-}"
mapfile -t pair < <(kernels)
[ ${#pair[@]} -eq 2 ] || exit 1
out=$OUT/third-party/$config
make_run_folder
[ -z "$resume" ] || forget_unfinished
[ -n "$resume" ] || rm -rf "$out"
build_all
run_both 1 "${items[@]}"
mapfile -t differing < <("$TOOLS/external/third_party_table.py" --differing "$out" "${pair[@]}")
for number in $(seq 2 $((again + 1))); do
	[ ${#differing[@]} -eq 0 ] || run_both "$number" "${differing[@]}"
done
rc=0
"$TOOLS/external/third_party_table.py" "$out" "${pair[@]}" || rc=$?
read -r passed failed skipped <"$out/counts"
write_counts "third-party-$config" "$passed" "$failed" "$skipped"
exit $rc
