# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # $work is the caller's
#
# Without a guest: the runner of scenarios refuses unknown names. The experiment's tools on
# synthetic data: pages are classified correctly, a change is
# distinguished from noise, and missing measurements are errors.

# write_chunk WORD...: page flags of a chunk of 1 MiB, one word a page; the rest of its 256
# pages is free.
write_chunk() {
	python3 -c '
import struct, sys
flags = [sum(1 << int(bit) for bit in word.split("+") if bit) for word in sys.argv[2:]]
flags += [1 << 10] * (256 - len(flags))
open(sys.argv[1], "wb").write(struct.pack("<256Q", *flags))' "$work/flags" "$@"
	printf '00000000-000fffff : System RAM\n' >"$work/iomem"
}

chunk_row() {
	"$REPO/debugfs-scripts/lib/chunk_map.py" --chunk-mb 1 --file "$work/flags" --iomem "$work/iomem" |
		sed -n 's/  */ /g; 2p'
}

# gets WANTED: checks the chunk's row; its columns are those of chunk_map.py.
gets() {
	local row
	row=$(chunk_row)
	[ "$row" = " $1" ] || { printf '# got%s, not %s\n' "$row" "$1" && return 1; }
}

test_chunk_map_user_memory_moves() { write_chunk 5 12+14 3+14+5 12+5+11 && gets '0 252 4 0 0 0 0 0 0 no'; }
test_chunk_map_kernel_memory_taints() { write_chunk 7 26+11 '' 11 && gets '0 252 0 0 1 1 2 0 0 yes'; }
test_chunk_map_zero_page_taints() { write_chunk 22+24 && gets '0 255 0 0 0 0 1 0 0 yes'; }
test_chunk_map_reserved_is_no_taint() { write_chunk 32 20 17+15 && gets '0 253 0 1 0 0 0 1 1 no'; }

# A page that is on a per-cpu list at the first look and free at the second.
test_chunk_map_lists_taint_nothing() {
	write_chunk && mv "$work/flags" "$work/free" && write_chunk '' '' || return
	exits 0 python3 -c '
import shutil, sys
sys.path.insert(0, sys.argv[1])
import chunk_map
flags, free, iomem = (f"{sys.argv[2]}/{name}" for name in ("flags", "free", "iomem"))
chunk_map.time.sleep = lambda _: shutil.copy(free, flags)
rows = chunk_map.ChunkMap(1 << 20, flags, iomem).take()
sys.exit(chunk_map.is_tainted(rows[0]))' "$REPO/debugfs-scripts/lib" "$work"
}

# synthetic FILE PAGES...: a report with that many 1 GiB pages, one number per seed.
synthetic() {
	python3 -c '
import json, sys
sys.path[:0] = [f"{sys.argv[1]}/{room}" for room in ("lib", "experiment")]
import data
figures = dict.fromkeys(data.FIGURES, 5)
seeds = {str(seed): {"figures": dict(figures, pages_ended=int(pages))} for seed, pages in enumerate(sys.argv[3:])}
json.dump({"summaries": {"files": {"spb": seeds}}, "origin": []}, open(sys.argv[2], "w"))' \
		"$REPO/debugfs-scripts" "$work/$1" "${@:2}"
}

compare() { "$REPO/debugfs-scripts/experiment/compare.py" "$work/a" "$work/b"; }

test_compare_noise() { synthetic a 7 8 8 && synthetic b 8 9 9 && exits 0 compare && says '0 WORSE'; }
test_compare_worse() { synthetic a 7 8 8 && synthetic b 5 6 6 && exits 1 compare && says '1 WORSE'; }
test_compare_better() { synthetic a 5 6 6 && synthetic b 7 8 8 && exits 0 compare && says '1 better'; }
test_compare_missing_file() { synthetic a 7 && exits 2 compare && says 'No such file'; }

test_experiment_without_runs() {
	mkdir -p "$work/runs" && exits 1 "$REPO/debugfs-scripts/experiment/report.py" --text "$work" &&
		says 'no run was completed'
}

# bench_rows MAINLINE OURS: results of three boots of each kernel, with that many instructions.
bench_rows() {
	local kernel number
	for kernel in mainline:$1 spb:$2; do
		for number in 1 2 3; do
			mkdir -p "$work/bench/count/${kernel%:*}/$number"
			printf 'fragbed_bench: %s\n' 'nops=1000 took=1006' \
				"case=zone-0-movable cpu=0 alloc=${kernel#*:} free=100.00 failed=0" \
				>"$work/bench/count/${kernel%:*}/$number/rows"
		done
	done
}

bench_report() { "$REPO/debugfs-scripts/experiment/bench.py" "$work/bench"; }

test_bench_within() { bench_rows 100.00 103.00 && exits 0 bench_report && says '103.0 (+3.00%)'; }
test_bench_missed() { bench_rows 100.00 103.10 && exits 0 bench_report && says '+3.10%) MISSED'; }

test_run_unknown_parameter() { exits 2 "$TOOLS/run.sh" compact COLOUR=red && says 'ORDER, INDEX'; }
test_run_unknown_scenario() { exits 2 "$TOOLS/run.sh" nosuch && says 'there are quick'; }
