#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# report.py [--json] [--no-color] FOLDER
#
# The report on what guest.sh left in FOLDER: fragmentation, direct compactions, maps before
# and after the sweep, verdict. Leaves FOLDER/report.json and FOLDER/report.txt.
import json
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))

import page_map  # noqa: E402
import render  # noqa: E402
from facts import read_facts, read_facts_of_folder, read_table  # noqa: E402

SNAPSHOTS = ("initial", "fragmented", "before_sweep", "compacted", "released")


# --- reading -------------------------------------------------------------------------


def read_index(path):
    """{node:zone: [permille at order 0, 1, ...]}"""
    return {f"{row[0]}:{row[1]}": [int(cell) for cell in row[2:]] for row in read_table(path)}


def read_snapshots(raw):
    snapshots = {}
    for name in SNAPSHOTS:
        folder = os.path.join(raw, name)
        if os.path.isdir(folder):
            snapshots[name] = {"map": page_map.read_map(os.path.join(folder, "map")),
                               "index": read_index(os.path.join(folder, "index"))}
    return snapshots


def sum_of(rows, name):
    return sum(row[name] for row in rows)


def summarize_sweep(rows):
    """The gained blocks are counted by the allocator's own number of free blocks."""
    return {
        "compactions": len(rows),
        "blocks_gained": sum(max(0, row["free_blocks_after"] - row["free_blocks_before"])
                             for row in rows),
        "pages_moved": sum_of(rows, "delta_pgmigrate_success"),
        "pages_failed": sum_of(rows, "delta_pgmigrate_fail"),
        "pages_scanned": sum_of(rows, "delta_compact_migrate_scanned"),
        "ns": sum_of(rows, "ns"),
    }


def build_report(folder):
    raw = os.path.join(folder, "raw")
    sweep = read_facts_of_folder(os.path.join(raw, "sweep"))
    report = {
        "meta": read_facts(os.path.join(folder, "meta")),
        **{name: read_facts(os.path.join(raw, name))
           for name in ("fragment", "kernel_index", "refused", "memory", "end")},
        "rows": read_facts_of_folder(os.path.join(raw, "rows")),
        "sweep_rows": sweep,
        "sweep": summarize_sweep(sweep),
        "snapshots": read_snapshots(raw),
    }
    report["verdicts"] = verdicts(report)
    return report


# --- words -------------------------------------------------------------------


def daemon_at_work(row):
    return row["delta_compact_daemon_migrate_scanned"] > 0


def row_verdict(row):
    """One row in words, from its counters only."""
    promoted = row["entered"] and row["compact_order"] > row["order"]
    words = []
    if row["result_name"] == "deferred":
        words.append("deferred: compaction failed here recently")
    elif not row["entered"]:
        words.append("compaction was not entered")
    elif row["got_page"] and row["captured"]:
        words.append("captured the page, without a free list")
    elif row["got_page"]:
        words.append("allocated from a free list")
    else:
        words.append("no page was allocated")
    if promoted:
        words.append(f"compacted for order {row['compact_order']}, the request was for order {row['order']}")
    if row["moved"] == 0 and row["entered"]:
        words.append("moved no page")
    if daemon_at_work(row):
        words.append("kcompactd ran too, the counters include its work")
    return "; ".join(words)


def fragment_verdict(report):
    done, meta = report["fragment"], report["meta"]
    if not done:
        return "FAILED: memory was not fragmented."
    kernel = min(report["kernel_index"].values(), default=0)
    return (f"Fragmented: at order {done['order']}, {done['reached_permille'] / 10:.1f}% of free memory "
            f"is unusable (it was {done['before_permille'] / 10:.1f}%, the target was {meta['index'] / 10:.1f}%); "
            f"the kernel's own unusable_index says {kernel / 10:.1f}%.")


def sweep_verdict(report):
    sweep = report["sweep"]
    if not sweep["compactions"]:
        return "The sweep did not run."
    per_block = sweep["pages_moved"] / max(1, sweep["blocks_gained"])
    return (f"Emptied: {sweep['blocks_gained']} whole pageblocks by {sweep['compactions']} direct "
            f"compactions, {sweep['pages_moved']} pages moved ({per_block:.0f} per block), "
            f"{sweep['pages_failed']} could not be moved.")


def memory_verdict(report):
    memory = report["memory"]
    if not memory:
        return "NOT SHOWN: the run ended before all memory was freed."
    lost = memory["free_before"] - memory["free_after"]
    if lost > memory["slack"]:
        return f"LEAK: {lost} pages fewer are free than before the run."
    return f"Freed: all but {max(0, lost)} pages are free again (page cache, slabs; {memory['slack']} allowed)."


def end_verdict(report):
    end = report["end"]
    if not end:
        return "FAILED: the run did not reach its end."
    if end["status"]:
        return "FAILED: see the messages above and raw/dmesg."
    return "The kernel log is clean: no WARN, BUG, lockdep report, bad page or leak."


def verdicts(report):
    if report["refused"]:
        return [f"REFUSED, this run does not count: {report['refused']['reason']}."]
    return [fragment_verdict(report), sweep_verdict(report), memory_verdict(report),
            end_verdict(report)]


# --- drawing -------------------------------------------------------------------------


def head_lines(report):
    meta = report["meta"]
    return [f"fragbed {meta['fragbed']} on Linux {meta['kernel']} ({meta['kernel_build']})",
            f"  config {meta.get('config_hash', 'unknown')}, configuration {meta.get('configuration', 'unknown')}, "
            f"memory {meta.get('mem', 'unknown')}, seed {meta['seed']}",
            f"  page {meta['page_size']} bytes, pageblock order {meta['pageblock_order']}, "
            f"largest order {meta['max_page_order']}",
            f"  command line: {meta['cmdline']}"]


def fragment_lines(report):
    done = report["fragment"]
    if not done:
        return []
    return ["Fragmentation"] + render.table(
        ["order", "index before", "reached", "target", "kept unmovable", "kept movable",
         "fallbacks", "misses", "pages visited", "ms"],
        [[done["order"], done["before_permille"], done["reached_permille"],
          done["target_permille"], done["kept_unmovable"], done["kept_movable"],
          done["fallbacks"], done["misses"], done["pages_visited"], f"{done['ns'] / 1e6:.0f}"]]
    ) + ["  index: permille of free memory that is unusable at the order; the rest: pages"]


ROW_HEADER = ["#", "order", "type", "prio", "nofragment", "result", "page", "captured",
              "compacted for", "blocks freed", "pages moved", "pages scanned", "ms"]


def row_cells(number, row):
    return [number, row["order"], row["type"], row["prio"], row["nofragment"],
            row["result_name"], "yes" if row["got_page"] else "no",
            "yes" if row["captured"] else "no", row["compact_order"] if row["entered"] else "-",
            row["free_blocks_after"] - row["free_blocks_before"], row["delta_pgmigrate_success"],
            row["delta_compact_migrate_scanned"], f"{row['ns'] / 1e6:.2f}"]


def row_lines(report):
    rows = report["rows"]
    if not rows:
        return []
    lines = ["Direct compaction; before each one memory is fragmented to the target again"]
    lines += render.table(ROW_HEADER, [row_cells(i, row) for i, row in enumerate(rows, 1)])
    lines.append("")
    return lines + [f"  {i}: {row_verdict(row)}" for i, row in enumerate(rows, 1)]


def map_lines(report, use_colour):
    shots = [report["snapshots"].get(name) for name in ("before_sweep", "compacted")]
    if not all(shots):
        return []
    before, after = (page_map.letters_of(shot["map"]) for shot in shots)
    chunk = shots[0]["map"][0]["pages"] * report["meta"]["page_size"] // 2**20
    lines = [f"Memory, one letter per {chunk} MiB",
             f"  {'before the sweep':<{render.LETTERS_A_LINE}}   after it"]
    lines += [f"  {left}   {right}" for left, right in zip(
        *(render.map_lines(text, page_map.LOOKS, use_colour) for text in (before, after)))]
    return lines + [""] + render.legend(
        [look for look in page_map.LOOKS if look.letter in before + after], use_colour,
        lambda look: f": {before.count(look.letter)} before, {after.count(look.letter)} after")


def text_of(report, use_colour):
    return render.paragraphs([
        head_lines(report), fragment_lines(report), row_lines(report),
        map_lines(report, use_colour), ["Verdict"] + render.indented(report["verdicts"])])


def show(folder, as_json=False, use_colour=False):
    if not os.path.exists(os.path.join(folder, "meta")):
        print(f"{folder}: the guest left nothing to report on")
        return 1
    report = build_report(folder)
    render.save(folder, report, text_of(report, False))
    print(json.dumps(report, indent=1) if as_json else text_of(report, use_colour))
    return 0


if __name__ == "__main__":
    render.report_main(show)
