#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# report.py [--json] [--no-color] FOLDER
#
# Reads FOLDER/raw, which scenario.sh left, into one object; writes it to
# FOLDER/report.json and prints it. With --json the object itself is printed.
import argparse
import json
import os
import sys

MAP_COLUMNS = ["node", "pfn", "pages", "free", "movable", "unmovable", "reclaimable",
               "reserved", "free_blocks", "label_unmovable", "label_movable",
               "label_reclaimable", "label_other", "spb"]
CELLS_PER_LINE = 32

# What a chunk looks like: letter, colour, meaning. The first rule that fits.
LOOKS = [
    ("#", "90", "reserved by the kernel",
     lambda row: row["reserved"] > row["pages"] // 2),
    (".", "32", "free, all of it",
     lambda row: row["free"] == row["pages"]),
    ("U", "41;97", "unmovable or reclaimable, more than half",
     lambda row: row["unmovable"] + row["reclaimable"] > row["pages"] // 2),
    ("u", "31", "some unmovable or reclaimable pages: cannot be emptied",
     lambda row: row["unmovable"] + row["reclaimable"] > 0),
    ("M", "44;97", "movable, more than half",
     lambda row: row["movable"] > row["pages"] // 2),
    ("m", "33", "movable pages scattered in free memory: can be emptied",
     lambda row: row["movable"] > 0),
    ("r", "90", "free but for reserved pages", lambda row: True),
]


def number_or_text(text):
    try:
        return int(text)
    except ValueError:
        return text


def facts_of(lines):
    """From lines of "name value", numbers as numbers."""
    parts = (line.rstrip("\n").partition(" ") for line in lines)
    return {name: number_or_text(value) for name, _, value in parts}


def read_facts(path):
    with open(path, encoding="utf-8") as file:
        return facts_of(file)


def read_facts_of_folder(folder):
    if not os.path.isdir(folder):
        return []
    return [read_facts(os.path.join(folder, name)) for name in sorted(os.listdir(folder))]


def read_table(path):
    with open(path, encoding="utf-8") as file:
        return [line.split() for line in file if not line.startswith("#")]


def read_map(path):
    """Of the node the scenario worked on."""
    rows = [dict(zip(MAP_COLUMNS, map(int, row))) for row in read_table(path)]
    return [row for row in rows if row["node"] == 0]


def read_index(path):
    """{zone: [permille at order 0, 1, ...]} of each zone, by node and name."""
    return {f"{row[0]}:{row[1]}": [int(cell) for cell in row[2:]] for row in read_table(path)}


def read_snapshots(raw):
    snapshots = {}
    for name in ("initial", "fragmented", "before_sweep", "compacted", "released"):
        folder = os.path.join(raw, name)
        if os.path.isdir(folder):
            snapshots[name] = {"map": read_map(os.path.join(folder, "map")),
                               "index": read_index(os.path.join(folder, "index"))}
    return snapshots


def read_optional(raw, name):
    path = os.path.join(raw, name)
    return read_facts(path) if os.path.exists(path) else {}


def sum_of(rows, name):
    return sum(row[name] for row in rows)


def summarize_sweep(rows):
    """Gained blocks are counted by the allocator's own free-block figure."""
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
        "meta": read_facts(os.path.join(raw, "meta")),
        "fragment": read_optional(raw, "fragment"),
        "kernel_index": read_optional(raw, "kernel_index"),
        "rows": read_facts_of_folder(os.path.join(raw, "rows")),
        "sweep_rows": sweep,
        "sweep": summarize_sweep(sweep),
        "refused": read_optional(raw, "refused"),
        "memory": read_optional(raw, "memory"),
        "snapshots": read_snapshots(raw),
        "end": read_optional(raw, "end"),
    }
    report["verdicts"] = verdicts(report)
    return report


# --- words -------------------------------------------------------------------


def daemon_at_work(row):
    return row["delta_compact_daemon_migrate_scanned"] > 0


def row_verdict(row):
    """One row in words, from counters only."""
    promoted = row["entered"] and row["compact_order"] > row["order"]
    words = []
    if row["result_name"] == "deferred":
        words.append("put off: compaction failed here recently")
    elif not row["entered"]:
        words.append("compaction was not entered")
    elif row["got_page"] and row["captured"]:
        words.append("served by capture, no free list involved")
    elif row["got_page"]:
        words.append("served from a free list")
    else:
        words.append("nothing to hand out")
    if promoted:
        words.append(f"worked at order {row['compact_order']}, the request was for {row['order']}")
    if row["moved"] == 0 and row["entered"]:
        words.append("moved nothing")
    if daemon_at_work(row):
        words.append("kcompactd was at work too, counters are shared")
    return "; ".join(words)


def fragment_verdict(report):
    done, meta = report["fragment"], report["meta"]
    if not done:
        return "FAILED: memory was not fragmented."
    kernel = min(report["kernel_index"].values(), default=0)
    return (f"Fragmented: at order {done['order']}, {done['reached_permille'] / 10:.1f}% of free memory "
            f"is unusable (was {done['before_permille'] / 10:.1f}%, wanted {meta['index'] / 10:.1f}%); "
            f"the kernel's own unusable_index says {kernel / 10:.1f}%.")


def sweep_verdict(report):
    sweep = report["sweep"]
    if not sweep["compactions"]:
        return "The sweep did not run."
    per_block = sweep["pages_moved"] / max(1, sweep["blocks_gained"])
    return (f"Emptied: {sweep['blocks_gained']} whole pageblocks by {sweep['compactions']} direct "
            f"compactions, {sweep['pages_moved']} pages moved ({per_block:.0f} per block), "
            f"{sweep['pages_failed']} would not move.")


def memory_verdict(report):
    memory = report["memory"]
    if not memory:
        return "NOT SHOWN: the run ended before memory was given back."
    lost = memory["free_before"] - memory["free_after"]
    if lost > memory["slack"]:
        return f"LEAK: {lost} pages fewer are free than before the run."
    return f"Given back: all but {max(0, lost)} pages are free again (file cache, slabs; {memory['slack']} allowed)."


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


# --- pictures ----------------------------------------------------------------


def may_colour(no_color):
    return sys.stdout.isatty() and not no_color and "NO_COLOR" not in os.environ


def paint(text, colour, use_colour):
    return f"\033[{colour}m{text}\033[0m" if use_colour and colour else text


def look_of(row):
    return next(look for look in LOOKS if look[3](row))


def map_lines(rows):
    """The map as lines of cells, each a letter and its colour."""
    cells = [look_of(row)[:2] for row in rows]
    return [cells[at:at + CELLS_PER_LINE] for at in range(0, len(cells), CELLS_PER_LINE)]


def draw_line(cells, use_colour):
    drawn = "".join(paint(letter, colour, use_colour) for letter, colour in cells)
    return drawn + " " * (CELLS_PER_LINE - len(cells))


def draw_maps(report, use_colour):
    before = report["snapshots"].get("before_sweep")
    after = report["snapshots"].get("compacted")
    if not before or not after:
        return []
    chunk = before["map"][0]["pages"] * report["meta"]["page_size"] // 2**20
    lines = [f"Memory, one letter per {chunk} MiB",
             f"  {'before the sweep':<{CELLS_PER_LINE}}   after it"]
    for left, right in zip(map_lines(before["map"]), map_lines(after["map"])):
        lines.append(f"  {draw_line(left, use_colour)}   {draw_line(right, use_colour)}")
    lines.append("")
    seen = {look_of(row)[0] for row in before["map"] + after["map"]}
    for letter, colour, meaning, _ in LOOKS:
        if letter in seen:
            counts = [sum(look_of(row)[0] == letter for row in shot["map"])
                      for shot in (before, after)]
            lines.append(f"  {paint(letter, colour, use_colour)} {meaning}: "
                         f"{counts[0]} before, {counts[1]} after")
    return lines


def table(header, rows):
    """Numbers to the right, words to the left, as wide as needed."""
    cells = [header] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    numeric = [all(row[i].replace(".", "").lstrip("-<").isdigit() for row in cells[1:])
               for i in range(len(header))]
    lines = []
    for line in cells:
        padded = [cell.rjust(width) if right else cell.ljust(width)
                  for cell, width, right in zip(line, widths, numeric)]
        lines.append(("  " + "  ".join(padded)).rstrip())
    return lines


def row_cells(number, row):
    return [number, row["order"], row["type"], row["prio"], row["nofragment"],
            row["result_name"], "yes" if row["got_page"] else "no",
            "yes" if row["captured"] else "no", row["compact_order"] if row["entered"] else "-",
            row["free_blocks_after"] - row["free_blocks_before"], row["delta_pgmigrate_success"],
            row["delta_compact_migrate_scanned"], f"{row['ns'] / 1e6:.2f}"]


def draw_rows(report):
    rows = report["rows"]
    if not rows:
        return []
    header = ["#", "order", "type", "prio", "nofragment", "result", "page", "captured",
              "worked at", "blocks freed", "pages moved", "pages scanned", "ms"]
    lines = ["Direct compaction, each on memory fragmented anew to the target"]
    lines += table(header, [row_cells(i, row) for i, row in enumerate(rows, 1)])
    lines.append("")
    lines += [f"  {i}: {row_verdict(row)}" for i, row in enumerate(rows, 1)]
    return lines


def draw_fragment(report):
    done = report["fragment"]
    if not done:
        return []
    return ["Fragmentation"] + table(
        ["order", "index before", "reached", "target", "kept unmovable", "kept movable",
         "fell back", "missed", "pages visited", "ms"],
        [[done["order"], done["before_permille"], done["reached_permille"],
          done["target_permille"], done["kept_unmovable"], done["kept_movable"],
          done["fallbacks"], done["misses"], done["pages_visited"], f"{done['ns'] / 1e6:.0f}"]]
    ) + ["  index in permille of free memory that is unusable at the order, the rest in pages"]


def draw_head(report):
    meta = report["meta"]
    return [f"fragbed {meta['fragbed']} on Linux {meta['kernel']} ({meta['kernel_build']})",
            f"  config {meta.get('config_hash', 'unknown')}, configuration {meta.get('configuration', 'unknown')}, "
            f"memory {meta.get('mem', 'unknown')}, seed {meta['seed']}",
            f"  page {meta['page_size']} bytes, pageblock order {meta['pageblock_order']}, "
            f"largest order {meta['max_page_order']}",
            f"  command line: {meta['cmdline']}"]


def draw(report, use_colour):
    parts = [draw_head(report), draw_fragment(report), draw_rows(report),
             draw_maps(report, use_colour), ["Verdict"] + ["  " + v for v in report["verdicts"]]]
    return "\n\n".join("\n".join(part) for part in parts if part)


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-color", action="store_true")
    parser.add_argument("folder")
    args = parser.parse_args(argv)
    report = build_report(args.folder)
    text = json.dumps(report, indent=1)
    with open(os.path.join(args.folder, "report.json"), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    print(text if args.json else draw(report, may_colour(args.no_color)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
