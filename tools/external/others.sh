#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# others.sh [--seed N] [--resume] [ITEM...]: what "make others" does: tests that others have written,
# on mainline and on ours with the same configuration, but for superpageblocks. In UML
# all_tests, the kernel's own set of KUnit suites; with CONFIG=x86_64, in QEMU, the ITEMs of
# debugfs-scripts/tests/external/others.sh, by default all below, on both kernels side by side: that takes
# hours, and with --resume what an interrupted run has already is not run again.
#
# What does not come out the same on both is run three times more, since a test may fail
# by chance. build/others/CONFIG/ has the table, also as JSON, and a folder run-N/KERNEL for
# what each run said. Exit: 0 nothing is worse on ours, 1 something is.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

config=${CONFIG:-uml}
again=3
MM=(compaction hugetlb thp migration cow madv_guard madv_populate process_madv ksm ksm_numa
	mmap mremap mlock gup_test userfaultfd soft_dirty pagemap mkdirty mdwe vma_merge rmap
	memory-failure memfd_secret process_mrelease)

usage() { die "usage: [CONFIG=uml|x86_64] others.sh [--seed N] [--resume] [ITEM...]"; }

# Those of the class "vm", without those that stress-ng itself says may hang a machine,
# and the one that moves memory from node to node.
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

# The same names as in the folders: mainline first.
kernels() {
	case $config in
	uml) printf '%s\n' others-uml-mainline others-uml-spb ;;
	x86_64) printf '%s\n' others-mainline others-spb ;;
	*) die "CONFIG=$config: must be uml or x86_64" ;;
	esac
}

# facts KERNEL FOLDER: what the tables open with, of the kernel built in FOLDER.
facts() {
	printf 'kernel=%s\nconfig=%s\nseed=%s\ncommit=%s\n' \
		"$(cat "$2/include/config/kernel.release")" "$(sha256sum <"$2/.config" | cut -c1-12)" \
		"$FRAGBED_JOB_SEED" "$(git -C "$REPO" describe --always --dirty 2>/dev/null || echo unknown)"
}

# new_facts KERNEL FOLDER: a run that is resumed must have had the same.
new_facts() {
	local file=$out/facts-$1
	if [ -e "$file" ] && [ "$(facts "$@")" != "$(cat "$file")" ]; then
		die "--resume: $out is of another kernel, commit or seed: run without it"
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

# run_suites KERNEL FOLDER: its exit code is no answer, since a suite may fail on both.
run_suites() {
	"$TOOLS/kunit.sh" --config "$1" --kernel "$run/$1" --limit 1200 --out "$2" '*' >"$2/$1.txt" 2>&1 || :
	[ -s "$2/$1/result.json" ] || die "$1: no suite was run, see $2/$1.txt"
}

# What a busy host can do to an emulated guest: stalls, and a timer that seems dead.
patience="rcupdate.rcu_cpu_stall_timeout=180 no_timer_check"

# not_begun FOLDER ITEM...: a line each.
not_begun() {
	local to=$1 item
	shift
	for item; do
		[ -d "$to/$item" ] || printf '%s\n' "$item"
	done
}

# run_guests KERNEL FOLDER ITEM...: a guest that dies takes only the test with it during
# which it died; the others are run by the next guest.
run_guests() {
	local kernel=$1 to=$2 left before rc
	shift 2
	mapfile -t left < <(not_begun "$to" "$@")
	while [ ${#left[@]} -gt 0 ]; do
		before=${#left[@]} rc=0
		"$TOOLS/guest.sh" --config "$kernel" --kernel "$run/$kernel" --timeout $((before * 960)) --out "$to" \
			--args "$patience" others "${left[@]}" || rc=$?
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

# run_both NUMBER ITEM...: side by side, so that whatever else the host does is the same for both.
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

# forget_unfinished: what a guest was at when it was interrupted.
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
# all_tests is run as a whole.
if [ "$config" = x86_64 ]; then
	"$TOOLS/packages.sh" run qemu others
	chosen=$(choose_items "$@")
elif [ $# -gt 0 ]; then
	usage
fi
mapfile -t items <<<"${chosen:-}"
mapfile -t pair < <(kernels)
[ ${#pair[@]} -eq 2 ] || exit 1
out=$OUT/others/$config
make_run_folder
[ -z "$resume" ] || forget_unfinished
[ -n "$resume" ] || rm -rf "$out"
build_all
run_both 1 "${items[@]}"
mapfile -t differing < <("$TOOLS/external/others_table.py" --differing "$out" "${pair[@]}")
for number in $(seq 2 $((again + 1))); do
	[ ${#differing[@]} -eq 0 ] || run_both "$number" "${differing[@]}"
done
rc=0
"$TOOLS/external/others_table.py" "$out" "${pair[@]}" || rc=$?
read -r passed failed skipped <"$out/counts"
write_counts "others-$config" "$passed" "$failed" "$skipped"
exit $rc
