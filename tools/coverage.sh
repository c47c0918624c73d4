#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# coverage.sh
#
# Runs the suites and guest scripts on a kernel with gcov and reports which lines and
# branches of the symbols under test and of superpageblocks they reach, and why they miss
# the others. Leaves in build/coverage: report.txt, report.json and index.html, the
# annotated source.
#
#   LONG=1         also all knobs and the longer scripts
#   CONFIG=x86_64  also in QEMU, the only place where task_numa_work() runs; slow
#   FRAGBED_JOB_SECONDS=30  duration of the soaks
#
# Exit code: 0 each target is met, or every missed line has a reason; 1 otherwise, or if a
# test fails.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

RESULTS=$OUT/coverage
export FRAGBED_JOB_SECONDS=${FRAGBED_JOB_SECONDS:-30}
status=0 folders=()

# Lines CONFIG|NAME|SCRIPT;SCRIPT... of tools/tests.toml. The suites run first in each guest.
parts() {
	local sets=(uml)
	[ -z "${LONG:-}" ] || sets+=(long)
	[ "${CONFIG:-uml}" = uml ] || sets+=("$CONFIG")
	"$TOOLS/plan.py" coverage "${sets[@]}"
}

# The coverage of a suite that fails means nothing.
suites_passed() {
	! grep -E '^(\[[ .0-9]+\] )?not ok ' "$1" >&2 && grep -qE '^(\[[ .0-9]+\] )?ok ' "$1"
}

run_part() {
	local config=$1 name=$2 line scripts=() out=$RESULTS/$1/$2
	while read -rd';' line; do
		scripts+=("$(guest_script "${line%% *}") ${line#"${line%% *}"}")
	done <<<"$3;"
	rm -rf "$out"
	say "$config: $name: suites, ${3//;/, }"
	"$TOOLS/guest.sh" --config "$config" --kernel "$run/$config" --timeout 3000 --out "$out" \
		--args "kunit.enable=1 kunit.filter_glob=fragbed_*" \
		coverage "${scripts[@]}" | tee "$out.log" >&2 || bad "$config: $name" "$out.log"
	suites_passed "$out/kernel.log" || bad "$config: $name: the suites" "$out/kernel.log"
}

bad() {
	status=1
	say "$1 failed: see $2"
}

# link_notes FOLDER BUILD: gcov needs the compiler's notes of a file beside its counters.
link_notes() {
	local data
	find "$1" -name '*.gcda' -printf '%P\n' | while IFS= read -r data; do
		ln -s "$2/${data%.gcda}.gcno" "$1/${data%.gcda}.gcno"
	done
}

# shellcheck disable=SC2317,SC2329  # called by name
page() {
	gcovr --root "$tree" --filter "$tree/mm/" --html-details "$RESULTS/index.html" \
		--html-title "fragbed: coverage" "${folders[@]}"
}

parts=$(parts)
"$TOOLS/packages.sh" coverage
make_run_folder
tree=$("$TOOLS/prepare.sh")
mapfile -t configs < <(cut -d'|' -f1 <<<"$parts" | uniq)
for config in "${configs[@]}"; do
	mkdir -p "$run/$config"
	image=$("$TOOLS/build.sh" "$config" "$run/$config")
	build=${image%/"$(config_field "$config" image)"}
	mkdir -p "$RESULTS/$config"
	while IFS='|' read -r part_config name scripts; do
		[ "$part_config" = "$config" ] || continue
		run_part "$config" "$name" "$scripts" </dev/null
		link_notes "$RESULTS/$config/$name/gcda$build" "$build"
		folders+=("$RESULTS/$config/$name/gcda$build")
	done <<<"$parts"
done
run_logged "writing the annotated source" "$RESULTS/gcovr.log" page || status=1
"$TOOLS/coverage.py" --tree "$tree" --patches "$KERNEL_DIR/patches" --reasons "$REPO/kunit/coverage.toml" \
	--json "$RESULTS/report.json" "${folders[@]}" | tee "$RESULTS/report.txt" || status=1
exit $status
