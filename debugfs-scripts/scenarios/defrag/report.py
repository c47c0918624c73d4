#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# report.py [--json] [--no-color] FOLDER
#
# The report on what guest.sh left in FOLDER: a strip of superpageblocks for each step, and
# what defragmentation and evacuation moved. Leaves FOLDER/index.html, FOLDER/report.txt and
# FOLDER/report.json.
import html
import json
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))

import render  # noqa: E402
from facts import read_answers, read_facts, read_table  # noqa: E402
from render import Look  # noqa: E402

# What a superpageblock looks like.
LOOKS = [
    Look(".", "32", "empty", "empty: can be one huge page"),
    Look("m", "33", "clean", "clean: no unmovable pages"),
    Look("T", "41;97", "tainted", "tainted, with movable pages that could be migrated"),
    Look("t", "31", "rest", "tainted, without movable pages"),
    Look("#", "90", "holes", "not usable: holes or reserved pages only"),
]
CLASS_OF = {look.letter: look.name for look in LOOKS}

STEPS = {
    "start": "before the first round",
    "fill": "memory filled with movable pages",
    "taint": "some tainted on purpose",
    "load": "unmovable load, background defrag",
    "defrag": "spb/defrag spb=tainted",
    "free": "unmovable and some movable pages freed",
    "evacuate": "spb/evacuate spb=clean",
    "end": "all pages freed",
}

COUNTS_SHOWN = ["became_tainted", "became_clean", "became_tainted_too_early", "held_back",
                "refused", "defrag_runs", "defrag_moved_pages", "shrink_runs"]

STYLE = """
:root { --empty: #b7e4c0; --clean: #f2cc60; --tainted: #cf222e; --rest: #f0938f;
  --holes: #8c959f; }
@media (prefers-color-scheme: dark) { :root { --empty: #1f6f34; --clean: #b08a1e;
  --tainted: #f85149; --rest: #8e3a37; --holes: #59636e; } }
.counts, .when { color: var(--faint); }
.step { display: grid; grid-template-columns: 17rem 1fr 13rem; gap: .2rem .8rem;
  align-items: center; padding: .2rem 0; }
.when { font-variant-numeric: tabular-nums; }
.counts { font-size: .85rem; }
svg { display: block; width: 100%; height: 1.5rem; }
.empty { fill: var(--empty); } .clean { fill: var(--clean); }
.tainted { fill: var(--tainted); } .rest { fill: var(--rest); } .holes { fill: var(--holes); }
@media (max-width: 48rem) { .step { grid-template-columns: 1fr; padding: .5rem 0; } }
"""


# --- reading -------------------------------------------------------------------------


def read_states(path):
    """A dict for each step: seconds, round, step, letters, counters."""
    states = []
    for seconds, number, step, letters, *counters in read_table(path):
        pairs = (counter.split("=") for counter in counters)
        states.append({"seconds": float(seconds), "round": int(number), "step": step,
                       "letters": letters,
                       "counters": {name: int(value) for name, value in pairs}})
    return states


def read_rounds(path):
    """{round: how many are empty before and after evacuation, and how many could be}"""
    names = ("before", "most", "reached")
    return {int(number): dict(zip(names, map(int, counts)))
            for number, *counts in (read_table(path) if os.path.exists(path) else [])}


def build_report(folder):
    report = {
        "meta": read_facts(os.path.join(folder, "meta")),
        "states": read_states(os.path.join(folder, "states")),
        "answers": read_answers(os.path.join(folder, "answers")),
        "rounds": read_rounds(os.path.join(folder, "rounds")),
    }
    report["verdicts"] = verdicts(report)
    return report


# --- words ---------------------------------------------------------------------------


def counts_of(letters):
    tainted = letters.count("T") + letters.count("t")
    return f"{letters.count('.')} empty, {letters.count('m')} clean, {tainted} tainted"


def answer_value(report, number, knob, name):
    return report["answers"].get(number, {}).get(knob, {}).get(name, "-")


def milliseconds(report, number, knob):
    ns = answer_value(report, number, knob, "ns")
    return "-" if ns == "-" else f"{ns / 1e6:.1f}"


DEFRAG_HEADER = ["round", "tainted", "pages moved", "pinned", "busy", "no target", "fixed", "ms"]
EVACUATE_HEADER = ["round", "empty before", "empty after", "possible", "pages moved", "emptied",
                   "not emptied", "ms"]


def defrag_rows(report):
    return [[number] + [answer_value(report, number, "defrag", name) for name in
                        ("spbs", "pages", "pinned", "busy", "no_target", "fixed")]
            + [milliseconds(report, number, "defrag")]
            for number in report["answers"]]


def evacuate_rows(report):
    return [[number, row["before"], row["reached"], row["most"]]
            + [answer_value(report, number, "evacuate", name)
               for name in ("pages", "emptied", "not_emptied")]
            + [milliseconds(report, number, "evacuate")]
            for number, row in report["rounds"].items()]


def counter_rows(report):
    first, last = report["states"][0]["counters"], report["states"][-1]["counters"]
    return [[name, first[name], last[name], last[name] - first[name]]
            for name in COUNTS_SHOWN if name in first and name in last]


def obstacles(report):
    return [f"round {number}: {line}" for number, answers in report["answers"].items()
            for line in answers.get("evacuate", {}).get("in_the_way", [])]


def verdicts(report):
    lines = []
    for number, row in report["rounds"].items():
        lines.append(f"Round {number}: {row['reached']} superpageblocks are empty after evacuation, "
                     f"{row['before']} were empty before it, {row['most']} could be.")
    moved = [answers["defrag"]["pages"] for answers in report["answers"].values()
             if "defrag" in answers]
    if moved:
        lines.append(f"Defragmentation on demand moved {sum(moved)} pages out of tainted superpageblocks.")
    status = report["meta"].get("status")
    if status is None:
        lines.append("FAILED: the run did not reach its end.")
    elif status or report["meta"].get("exit_code"):
        lines.append("FAILED: see the messages of the run.")
    else:
        lines.append("The records are correct after each step, all memory is free again, the kernel log is clean.")
    return lines


def head(report):
    meta = report["meta"]
    size = meta["spb_pages"] * meta["page_size"] / 2**20
    return ["Superpageblocks: tainted ones defragmented, clean ones evacuated",
            f"Linux {meta['kernel']}, configuration {meta.get('configuration', 'unknown')}, {meta['rounds']} rounds, seed {meta['seed']}, "
            f"{meta['percent']}% of memory filled, a letter for each {size:g} MiB",
            f"make run SCENARIO=defrag ROUNDS={meta['rounds']} SEED={meta['seed']} PERCENT={meta['percent']}"]


# --- terminal ------------------------------------------------------------------------


COUNTER_HEADER = ["counter", "at the start", "at the end", "difference"]


def tables(report):
    """(title, header, rows)"""
    return [("Defragmentation of the tainted ones", DEFRAG_HEADER, defrag_rows(report)),
            ("Evacuation of the clean ones", EVACUATE_HEADER, evacuate_rows(report)),
            ("Counters", COUNTER_HEADER, counter_rows(report))]


def strip_lines(report, use_colour):
    return [f"  {state['round']:>5}  {state['seconds']:>7.2f}  {state['step']:<8}  "
            f"{render.letters(state['letters'], LOOKS, use_colour)}" for state in report["states"]]


def text_of(report, use_colour):
    first, *facts = head(report)
    return render.paragraphs([
        [first] + render.indented(facts),
        ["  round  seconds  step"] + strip_lines(report, use_colour),
        render.legend(LOOKS, use_colour),
        *([title] + render.table(header, rows) for title, header, rows in tables(report)),
        ["In the way of evacuation"] + render.indented(obstacles(report)) if obstacles(report) else [],
        ["Verdict"] + render.indented(report["verdicts"]),
    ])


# --- page ----------------------------------------------------------------------------


def html_step(state):
    meaning = html.escape(STEPS.get(state["step"], state["step"]))
    letters, counts = state["letters"], counts_of(state["letters"])
    strip = render.svg_map([[CLASS_OF[letter] for letter in letters]], counts,
                           style='shape-rendering="crispEdges"')
    return (f'<div class="step"><span class="when">{state["seconds"]:.2f} s &nbsp; {meaning}</span>'
            f'{strip}<span class="counts">{counts}</span></div>')


def html_rounds(report):
    lines, seen = [], None
    for state in report["states"]:
        if state["step"] != "end" and state["round"] != seen:
            seen = state["round"]
            lines.append(render.html_heading(f"Round {seen}" if seen else "Start"))
        lines.append(html_step(state))
    return lines


def page(report):
    title, *facts = head(report)
    parts = [render.html_list(report["verdicts"]),
             render.html_legend((look.name, look.meaning) for look in LOOKS), *html_rounds(report)]
    for name, header, rows in tables(report):
        parts += [render.html_heading(name), render.html_table(header, rows)]
    if obstacles(report):
        parts += [render.html_heading("In the way of evacuation"), render.html_list(obstacles(report))]
    return render.page(title, facts, STYLE, parts)


def show(folder, as_json=False, use_colour=False):
    if not os.path.exists(os.path.join(folder, "states")):
        print(f"{folder}: the guest left nothing to report on")
        return 1
    report = build_report(folder)
    render.save(folder, report, text_of(report, False), page(report))
    print(json.dumps(report, indent=1) if as_json else text_of(report, use_colour))
    if not as_json:
        print(f"\n  {os.path.join(folder, 'index.html')}")
    return 0


if __name__ == "__main__":
    render.report_main(show)
