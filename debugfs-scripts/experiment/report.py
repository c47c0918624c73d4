#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
#
# report.py [--text] FOLDER
#
# The report on the results of run.sh and bench.sh in FOLDER: prints tables and leaves
# FOLDER/report.txt, FOLDER/report.json and a page with charts, FOLDER/index.html. With --text
# no page.
#
# Uses the system's Python: the package python3-matplotlib is for that one.
import argparse
import html
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

import bench  # noqa: E402
import data  # noqa: E402
import render  # noqa: E402
from spread import in_words, spread  # noqa: E402

LOADS = {
    "files": "files in a tmpfs, created and deleted",
    "buffers": "anonymous memory allocated and freed, data waiting in pipes and sockets",
    "build": "many short compiler runs, their sources and objects, anonymous memory of other tasks",
}

STYLE = """
:root { --good: #1a7f37; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #f85149; } }
th { white-space: normal; min-width: 4rem; }
th:nth-child(2), td:nth-child(2) { text-align: left; white-space: normal; min-width: 6rem; }
.words th, .words td { text-align: left; }
td small { color: var(--faint); }
tr.ours td { font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.row { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); }
figure { margin: 0; padding: .5rem; background: #fff; border: 1px solid var(--line); border-radius: .4rem; }
figure svg { display: block; width: 100%; height: auto; }
.key { white-space: nowrap; margin-right: 1rem; }
.key i { display: inline-block; width: .9rem; height: .9rem; border-radius: .2rem; vertical-align: -.1rem; }
"""

KEYS = [("#ddf2e0", "free"), ("#338c52", "full of movable pages"), ("#fa9e8c", "tainted by few pages"),
        ("#8c0d14", "tainted, a tenth or more of it unmovable"), ("#336bd9", "allocated as a 1 GiB page")]


# --- tables --------------------------------------------------------------------------


def verdict_row(load, kernel, seeds):
    def words(name):
        return in_words(spread(data.figure_values(seeds, name)), data.FIGURES[name][1])

    def limit(name):
        return in_words(spread([entry["possible"][name] for entry in seeds.values()]), 0)

    return [load, data.NAMES.get(kernel, kernel), words("tainted"), limit("tainted"),
            words("pages_resident"), limit("pages_resident"), words("pages_ended"), limit("pages_ended"),
            *map(words, ("seconds_resident", "migrated", "throughput", "stalls", "thp_percent", "workload_seconds"))]


VERDICT_HEADER = ["workload", "kernel", "tainted chunks", "least possible", "1 GiB pages, resident",
                  "most possible", "1 GiB pages, ended", "most possible", "s to get them, resident",
                  "pages migrated for them", "MiB moved per s", "allocation stalls", "2 MiB pages, % of faults",
                  "s of workload"]


def verdict_table(report):
    return [verdict_row(load, kernel, seeds) for load, summary in report["summaries"].items()
            for kernel, seeds in summary.items()]


def target_rows(report):
    """Missed targets first."""
    return [["met" if found["met"] else "MISSED", found["load"], data.NAMES.get(found["kernel"], found["kernel"]),
             found["what"], found["words"]]
            for found in sorted(report["targets"], key=lambda found: found["met"])]


TARGET_HEADER = ["target", "workload", "kernel", "what", "measured"]
ORIGIN_TITLE = "Where the figures come from"
ORIGIN_HEADER = ["workload", "kernel", "seed", "defrag_mode", "Linux", "build", "config", "MiB", "commit",
                 "with", "per-cpu lists", "command"]


def origin_rows(report):
    return [[row["load"], row["kernel"], row["seed"], row["defrag_mode"], row["release"], row["build"],
             row["config"], row["memory_mib"], row["commit"], row["how"] or "-",
             "drained" if row["exact"] else "NOT drained", row["command"]] for row in report["origin"]]


def missing_runs(report):
    """Runs on one kernel that are missing on another, so that the kernels cannot be compared."""
    every = {load: set().union(*map(set, of_load.values())) for load, of_load in report["runs"].items()}
    kernels = set().union(*map(set, report["runs"].values()))
    return [f"{load}, {kernel}, seed {seed}" for load, of_load in report["runs"].items()
            for kernel in sorted(kernels) for seed in sorted(every[load] - set(of_load.get(kernel, {})), key=int)]


def head(report):
    first = report["origin"][0]
    met = sum(found["met"] for found in report["targets"])
    missing = missing_runs(report)
    seeds = sorted({row["seed"] for row in report["origin"]}, key=int)
    return ["1 GiB pages: how many can be allocated, and what it costs",
            f"Linux {first['release']}, {first['memory_mib']} MiB, seeds {', '.join(seeds)}; a figure is the "
            "median, in brackets the lowest and the highest",
            f"{met} of {len(report['targets'])} targets met"
            + ("" if report["bench"] else "; make bench has not been run"),
            *([f"NOT COMPLETE, no result of: {'; '.join(missing)}"] if missing else [])]


# --- terminal ------------------------------------------------------------------------


def text_of(report):
    title, *facts = head(report)
    tables = [("Verdict", VERDICT_HEADER, verdict_table(report)),
              ("Targets", TARGET_HEADER, target_rows(report)),
              *(bench.tables(report["bench"]) if report["bench"] else []),
              (ORIGIN_TITLE, ORIGIN_HEADER, origin_rows(report))]
    return render.paragraphs([[title, *render.indented(facts)],
                              *([name, *render.table(header, rows)] for name, header, rows in tables)])


# --- page ----------------------------------------------------------------------------


def html_cell(text):
    text = str(text)
    # The spread goes under the median, so that the table fits a small screen.
    median, _, rest = text.partition(" (")
    shown = html.escape(text)
    if re.fullmatch(r"\S+ to \S+\)", rest):
        shown = f"{html.escape(median)}<br><small>{html.escape(rest[:-1])}</small>"
    style = "bad" if "MISSED" in text or "NOT" in text else "good" if text == "met" else ""
    return f'<td class="{style}">{shown}</td>' if style else f"<td>{shown}</td>"


def html_row(row):
    kind = ' class="ours"' if row[1] == data.NAMES["spb"] else ""
    return f"<tr{kind}>" + "".join(map(html_cell, row)) + "</tr>"


def html_table(header, rows, kind=""):
    return render.html_table(header, rows, kind, html_row)


def html_figures(drawings):
    return '<div class="row">' + "".join(f"<figure>{svg}</figure>" for svg in drawings) + "</div>"


def html_keys():
    return "<p>" + "".join(f'<span class="key"><i style="background:{colour}"></i> {html.escape(name)}</span> '
                           for colour, name in KEYS) + "</p>"


def load_section(report, load, charts):
    of_load, summary = report["runs"][load], report["summaries"][load]
    seed = next(iter(next(iter(of_load.values()))))
    maps = [charts.heat_map(seeds[seed], f"{load}: {data.NAMES.get(kernel, kernel)}, seed {seed}")
            for kernel, seeds in of_load.items() if seed in seeds]
    return [f"<h2>{html.escape(load)}: {html.escape(LOADS.get(load, ''))}</h2>", html_figures(maps), html_keys(),
            '<p class="note">A row is 1 GiB of physical memory, a column a point in time. '
            "*: this chunk has holes or reserved pages and can never be a 1 GiB page.</p>",
            html_figures([charts.tainted_chart(load, of_load, summary), charts.pages_chart(load, summary)])]


def bench_section(report, charts):
    measured = report["bench"]
    parts = [render.html_heading("Microbenchmarks")]
    if not measured:
        return parts + ["<p>Not measured: run make bench.</p>"]
    if measured["instructions"]:
        parts.append(html_figures([charts.price_chart(measured["instructions"])]))
    for name, header, rows in bench.tables(measured):
        parts += [render.html_heading(name, 3), html_table(header, rows)]
    facts = [f"{kernel}: Linux {start.get('kernel')}, {start.get('build')}"
             for kernel, start in measured["starts"].items()]
    return parts + [f'<p class="note">{html.escape(measured["command"])}, commit {html.escape(measured["commit"])}; '
                    f'{html.escape("; ".join(facts))}</p>']


def page(report, charts):
    title, *facts = head(report)
    parts = [html_table(VERDICT_HEADER, verdict_table(report)),
             "<h2>Targets</h2>", html_table(TARGET_HEADER, target_rows(report), "words")]
    for load in report["runs"]:
        parts += load_section(report, load, charts)
    parts += bench_section(report, charts)
    parts += [render.html_heading(ORIGIN_TITLE), html_table(ORIGIN_HEADER, origin_rows(report), "words")]
    return render.page(title, facts, STYLE, parts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", action="store_true", help="no page")
    parser.add_argument("folder")
    args = parser.parse_args()
    report = data.build_report(args.folder)
    text = text_of(report)
    render.write(args.folder, "report.txt", text + "\n")
    render.write(args.folder, "report.json", json.dumps(report) + "\n")
    print(text)
    if not args.text:
        import charts    # only here: tables need no matplotlib
        render.write(args.folder, "index.html", page(report, charts))
        print(f"\n  {os.path.join(args.folder, 'index.html')}")


if __name__ == "__main__":
    main()
