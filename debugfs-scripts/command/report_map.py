# SPDX-License-Identifier: GPL-2.0
#
# fragbed report DIR: what "fragbed map --record" kept, as report.txt, report.json and
# index.html in DIR, which needs nothing else: time from left to right, a row for each chunk,
# coloured by how spoiled it was. What the scenarios leave has reports of its own.
import argparse
import html
import json
import os

import chunk_map
import fragbed_map
import report
import report_defrag
import web_page
from fragbed_knobs import Refused
from report import table

# From which share of a chunk that cannot move on it is of this class; the last that fits.
SPOILED = [("s1", 0, "up to 0.1%"), ("s2", 0.001, "0.1% to 1%"), ("s3", 0.01, "1% to 10%"),
           ("s4", 0.1, "10% or more")]
LEGEND = [("free", "wholly free"), ("clean", "clean: only what can move"),
          *((name, f"spoiled, {words} of it cannot move") for name, _, words in SPOILED),
          ("reserved", "reserved memory or holes, else clean"), ("gone", "no such chunk then")]
ROWS_SHOWN = 24
LABELS = 5

STYLE = """
:root { --free: #b7e4c0; --clean: #5fa772; --s1: #f6d186; --s2: #f0938f; --s3: #cf222e;
  --s4: #6e0b14; --reserved: #afb8c1; --gone: transparent; }
@media (prefers-color-scheme: dark) { :root { --free: #1f6f34; --clean: #4ca865;
  --s1: #8a6a1c; --s2: #b5504b; --s3: #f85149; --s4: #ffb3ad; --reserved: #59636e; } }
.heat { display: grid; grid-template-columns: auto 1fr; gap: .2rem .5rem; }
.heat svg { display: block; width: 100%; height: 100%; }
.chunks { display: flex; flex-direction: column; justify-content: space-between;
  text-align: right; }
.chunks, .times, ul.legend { color: var(--faint); font-size: .8rem; line-height: 1;
  font-variant-numeric: tabular-nums; }
.times { grid-column: 2; display: flex; justify-content: space-between; }
ul.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; }
ul.legend svg { width: 1rem; height: 1rem; vertical-align: -.2rem; }
""" + "".join(f".{name} {{ fill: var(--{name}); }}\n" for name, _ in LEGEND)


# --- reading -----------------------------------------------------------------------------


def read_looks(path):
    """(meta, looks). A last line that was cut short by a crash does not count."""
    with open(path, encoding="utf-8") as file:
        lines = [line for line in file if line.endswith("\n")]
    if len(lines) < 2:
        raise Refused(f"fragbed: report: {path} has no look")
    try:
        meta, *looks = map(json.loads, lines)
    except ValueError as error:
        raise Refused(f"fragbed: report: {path}: {error}") from None
    return meta, looks


def class_of(row, whole):
    if row is None:
        return "gone"
    if row["kind"] != "spoiled":
        return row["kind"]
    share = chunk_map.stuck(fragbed_map.as_classes(row, whole)) / whole
    return [name for name, least, _ in SPOILED if share >= least][-1]


def stuck_of(row):
    return row["unmovable"] + row["reclaimable"] if row else 0


def history(number, looks, whole):
    """One chunk over time."""
    rows = [next((row for row in look["chunks"] if row["chunk"] == number), None) for look in looks]
    stuck = [stuck_of(row) for row in rows]
    return {"chunk": number, "node": next(row["node"] for row in rows if row),
            "classes": [class_of(row, whole) for row in rows],
            "kinds": sorted({row["kind"] for row in rows if row}),
            "looks_spoiled": sum(bool(row and row["kind"] == "spoiled") for row in rows),
            "stuck_first": stuck[0], "stuck_least": min(stuck), "stuck_most": max(stuck),
            "stuck_last": stuck[-1]}


def letters_of(look):
    return "".join(report.look_of(row)[0] for row in look["chunks"])


def build_report(folder):
    meta, looks = read_looks(os.path.join(folder, fragbed_map.LOOKS_FILE))
    whole = meta["chunk_kib"] * 1024 // meta["page_size"]
    numbers = sorted({row["chunk"] for look in looks for row in look["chunks"]})
    found = {"meta": meta,
             "looks": [{"seconds": look["seconds"], "date": look["date"],
                        "letters": letters_of(look), **look["summary"]} for look in looks],
             "chunks": [history(number, looks, whole) for number in numbers]}
    found["verdicts"] = verdicts(found)
    return found


# --- words ---------------------------------------------------------------------------------


def mib(found, pages):
    return fragbed_map.in_mib(pages, found["meta"]["page_size"])


def first_and_last(found, name):
    first, last = (found["looks"][at][name] for at in (0, -1))
    return f"{first}" if first == last else f"{first}, at the end {last}"


def verdicts(found):
    looks, chunks = found["looks"], found["chunks"]
    size = fragbed_map.size_words(found["meta"]["chunk_kib"])
    always = sum(chunk["looks_spoiled"] == len(looks) for chunk in chunks)
    never = sum(not chunk["looks_spoiled"] for chunk in chunks)
    stuck = [look["stuck_pages"] for look in looks]
    return [
        f"Spoiled chunks of {size}: {first_and_last(found, 'spoiled')}; wholly free: "
        f"{first_and_last(found, 'free')}; clean: {first_and_last(found, 'clean')}.",
        f"{always} of {len(chunks)} were spoiled all the time, {never} never.",
        f"What cannot move: {mib(found, min(stuck))} to {mib(found, max(stuck))} MiB; packed, the "
        f"most would fit in {fragbed_map.plural(max(look['fits_in'] for look in looks), 'chunk')}.",
        f"Whole {size} pages to be had: {first_and_last(found, 'whole_now')}; if what can move "
        f"were moved away: {first_and_last(found, 'whole_if_moved')}; the rest packed as well: "
        f"{first_and_last(found, 'whole_if_packed')}.",
    ]


def head(found):
    meta = found["meta"]
    seconds = found["looks"][-1]["seconds"]
    node = "all nodes" if meta["node"] is None else f"node {meta['node']}"
    return [f"Memory in chunks of {fragbed_map.size_words(meta['chunk_kib'])}, over time",
            f"fragbed {meta['fragbed']} on Linux {meta['kernel']} ({meta['kernel_build']})",
            f"{meta['memory_kib'] // 1024} MiB, {node}, page {meta['page_size']} bytes; "
            f"{fragbed_map.plural(len(found['looks']), 'look')} in {seconds:.1f} s from "
            f"{meta['date']}",
            *fragbed_map.notes(meta)]


def evenly(values, most):
    """So many of them, with the first and the last."""
    if len(values) <= most:
        return values
    return [values[at * (len(values) - 1) // (most - 1)] for at in range(most)]


LOOK_HEADER = ["seconds", "wholly free", "clean", "spoiled", "reserved", "cannot move, MiB",
               "would fit in"]
CHUNK_HEADER = ["chunk", "node", "was", "spoiled in", "cannot move, MiB: first", "least", "most",
                "last"]


def look_rows(found):
    return [[f"{look['seconds']:.1f}", look["free"], look["clean"], look["spoiled"],
             look["reserved"], mib(found, look["stuck_pages"]), look["fits_in"]]
            for look in evenly(found["looks"], ROWS_SHOWN)]


def chunk_rows(found):
    total = len(found["looks"])
    return [[chunk["chunk"], chunk["node"], ", ".join(chunk["kinds"]),
             f"{chunk['looks_spoiled']} of {total}",
             *(mib(found, chunk[f"stuck_{name}"]) for name in ("first", "least", "most", "last"))]
            for chunk in found["chunks"]]


def looks_title(found):
    shown = len(evenly(found["looks"], ROWS_SHOWN))
    return "Looks" if shown == len(found["looks"]) else f"Looks, {shown} of {len(found['looks'])}"


def draw(found):
    title, *facts = head(found)
    strips = [f"  {look['seconds']:>9.1f}  {look['letters']}" for look in found["looks"]]
    legend = [f"  {letter} {meaning}" for letter, _, meaning, _ in report.LOOKS]
    parts = [[title] + ["  " + line for line in facts],
             ["    seconds  a letter for each chunk"] + strips, legend,
             [looks_title(found)] + table(LOOK_HEADER, look_rows(found)),
             ["Chunks"] + table(CHUNK_HEADER, chunk_rows(found)),
             ["Verdict"] + ["  " + line for line in found["verdicts"]]]
    return "\n\n".join("\n".join(part) for part in parts)


# --- page ------------------------------------------------------------------------------------


HEIGHT = 0.92   # of a row, so that chunks can be told apart


def rects(row, classes):
    """Neighbours of the same colour are one: looks may be many."""
    return "".join(f'<rect class="{name}" x="{at}" y="{row}" width="{nr}" height="{HEIGHT}"/>'
                   for name, at, nr in report_defrag.runs_of(classes))


def heat_map(found):
    chunks, columns = found["chunks"], len(found["looks"])
    drawn = "".join(rects(row, chunk["classes"]) for row, chunk in enumerate(chunks))
    label = html.escape("; ".join(found["verdicts"]))
    tall = min(max(len(chunks) * 16, 96), 720)
    return (f'<div class="heat">{chunk_labels(found)}'
            f'<svg viewBox="0 0 {columns} {len(chunks)}" preserveAspectRatio="none" role="img" '
            f'aria-label="{label}" style="height: {tall}px">{drawn}</svg>'
            f'{time_labels(found)}</div>')


def labels(kind, texts):
    return f'<div class="{kind}">' + "".join(f"<span>{text}</span>" for text in texts) + "</div>"


def chunk_labels(found):
    """Addresses."""
    size = found["meta"]["chunk_kib"]
    chunks = evenly(found["chunks"], LABELS)
    return labels("chunks", [fragbed_map.size_words(chunk["chunk"] * size) for chunk in chunks])


def time_labels(found):
    looks = evenly(found["looks"], LABELS)
    digits = 0 if looks[-1]["seconds"] >= 10 else 1
    return labels("times", [f"{look['seconds']:.{digits}f} s" for look in looks])


def legend_html(found):
    seen = {name for chunk in found["chunks"] for name in chunk["classes"]}
    items = "".join(f'<li><svg viewBox="0 0 1 1" aria-hidden="true"><rect class="{name}" width="1" '
                    f'height="1"/></svg> {html.escape(meaning)}</li>'
                    for name, meaning in LEGEND if name in seen)
    return f'<ul class="legend">{items}</ul>'


def page(found):
    title, *facts = head(found)
    parts = [report_defrag.html_list(found["verdicts"]), legend_html(found), heat_map(found),
             report_defrag.html_table(looks_title(found), LOOK_HEADER, look_rows(found)),
             report_defrag.html_table("Chunks", CHUNK_HEADER, chunk_rows(found))]
    return web_page.page(title, facts, STYLE, parts)


# --- the command -------------------------------------------------------------------------------


def report_recorded(folder, as_json):
    found = build_report(folder)
    text = json.dumps(found, indent=1)
    web_page.write(folder, "report.txt", draw(found) + "\n")
    web_page.write(folder, "report.json", text + "\n")
    web_page.write(folder, "index.html", page(found))
    print(text if as_json else f"{draw(found)}\n\n  {os.path.join(folder, 'index.html')}")
    return 0


def command(argv):
    parser = argparse.ArgumentParser(prog="fragbed report")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("folder", metavar="DIR")
    options = parser.parse_args(argv)
    if os.path.exists(os.path.join(options.folder, fragbed_map.LOOKS_FILE)):
        return report_recorded(options.folder, options.json)
    if os.path.isdir(os.path.join(options.folder, "raw")):
        return report.main([options.folder] + ["--json"] * options.json)
    if os.path.exists(os.path.join(options.folder, "states")):
        return report_defrag.main([options.folder])
    raise Refused(f"fragbed: report: {options.folder} is no recorded folder: 'fragbed map "
                  "--record' leaves one, so do the scenarios compact and defrag")
