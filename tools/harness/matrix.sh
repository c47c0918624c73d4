# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # $work is the caller's
#
# The matrix of stock kernels: failures, panics, hangs and lost steps are reported.

# guest_of FACTS [STEP...]: the files that tools/packaging/matrix.sh leaves for one kernel.
guest_of() {
	mkdir -p "$work/9.9"
	printf 'series=9.9\nkernel=9.9.1\ndebian=13\nwanted=load caps map unload quick knobs log\n%s\n' "$1" >"$work/9.9/facts"
	printf '%s\n' "${@:2}" >"$work/9.9/steps"
}

all_steps=("load 1 0 0" "caps 1 0 0" "map 1 0 0" "unload 1 0 0" "quick 9 0 2" "knobs 80 0 7" "log 1 0 0")

matrix_says() { exits "$1" "$TOOLS/packaging/matrix_table.py" "$work" 9.9 && says "$2"; }

test_matrix_passes() {
	guest_of guest=finished "${all_steps[@]}" && matrix_says 0 "matrix: 94 passed, 0 failed, 9 skipped"
}

test_matrix_case_fails() {
	guest_of guest=finished "${all_steps[@]:0:6}" "log 0 1 0" && matrix_says 1 "matrix: 93 passed, 1 failed"
}

test_matrix_guest_panics() {
	guest_of "guest=panic: Attempted to kill init!" "${all_steps[@]:0:3}" &&
		matrix_says 1 "9.9.1: guest: panic: Attempted to kill init!" && says "3 passed, 1 failed"
}

test_matrix_guest_hangs() {
	guest_of "guest=hang: killed after 900 s" "${all_steps[@]:0:3}" && matrix_says 1 "hang: killed after 900 s"
}

test_matrix_step_is_lost() {
	guest_of guest=finished "${all_steps[@]:1}" && matrix_says 1 "93 passed, 1 failed"
}

test_matrix_dkms_fails() {
	guest_of "broken=dkms built no module, see dkms.log" && matrix_says 1 "9.9.1: broken: dkms built no module"
}

# A run in which Debian has none of the kernels does not pass.
test_matrix_no_kernel() {
	guest_of "skipped=Debian has no kernel of this series any more" && matrix_says 1 "0 passed, 0 failed, 1 skipped"
}
