#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Writes random lines, valid and invalid ones, to all knobs at once, while the module is
# unloaded and loaded (fuzz.c). Afterwards no memory may be missing. Only for a guest, see
# run.sh.
#
#   FRAGBED_JOB_WRITES=100000   number of writes
#   FRAGBED_JOB_SEED=1
#   FRAGBED_JOB_THREADS=4       threads that write
#   FRAGBED_JOB_HANG=120        a write that takes more seconds is a hang
#
# Leaves in $FRAGBED_OUT: log, the kernel's messages; corpus, lines that reached new code.
# shellcheck disable=SC2317  # cases are called by name

. "$(dirname "$0")/../../lib/lib.sh"

work=${TMPDIR:-/tmp}/fragbed-fuzz
corpus=$work/corpus
writes=${FRAGBED_JOB_WRITES:-100000}
seed=${FRAGBED_JOB_SEED:-1}

knobs() { (cd "$FRAGBED_DIR" && find . -type f -perm -200 | sed 's,^\./,,' | sort); }

# Each command file with its keys.
keys() {
	awk '$1 == "key" { keys[$2] = keys[$2] " " $3 } END { for (path in keys) print path keys[path] }' \
		"$FRAGBED_DIR/knobs"
}

# A line for a command file that has none in the folder corpus: each key with its default,
# its first word or its minimum.
first_line() {
	awk -v path="$1" '
		$2 != path { next }
		$1 == "word" && line == "" { line = $3 }
		$1 == "key" && $5 !~ /^with/ { line = line " " $3 "=" ($6 != "-" ? $6 : NF > 6 ? $7 : "x") }
		$1 == "value" { line = line " " (NF > 6 ? $7 : "x") }
		END { sub(/^ /, "", line); print line }' "$FRAGBED_DIR/knobs"
}

make_corpus() {
	cp -r "$(dirname "$0")/corpus" "$work/"
	for lib_knob in $(knobs); do
		[ -f "$corpus/$lib_knob" ] || {
			mkdir -p "$(dirname "$corpus/$lib_knob")"
			first_line "$lib_knob" >"$corpus/$lib_knob"
		}
	done
}

has_keys() {
	lib_lines=$(cat "$corpus/$1") || return 1
	lib_knob=$1
	shift
	for lib_key; do
		case $lib_lines in
		*[!a-z_]"$lib_key="*) ;;
		*) say "no line of the corpus of $lib_knob has $lib_key=" && return 1 ;;
		esac
	done
}

# A knob or key that is missing in the corpus would rarely be tried.
corpus_has_all() {
	make_corpus
	keys >"$work/keys"
	[ -s "$work/keys" ] || return 1
	while read -r lib_line; do
		# shellcheck disable=SC2086  # words
		has_keys $lib_line || return 1
	done <"$work/keys"
}

fuzz() {
	mkdir -p "$FRAGBED_OUT/corpus"
	(cd "$corpus" && find . -type d) | (cd "$FRAGBED_OUT/corpus" && xargs mkdir -p)
	"$FRAGBED_OUT/fuzz" -w "$writes" -s "$seed" -t "${FRAGBED_JOB_THREADS:-4}" -h "${FRAGBED_JOB_HANG:-120}" \
		-c "$corpus" -o "$FRAGBED_OUT" -x "$(splats)" "$FRAGBED_MODULE" ${stock:+"$stock"}
}

settled_free_pages() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	free_pages
}

nothing_is_held() { [ "$(grep -vc '^#' "$FRAGBED_DIR/hold/sets")" -eq 0 ]; }

memory_is_back() {
	after=$(settled_free_pages)
	say "$before pages free before, $after after"
	[ "$after" -ge $((before - slack)) ]
}

need_module
need test -n "${FRAGBED_OUT:-}" -- "FRAGBED_OUT names no folder"
need test -n "${FRAGBED_FORCE:-}" -- "not a guest: FRAGBED_FORCE is not set"
need test -x "${FRAGBED_OUT:-}/fuzz" -- "there is no FRAGBED_OUT/fuzz: run.sh builds it"
check_needs
stock=${FRAGBED_MODULE%.ko}-stock.ko
[ -f "$stock" ] || stock=
# Slabs and stacks that stay allocated.
slack=$((4096 + $(kasan_pages)))

ktap_start
log_mark
load_module || exit 1
mkdir -p "$work"
at_exit "rm -rf '$work'"
[ -e /sys/kernel/debug/kcov ] || say "the kernel lacks CONFIG_KCOV: lines are not kept"
say "fuzz: $writes writes, seed $seed, kernel $(uname -r)"
expect corpus_has_all_knobs_and_keys corpus_has_all
before=$(settled_free_pages)
expect "no_complaint_in_$writes""_writes" fuzz
log_mark
load_module
must_knob reset 1
expect nothing_is_held nothing_is_held
expect module_unloads_and_records_are_true unload_module
expect memory_is_back memory_is_back
expect no_leak_and_a_clean_log log_check
finish 6
