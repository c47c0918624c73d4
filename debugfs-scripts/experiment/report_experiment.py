#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
#
# report_experiment.py [--text] FOLDER
#
# Renders what run-experiment.sh and run-bench.sh left in FOLDER: tables in the terminal
# and in FOLDER/report.txt, one page with charts that needs nothing else as
# FOLDER/index.html, and all of it in FOLDER/report.json. With --text no page.
#
# The system's own Python, whatever else is installed: matplotlib is packaged for that.
import argparse
import html
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../scenarios/defrag")]

import experiment_data as data  # noqa: E402
import web_page  # noqa: E402
from report_bench import aligned, tables as bench_tables  # noqa: E402

LOADS = {
    "files": "files and inodes in a tmpfs, made and deleted",
    "buffers": "anonymous memory coming and going, data waiting in pipes and sockets",
    "build": "many short compilers, their sources and objects, memory of others",
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

KEYS = [("#ddf2e0", "free"), ("#338c52", "full of what can move"), ("#fa9e8c", "tainted, by little"),
        ("#8c0d14", "tainted, a tenth or more"), ("#336bd9", "obtained as a 1 GiB page")]


# --- tables --------------------------------------------------------------------------


def verdict_row(load, kernel, seeds):
    def words(name):
        return data.in_words(data.spread(data.figure_values(seeds, name)), data.FIGURES[name][1])

    def limit(name):
        return data.in_words(data.spread([entry["possible"][name] for entry in seeds.values()]), 0)

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
    """Those missed first: they are what there is to do."""
    return [["met" if found["met"] else "MISSED", found["load"], data.NAMES.get(found["kernel"], found["kernel"]),
             found["what"], found["words"]]
            for found in sorted(report["targets"], key=lambda found: found["met"])]


TARGET_HEADER = ["target", "workload", "kernel", "what", "measured"]
ORIGIN_HEADER = ["workload", "kernel", "seed", "defrag_mode", "Linux", "build", "config", "MiB", "commit",
                 "with", "per-cpu lists", "command"]


def origin_rows(report):
    return [[row["load"], row["kernel"], row["seed"], row["defrag_mode"], row["release"], row["build"],
             row["config"], row["memory_mib"], row["commit"], row["how"] or "-",
             "emptied" if row["exact"] else "NOT emptied", row["command"]] for row in report["origin"]]


def missing_runs(report):
    """Made on one kernel but not on another: a comparison of unequal things."""
    every = {load: set().union(*map(set, of_load.values())) for load, of_load in report["runs"].items()}
    kernels = set().union(*map(set, report["runs"].values()))
    return [f"{load}, {kernel}, seed {seed}" for load, of_load in report["runs"].items()
            for kernel in sorted(kernels) for seed in sorted(every[load] - set(of_load.get(kernel, {})), key=int)]


def head(report):
    first = report["origin"][0]
    met = sum(found["met"] for found in report["targets"])
    missing = missing_runs(report)
    seeds = sorted({row["seed"] for row in report["origin"]}, key=int)
    return ["The 1 GiB experiment: does it deliver, and what does it cost?",
            f"Linux {first['release']}, {first['memory_mib']} MiB, seeds {', '.join(seeds)}; a figure is the "
            "median, in brackets the lowest and the highest",
            f"{met} of {len(report['targets'])} targets met"
            + ("" if report["bench"] else "; make bench has not been run"),
            *([f"NOT COMPLETE, no result of: {'; '.join(missing)}"] if missing else [])]


# --- terminal ------------------------------------------------------------------------


def text_of(report):
    title, *facts = head(report)
    parts = [[title, *("  " + fact for fact in facts)],
             ["Verdict", *("  " + line for line in aligned(VERDICT_HEADER, verdict_table(report)))],
             ["Targets", *("  " + line for line in aligned(TARGET_HEADER, target_rows(report)))]]
    if report["bench"]:
        parts += [[name, *("  " + line for line in aligned(header, rows))]
                  for name, header, rows in bench_tables(report["bench"])]
    parts.append(["Where the figures are from", *("  " + line for line in aligned(ORIGIN_HEADER, origin_rows(report)))])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


# --- page ----------------------------------------------------------------------------


def html_cell(text):
    text = str(text)
    # The spread goes under the median: a table that fits a laptop.
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
    return web_page.table(header, rows, kind, html_row)


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
            '<p class="note">A row is 1 GiB of physical memory, a column a look at it. '
            "* has holes or reserved pages and can never be a 1 GiB page.</p>",
            html_figures([charts.tainted_chart(load, of_load, summary), charts.pages_chart(load, summary)])]


def bench_section(report, charts):
    bench = report["bench"]
    if not bench:
        return ["<h2>Price list</h2><p>Not measured: run make bench.</p>"]
    parts = ["<h2>Price list</h2>"]
    if bench["instructions"]:
        parts.append(html_figures([charts.price_chart(bench["instructions"])]))
    for name, header, rows in bench_tables(bench):
        parts += [f"<h3>{html.escape(name)}</h3>", html_table(header, rows)]
    facts = [f"{kernel}: Linux {start.get('kernel')}, {start.get('build')}"
             for kernel, start in bench["starts"].items()]
    return parts + [f'<p class="note">{html.escape(bench["command"])}, commit {html.escape(bench["commit"])}; '
                    f'{html.escape("; ".join(facts))}</p>']


def page(report, charts):
    title, *facts = head(report)
    parts = [html_table(VERDICT_HEADER, verdict_table(report)),
             "<h2>Targets</h2>", html_table(TARGET_HEADER, target_rows(report), "words")]
    for load in report["runs"]:
        parts += load_section(report, load, charts)
    parts += bench_section(report, charts)
    parts += ["<h2>Where the figures are from</h2>", html_table(ORIGIN_HEADER, origin_rows(report), "words")]
    return web_page.page(title, facts, STYLE, parts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", action="store_true", help="no page")
    parser.add_argument("folder")
    args = parser.parse_args()
    report = data.build_report(args.folder)
    web_page.write(args.folder, "report.txt", text_of(report))
    web_page.write(args.folder, "report.json", json.dumps(report) + "\n")
    print(text_of(report))
    if not args.text:
        import report_charts    # only here: tables need no matplotlib
        web_page.write(args.folder, "index.html", page(report, report_charts))
        print(f"  {os.path.join(args.folder, 'index.html')}")


if __name__ == "__main__":
    main()
