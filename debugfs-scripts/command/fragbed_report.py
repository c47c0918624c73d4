# SPDX-License-Identifier: GPL-2.0
#
# fragbed report DIR: what "fragbed map --record" has recorded, as report.txt, report.json and
# index.html in DIR: time from left to right, a row for each chunk, coloured by how tainted it
# was. For results of a scenario, the report of that scenario.
import argparse
import json
import os

import chunk_map
import fragbed_look
import page_map
import render
import scenarios
from facts import read_facts
from fragbed_knobs import Refused
from fragbed_look import LOOKS_FILE, in_mib, size_words
from render import plural

# From which share of unmovable pages on a chunk is of this class; the last that fits.
TAINTED = [("s1", 0, "up to 0.1%"), ("s2", 0.001, "0.1% to 1%"), ("s3", 0.01, "1% to 10%"),
           ("s4", 0.1, "10% or more")]
LEGEND = [("empty", "empty"), ("clean", "clean: no unmovable pages"),
          *((name, f"tainted, {words} of it unmovable") for name, _, words in TAINTED),
          ("reserved", "reserved memory or holes, otherwise clean"),
          ("gone", "no such chunk at that time")]
ROWS_SHOWN = 24
LABELS = 5

STYLE = """
:root { --empty: #b7e4c0; --clean: #5fa772; --s1: #f6d186; --s2: #f0938f; --s3: #cf222e;
  --s4: #6e0b14; --reserved: #afb8c1; --gone: transparent; }
@media (prefers-color-scheme: dark) { :root { --empty: #1f6f34; --clean: #4ca865;
  --s1: #8a6a1c; --s2: #b5504b; --s3: #f85149; --s4: #ffb3ad; --reserved: #59636e; } }
.heat { display: grid; grid-template-columns: auto 1fr; gap: .2rem .5rem; }
.heat svg { display: block; width: 100%; height: 100%; }
.chunks { display: flex; flex-direction: column; justify-content: space-between;
  text-align: right; }
.chunks, .times, ul.legend { color: var(--faint); font-size: .8rem; line-height: 1;
  font-variant-numeric: tabular-nums; }
.times { grid-column: 2; display: flex; justify-content: space-between; }
""" + "".join(f".{name} {{ fill: var(--{name}); }}\n" for name, _ in LEGEND)


# --- reading -----------------------------------------------------------------------------


def read_looks(path):
    """(meta, looks). A last line without a newline was cut short by a crash and is ignored."""
    with open(path, encoding="utf-8") as file:
        lines = [line for line in file if line.endswith("\n")]
    if len(lines) < 2:
        raise Refused(f"fragbed: report: {path} has no look")
    try:
        meta, *looks = map(json.loads, lines)
    except ValueError as error:
        raise Refused(f"fragbed: report: {path}: {error}") from None
    return meta, [judged(look, whole_of(meta)) for look in looks]


def whole_of(meta):
    """Pages in a chunk."""
    return meta["chunk_kib"] * 1024 // meta["page_size"]


def judged(look, whole):
    """Kinds and summary anew: an older fragbed had other names for them."""
    chunks = [fragbed_look.chunk_of(row, whole) for row in look["chunks"]]
    return dict(look, chunks=chunks, summary=fragbed_look.summary_of(chunks, whole))


def class_of(row, whole):
    if row is None:
        return "gone"
    if row["kind"] != "tainted":
        return row["kind"]
    share = chunk_map.stuck(fragbed_look.as_classes(row, whole)) / whole
    return [name for name, least, _ in TAINTED if share >= least][-1]


def stuck_of(row):
    return row["unmovable"] + row["reclaimable"] if row else 0


def history(number, looks, whole):
    """One chunk over time."""
    rows = [next((row for row in look["chunks"] if row["chunk"] == number), None) for look in looks]
    stuck = [stuck_of(row) for row in rows]
    return {"chunk": number, "node": next(row["node"] for row in rows if row),
            "classes": [class_of(row, whole) for row in rows],
            "kinds": sorted({row["kind"] for row in rows if row}),
            "looks_tainted": sum(bool(row and row["kind"] == "tainted") for row in rows),
            "stuck_first": stuck[0], "stuck_least": min(stuck), "stuck_most": max(stuck),
            "stuck_last": stuck[-1]}


def build_report(folder):
    meta, looks = read_looks(os.path.join(folder, LOOKS_FILE))
    whole = whole_of(meta)
    numbers = sorted({row["chunk"] for look in looks for row in look["chunks"]})
    found = {"meta": meta,
             "looks": [{"seconds": look["seconds"], "date": look["date"],
                        "letters": page_map.letters_of(look["chunks"]), **look["summary"]} for look in looks],
             "chunks": [history(number, looks, whole) for number in numbers]}
    found["verdicts"] = verdicts(found)
    return found


# --- words ---------------------------------------------------------------------------------


def mib(found, pages):
    return in_mib(pages, found["meta"]["page_size"])


def first_and_last(found, name):
    first, last = (found["looks"][at][name] for at in (0, -1))
    return f"{first}" if first == last else f"{first}, at the end {last}"


def verdicts(found):
    looks, chunks = found["looks"], found["chunks"]
    size = size_words(found["meta"]["chunk_kib"])
    always = sum(chunk["looks_tainted"] == len(looks) for chunk in chunks)
    never = sum(not chunk["looks_tainted"] for chunk in chunks)
    stuck = [look["stuck_pages"] for look in looks]
    return [
        f"Tainted chunks of {size}: {first_and_last(found, 'tainted')}; empty: "
        f"{first_and_last(found, 'empty')}; clean: {first_and_last(found, 'clean')}.",
        f"{always} of {len(chunks)} were tainted all the time, {never} never.",
        f"Unmovable: {mib(found, min(stuck))} to {mib(found, max(stuck))} MiB; packed, the "
        f"most would fit in {plural(max(look['fits_in'] for look in looks), 'chunk')}.",
        f"Whole {size} pages that could be allocated: {first_and_last(found, 'whole_now')}; after "
        f"migrating movable pages away: {first_and_last(found, 'whole_if_moved')}; with unmovable "
        f"pages packed, too: {first_and_last(found, 'whole_if_packed')}.",
    ]


def head(found):
    meta = found["meta"]
    seconds = found["looks"][-1]["seconds"]
    node = "all nodes" if meta["node"] is None else f"node {meta['node']}"
    return [f"Memory in chunks of {size_words(meta['chunk_kib'])}, over time",
            f"fragbed {meta['fragbed']} on Linux {meta['kernel']} ({meta['kernel_build']})",
            f"{meta['memory_kib'] // 1024} MiB, {node}, page {meta['page_size']} bytes; "
            f"{plural(len(found['looks']), 'look')} in {seconds:.1f} s from "
            f"{meta['date']}",
            *fragbed_look.notes(meta)]


def evenly(values, most):
    """At most so many of them, with the first and the last."""
    if len(values) <= most:
        return values
    return [values[at * (len(values) - 1) // (most - 1)] for at in range(most)]


LOOK_HEADER = ["seconds", "empty", "clean", "tainted", "reserved", "unmovable, MiB", "would fit in"]
CHUNK_HEADER = ["chunk", "node", "was", "tainted in", "unmovable, MiB: first", "least", "most", "last"]


def look_rows(found):
    return [[f"{look['seconds']:.1f}", look["empty"], look["clean"], look["tainted"],
             look["reserved"], mib(found, look["stuck_pages"]), look["fits_in"]]
            for look in evenly(found["looks"], ROWS_SHOWN)]


def chunk_rows(found):
    total = len(found["looks"])
    return [[chunk["chunk"], chunk["node"], ", ".join(chunk["kinds"]),
             f"{chunk['looks_tainted']} of {total}",
             *(mib(found, chunk[f"stuck_{name}"]) for name in ("first", "least", "most", "last"))]
            for chunk in found["chunks"]]


def looks_title(found):
    shown = len(evenly(found["looks"], ROWS_SHOWN))
    return "Looks" if shown == len(found["looks"]) else f"Looks, {shown} of {len(found['looks'])}"


def draw(found):
    title, *facts = head(found)
    strips = [f"  {look['seconds']:>9.1f}  {look['letters']}" for look in found["looks"]]
    return render.paragraphs([
        [title] + render.indented(facts),
        ["    seconds  a letter for each chunk"] + strips, render.legend(page_map.LOOKS, False),
        [looks_title(found)] + render.table(LOOK_HEADER, look_rows(found)),
        ["Chunks"] + render.table(CHUNK_HEADER, chunk_rows(found)),
        ["Verdict"] + render.indented(found["verdicts"])])


# --- page ------------------------------------------------------------------------------------


HEIGHT = 0.92   # of a row, with a gap between chunks


def heat_map(found):
    rows = [chunk["classes"] for chunk in found["chunks"]]
    tall = min(max(len(rows) * 16, 96), 720)
    drawn = render.svg_map(rows, "; ".join(found["verdicts"]), HEIGHT, f'style="height: {tall}px"')
    return f'<div class="heat">{chunk_labels(found)}{drawn}{time_labels(found)}</div>'


def labels(kind, texts):
    return f'<div class="{kind}">' + "".join(f"<span>{text}</span>" for text in texts) + "</div>"


def chunk_labels(found):
    """The addresses of some chunks."""
    size = found["meta"]["chunk_kib"]
    chunks = evenly(found["chunks"], LABELS)
    return labels("chunks", [size_words(chunk["chunk"] * size) for chunk in chunks])


def time_labels(found):
    looks = evenly(found["looks"], LABELS)
    digits = 0 if looks[-1]["seconds"] >= 10 else 1
    return labels("times", [f"{look['seconds']:.{digits}f} s" for look in looks])


def page(found):
    title, *facts = head(found)
    seen = {name for chunk in found["chunks"] for name in chunk["classes"]}
    return render.page(title, facts, STYLE, [
        render.html_list(found["verdicts"]),
        render.html_legend(pair for pair in LEGEND if pair[0] in seen), heat_map(found),
        render.html_heading(looks_title(found)), render.html_table(LOOK_HEADER, look_rows(found)),
        render.html_heading("Chunks"), render.html_table(CHUNK_HEADER, chunk_rows(found))])


# --- the command -------------------------------------------------------------------------------


def report_recorded(folder, as_json):
    found = build_report(folder)
    render.save(folder, found, draw(found), page(found))
    print(json.dumps(found, indent=1) if as_json
          else f"{draw(found)}\n\n  {os.path.join(folder, 'index.html')}")
    return 0


def main(argv):
    parser = argparse.ArgumentParser(prog="fragbed report")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-color", action="store_true")
    parser.add_argument("folder", metavar="DIR")
    options = parser.parse_args(argv)
    if os.path.exists(os.path.join(options.folder, LOOKS_FILE)):
        return report_recorded(options.folder, options.json)
    scenario = read_facts(os.path.join(options.folder, "meta")).get("scenario")
    module = scenarios.report_module(scenario) if scenario in scenarios.names() else None
    if module:
        return module.show(options.folder, options.json, render.may_colour(options.no_color))
    raise Refused(f"fragbed: report: {options.folder} has nothing to report on: 'fragbed map --record' "
                  "leaves a folder that has, and so do some scenarios")
