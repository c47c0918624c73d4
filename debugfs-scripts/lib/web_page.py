# SPDX-License-Identifier: GPL-2.0
#
# What the pages of all reports have in common: one file that needs nothing else, looks,
# and tables. Imported by report_defrag.py and report_experiment.py.
import html
import os

STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --faint: #59636e;
  --line: #d1d9e0; }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --text: #e6edf3;
  --faint: #9198a1; --line: #3d444d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 82rem; background: var(--page);
  color: var(--text); font: 16px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin: 1.8rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p.facts, .note { color: var(--faint); font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .5rem; text-align: right;
  white-space: nowrap; vertical-align: top; }
th { vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
"""


def page(title, facts, style, parts):
    """The whole file: parts are HTML, title and facts are not."""
    return "\n".join([
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}{style}</style></head><body>",
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="facts">{"<br>".join(map(html.escape, facts))}</p>',
        *parts, "</body></html>"]) + "\n"


def plain_cell(cell):
    return f"<td>{html.escape(str(cell))}</td>"


def plain_row(row):
    return "<tr>" + "".join(map(plain_cell, row)) + "</tr>"


def table(header, rows, kind="", row_of=plain_row):
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    return (f'<div class="wide {kind}"><table><thead><tr>{cells}</tr></thead>'
            f'<tbody>{"".join(map(row_of, rows))}</tbody></table></div>')


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)
