# shellcheck shell=sh source-path=SCRIPTDIR source-path=SCRIPTDIR/../../lib source-path=SCRIPTDIR/../lib
# SPDX-License-Identifier: GPL-2.0
#
# What the guest scripts share; the only file that they source. POSIX sh, runs under dash
# and busybox ash.
#
# lib.sh:
#   need TEST... -- REASON      a requirement; all that are not met are reported at once
#   need_module                 two of them: root, and a module to insert
#   check_needs                 exits 4 if any requirement is not met
#   refuse REASON               exits 4 for a reason that is only found later
#   at_exit COMMAND             undo, run last-in first-out when the script ends
#   setting PATH VALUE          writes a system setting, restored at the end
#   $force                      for lines that may allocate down to the watermarks
# log.sh:
#   log_mark, log_check         the kernel log since the mark has no splat, or log_check fails
# module.sh:
#   load_module, unload_module  fragbed.ko
#   knob FILE LINE              writes to a command file, sets $knob_errno
#   fact FILE NAME              the value of a "name value" line of a read-only file
# memory.sh:
#   meminfo NAME, free_pages, used_permille, kasan_pages
# random.sh:
#   dice N, type_of N           random choices, from the seed $random on
#   write_files FOLDER          fills it with files of random size
# spb.sh:
#   load_with_spb               exits 4 if the kernel has no superpageblocks
#   spb_*                       what spb/ shows of superpageblocks
# ktap.sh:
#   pass, fail, skip DESC       one KTAP line each
#   expect DESC TEST...         one of them by the test's exit status
#   finish EXPECTED             ends a script with that many cases
#   finish_one STATUS           ends a script that is one test

# dash cannot tell errnos apart, and to start a program that can is the most expensive
# thing a script does in UML.
if [ -z "${FRAGBED_SHELL:-}" ] && command -v busybox >/dev/null; then
	export FRAGBED_SHELL=busybox
	exec busybox sh "$0" "$@"
fi

FRAGBED_DIR=/sys/kernel/debug/fragbed
# A guest has its memory for itself; on other machines a tenth stays free.
# shellcheck disable=SC2034
force=${FRAGBED_FORCE:+force=1}
LC_ALL=C
export LC_ALL

# POSIX sh does not know the folder of this file: it is found from the script's, or in the
# repository.
for lib_folder in "${0%/*}/../../lib" "${0%/*}/../lib" "${FRAGBED_REPO:-}/debugfs-scripts/lib"; do
	[ ! -f "$lib_folder/splats" ] || break
done
lib_folder=$(cd "$lib_folder" && pwd) || exit 1

say() { printf '# %s\n' "$*"; }

# --- undo ------------------------------------------------------------------

lib_undo=
lib_newline='
'

at_exit() { lib_undo="$1$lib_newline$lib_undo"; }

lib_run_undo() {
	lib_status=$?
	trap - EXIT
	trap '' INT TERM HUP
	eval "$lib_undo"
	exit "$lib_status"
}

trap lib_run_undo EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# --- requirements ----------------------------------------------------------

lib_missing=

# need TEST... -- REASON...
need() {
	lib_test=
	while [ "$1" != -- ]; do
		lib_test="$lib_test '$1'"
		shift
	done
	shift
	eval "$lib_test" >/dev/null 2>&1 || lib_missing="$lib_missing$*$lib_newline"
}

need_module() {
	need test "$(id -u)" = 0 -- "must be root"
	need test -f "${FRAGBED_MODULE:-}" -- "FRAGBED_MODULE names no fragbed.ko"
}

check_needs() {
	[ -n "$lib_missing" ] || return 0
	printf '%s' "$lib_missing" | while IFS= read -r lib_reason; do
		say "SKIP: $lib_reason"
	done
	exit 4
}

# refuse REASON
refuse() {
	say "SKIP: $*"
	exit 4
}

# --- settings --------------------------------------------------------------

lib_saved=

# setting PATH VALUE: the value before the first write is restored at the end. If the file
# shows a list of words, it is the one in brackets.
setting() {
	case " $lib_saved " in
	*" $1 "*) ;;
	*)
		lib_old=$(sed 's/.*\[\(.*\)\].*/\1/' "$1") || return 1
		lib_saved="$lib_saved $1"
		at_exit "echo '$lib_old' >'$1'"
		;;
	esac
	echo "$2" >"$1"
}

# Full seconds since the guest booted.
now() { cut -d. -f1 /proc/uptime; }

. "$lib_folder/log.sh"
. "$lib_folder/module.sh"
. "$lib_folder/memory.sh"
. "$lib_folder/random.sh"
. "$lib_folder/spb.sh"
. "$lib_folder/ktap.sh"
