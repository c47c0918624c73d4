#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: what "make test" does: the suites, the knobs of fragbed.ko, the command, nodes,
# the quick tests of the runner, in all configurations of UML or, with CONFIG=x86_64, in QEMU,
# where some more can be had. With SANITIZE=1 in kernels that tell of mistakes, and the
# longer tests of superpageblocks as well. The parts run two at a time; all of them run,
# whatever the others said; the last line adds them up.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# On a slow machine knobs.sh takes over 300 s in QEMU without KVM.
config=${CONFIG:-uml} limit=900
if [ -n "${SANITIZE:-}" ]; then
	limit=1800
	case $config in
	uml) config=sanitize ;;
	x86_64) config=x86_64-sanitize limit=5400 ;;
	*) die "CONFIG=$config SANITIZE=$SANITIZE: there is one for uml and for x86_64" ;;
	esac
fi

# What runs: stream, name (of the counts, too), command. The streams take about as
# long as each other.
parts() {
	case $config in
	uml) cat <<-'END' ;;
		1 suites          suites --group uml
		1 numa-uml-numa   script numa uml-numa
		2 knobs-uml       script knobs uml --args kmemleak=on
		2 knobs-uml-spb   script knobs uml-spb -- spb
		2 soak-uml-spb    script soak uml-spb
		1 command-uml-spb script command uml-spb
		2 command-uml     script command uml -- stock
		2 harness-quick   harness --quick
	END
	x86_64) cat <<-'END' ;;
		1 suites          suites --config x86_64
		1 numa-x86_64     script numa x86_64 --mem 3G
		1 balance-x86_64  script balance x86_64
		1 btrfs-x86_64    script btrfs x86_64 --args page_owner=on
		1 run             scenario --config x86_64
		2 knobs-x86_64    script knobs x86_64 --args numa=off
		2 harness-quick   harness --quick
	END
	sanitize) cat <<-'END' ;;
		1 suites             suites --group sanitize
		1 leaks-sanitize     leaks sanitize
		1 numa-sanitize-numa script numa sanitize-numa
		1 soak-sanitize      script soak sanitize
		1 soak-sanitize-cpus script soak sanitize-cpus
		1 pressure-sanitize  script pressure sanitize
		1 packing-sanitize   script packing sanitize
		2 knobs-sanitize     script knobs sanitize
		2 command-sanitize   script command sanitize
		2 defrag-sanitize    script defrag sanitize
		2 quick-sanitize-numa script quick sanitize-numa
	END
	x86_64-sanitize | x86_64-rt)
		cat <<-END
			1 suites          suites --config $config
			1 numa-$config      script numa $config
			2 knobs-$config     script knobs $config --args numa=off
			2 soak-$config      script soak $config
		END
		# There is no CONFIG_NUMA_BALANCING with PREEMPT_RT.
		[ "$config" = x86_64-rt ] || echo "2 balance-$config script balance $config"
		;;
	*) die "CONFIG=$config: must be uml, x86_64 or x86_64-rt" ;;
	esac
}

suites() { "$TOOLS/kunit.sh" --limit "$limit" --kernels "$run" "$@"; }
harness() { "$TOOLS/harness/harness-test.sh" "$@"; }
scenario() { "$TOOLS/run.sh" "$@"; }

# The suites run while the guest boots; what they leaked is looked for after that.
leaks() { script leaks "$1" --args "kunit.enable=1 kunit.filter_glob=fragbed_*"; }

# script NAME CONFIG [OPTION...] [-- ARG...]: the scenario or test NAME in a guest.
script() {
	local script=$1 config=$2 options=()
	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	"$TOOLS/guest.sh" --config "$config" --kernel "$run/$(config_field "$config" build)" --timeout "$limit" \
		--out "$OUT/$script-$config" --counts "$script-$config" "${options[@]}" \
		"$script" "${@:2}"
}

# stream NUMBER: its parts, one after the other; each leaves its exit code.
stream() {
	local number name command rc
	while read -r -u 3 number name command; do
		[ "$number" = "$1" ] || continue
		printf '== %s\n' "$name"
		rc=0
		# shellcheck disable=SC2086  # the command is words
		$command </dev/null || rc=$?
		printf '%s\n' "$rc" >"$run/ended/$name"
	done 3< <(parts)
}

build_configs() {
	local name folder
	for name in $(config_names "$config"); do
		folder=$run/$(config_field "$name" build)
		[ ! -d "$folder" ] || continue
		mkdir "$folder"
		"$TOOLS/build.sh" "$name" "$folder" >/dev/null
	done
}

# Started by xargs, not by the shell's "&", so that Ctrl-C ends both. What the
# second one says comes when both are done.
run_streams() {
	mkdir "$run/ended"
	export run
	printf '%s\n' 1 2 | xargs -P 2 -n 1 "$0" --stream
	cat "$run/stream-2"
}

# Counts of its own while it runs: another run in this clone writes some, too.
bring_counts() {
	mkdir -p "$1"
	cp "$COUNTS"/* "$1/" 2>/dev/null || :
}

case "${1:-} ${2:-}" in
"--stream 1") stream 1 && exit ;;
"--stream 2") stream 2 >"$run/stream-2" 2>&1 && exit ;;
esac

kept=$COUNTS
make_run_folder
export FRAGBED_COUNTS_DIR=$run/counts
COUNTS=$FRAGBED_COUNTS_DIR
mapfile -t names < <(parts | awk '{ print $2 }')
[ ${#names[@]} -gt 0 ] || exit 1
build_configs
run_streams
add_counts "${names[@]}"
printf '%s %s %s\n' "$PASSED" "$FAILED" "$SKIPPED" >"$COUNTS/test-$config"
bring_counts "$kept"
bad=0
for name in "${names[@]}"; do
	rc=$(cat "$run/ended/$name" 2>/dev/null) || rc=none
	[ "$rc" = 0 ] || { bad=1 && printf 'FAILED: %s (exit code %s)\n' "$name" "$rc"; }
done
printf 'make test: %s passed, %s failed, %s skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
if [ $bad -gt 0 ] || [ "$FAILED" -gt 0 ] || [ "$PASSED" -eq 0 ]; then
	exit 1
fi
