#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# report_defrag.py [--no-color] FOLDER
#
# Renders what guest.sh left in FOLDER: a strip for each step in the terminal and
# in FOLDER/report.txt, the same as FOLDER/index.html, which needs nothing else, and all
# of it in FOLDER/report.json.
import argparse
import html
import json
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))

import web_page  # noqa: E402
from report import may_colour, paint, read_facts, table  # noqa: E402

# What a superpageblock looks like: letter, terminal colour, class in the page, meaning.
LOOKS = [
    (".", "32", "empty", "empty: can be one huge page"),
    ("m", "33", "clean", "clean: holds only what can move"),
    ("T", "41;97", "tainted", "tainted, with pages that could be moved out"),
    ("t", "31", "rest", "tainted, nothing left to move"),
    ("#", "90", "holes", "not usable: holes or reserved pages only"),
]
LOOK_OF = {look[0]: look for look in LOOKS}

STEPS = {
    "start": "before anything",
    "fill": "memory filled with what can move",
    "taint": "some tainted by choice",
    "load": "load that cannot move; the background at work",
    "defrag": "spb/defrag spb=tainted",
    "free": "what cannot move given back, and some of what can",
    "evacuate": "spb/evacuate spb=clean",
    "end": "all given back",
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
ul.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; }
ul.legend svg { display: inline-block; width: 1rem; height: 1rem; vertical-align: -.15rem; }
@media (max-width: 48rem) { .step { grid-template-columns: 1fr; padding: .5rem 0; } }
"""


# --- reading -------------------------------------------------------------------------


def read_states(path):
    """A dict for each step: seconds, round, step, letters, counters."""
    states = []
    with open(path, encoding="ascii") as file:
        for line in file:
            seconds, number, step, letters, *counters = line.split()
            pairs = (counter.split("=") for counter in counters)
            states.append({"seconds": float(seconds), "round": int(number), "step": step,
                           "letters": letters,
                           "counters": {name: int(value) for name, value in pairs}})
    return states


def read_answer(path):
    """Lines of "name value"; those of what is in the way are a list."""
    answer = {"in_the_way": []}
    with open(path, encoding="ascii") as file:
        for line in file:
            name, _, value = line.rstrip("\n").partition(" ")
            if name == "in_the_way":
                answer[name].append(value)
            else:
                answer[name] = int(value) if value.isdigit() else value
    return answer


def read_answers(folder):
    """{round: {knob: answer}}"""
    answers = {}
    for name in sorted(os.listdir(folder)):
        number, _, knob = name.partition("-")
        answers.setdefault(int(number), {})[knob] = read_answer(os.path.join(folder, name))
    return answers


def read_rounds(path):
    """{round: how many are empty before and after evacuation, and how many could be}"""
    rounds = {}
    if os.path.exists(path):
        with open(path, encoding="ascii") as file:
            for line in file:
                number, before, most, reached = map(int, line.split())
                rounds[number] = {"before": before, "most": most, "reached": reached}
    return rounds


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
                     f"{row['before']} were before, {row['most']} could be.")
    moved = [answers["defrag"]["pages"] for answers in report["answers"].values()
             if "defrag" in answers]
    if moved:
        lines.append(f"Defragmentation on demand moved {sum(moved)} pages out of tainted ones.")
    status = report["meta"].get("status")
    if status is None:
        lines.append("FAILED: the run did not reach its end.")
    elif status or report["meta"].get("exit_code"):
        lines.append("FAILED: see the messages of the run.")
    else:
        lines.append("The records are true after each step, memory is back, the kernel log is clean.")
    return lines


def head(report):
    meta = report["meta"]
    size = meta["spb_pages"] * meta["page_size"] / 2**20
    return ["Superpageblocks: tainted ones defragmented, clean ones evacuated",
            f"Linux {meta['kernel']}, configuration {meta['configuration']}, {meta['rounds']} rounds, seed {meta['seed']}, "
            f"{meta['percent']}% of memory filled, a letter for each {size:g} MiB",
            f"debugfs-scripts/scenarios/defrag/run.sh --rounds {meta['rounds']} --seed {meta['seed']}"]


# --- terminal ------------------------------------------------------------------------


def strip(letters, use_colour):
    return "".join(paint(letter, LOOK_OF[letter][1], use_colour) for letter in letters)


def strip_lines(report, use_colour):
    return [f"  {state['round']:>5}  {state['seconds']:>7.2f}  {state['step']:<8}  "
            f"{strip(state['letters'], use_colour)}" for state in report["states"]]


def draw(report, use_colour):
    first, *facts = head(report)
    parts = [
        [first] + ["  " + fact for fact in facts],
        ["  round  seconds  step"] + strip_lines(report, use_colour),
        [f"  {paint(letter, colour, use_colour)} {meaning}" for letter, colour, _, meaning in LOOKS],
        ["Defragmentation of the tainted ones"] + table(DEFRAG_HEADER, defrag_rows(report)),
        ["Evacuation of the clean ones"] + table(EVACUATE_HEADER, evacuate_rows(report)),
        ["Counters"] + table(["counter", "at the start", "at the end", "difference"],
                             counter_rows(report)),
        ["In the way of evacuation"] + ["  " + line for line in obstacles(report)]
        if obstacles(report) else [],
        ["Verdict"] + ["  " + line for line in report["verdicts"]],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


# --- page ----------------------------------------------------------------------------


def runs_of(letters):
    """(letter, first, how many) of each run of the same letter."""
    at = 0
    while at < len(letters):
        end = at
        while end < len(letters) and letters[end] == letters[at]:
            end += 1
        yield letters[at], at, end - at
        at = end


def svg_strip(letters):
    rects = "".join(f'<rect class="{LOOK_OF[letter][2]}" x="{at}" width="{nr}" height="1"/>'
                    for letter, at, nr in runs_of(letters))
    label = html.escape(counts_of(letters))
    return (f'<svg viewBox="0 0 {len(letters)} 1" preserveAspectRatio="none" role="img" '
            f'aria-label="{label}" shape-rendering="crispEdges">{rects}</svg>')


def html_step(state):
    meaning = html.escape(STEPS.get(state["step"], state["step"]))
    return (f'<div class="step"><span class="when">{state["seconds"]:.2f} s &nbsp; {meaning}</span>'
            f'{svg_strip(state["letters"])}<span class="counts">{counts_of(state["letters"])}</span></div>')


def html_rounds(report):
    lines, seen = [], None
    for state in report["states"]:
        if state["step"] != "end" and state["round"] != seen:
            seen = state["round"]
            lines.append(f"<h2>Round {seen}</h2>" if seen else "<h2>Start</h2>")
        lines.append(html_step(state))
    return lines


def html_table(title, header, rows):
    return f"<h2>{html.escape(title)}</h2>{web_page.table(header, rows)}"


def html_list(lines):
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def html_legend():
    items = "".join(f'<li><svg viewBox="0 0 1 1" aria-hidden="true"><rect class="{name}" width="1" '
                    f'height="1"/></svg> {html.escape(meaning)}</li>'
                    for _, _, name, meaning in LOOKS)
    return f'<ul class="legend">{items}</ul>'


def page(report):
    title, *facts = head(report)
    parts = [
        html_list(report["verdicts"]),
        html_legend(),
        *html_rounds(report),
        html_table("Defragmentation of the tainted ones", DEFRAG_HEADER, defrag_rows(report)),
        html_table("Evacuation of the clean ones", EVACUATE_HEADER, evacuate_rows(report)),
        html_table("Counters", ["counter", "at the start", "at the end", "difference"],
                   counter_rows(report)),
    ]
    if obstacles(report):
        parts += ["<h2>In the way of evacuation</h2>", html_list(obstacles(report))]
    return web_page.page(title, facts, STYLE, parts)


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-color", action="store_true")
    parser.add_argument("folder")
    args = parser.parse_args(argv)
    report = build_report(args.folder)
    web_page.write(args.folder, "report.txt", draw(report, False) + "\n")
    web_page.write(args.folder, "report.json", json.dumps(report, indent=1) + "\n")
    web_page.write(args.folder, "index.html", page(report))
    print(draw(report, may_colour(args.no_color)))
    print(f"\n  {os.path.join(args.folder, 'index.html')}")


if __name__ == "__main__":
    main()
