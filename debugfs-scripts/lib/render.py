# SPDX-License-Identifier: GPL-2.0
#
# All that reports draw: tables, maps in letters and colours, HTML pages. A page is one file
# that needs nothing else. Standard library only: users install this with the command.
import argparse
import collections
import html
import json
import os
import re
import sys

LETTERS_A_LINE = 32

# How one thing in a map looks: its letter and colour in the terminal, its class in a page.
Look = collections.namedtuple("Look", "letter colour name meaning")


# --- words ---------------------------------------------------------------------------


def plural(number, word):
    return f"{number} {word}{'' if number == 1 else 's'}"


def paragraphs(parts):
    """Text from lists of lines; an empty list is left out."""
    return "\n\n".join("\n".join(part) for part in parts if part)


def indented(lines):
    return ["  " + line for line in lines]


# --- tables --------------------------------------------------------------------------


def is_number(cell):
    """Also with something after it: 7.2 (7.1 to 7.4), +3.00%, <0.1, 12 MiB."""
    return cell in ("", "-") or re.match(r"[-+<]?\d+(\.\d+)?(?![\w.-])", cell) is not None


def table(header, rows, indent="  "):
    """Lines: columns of numbers aligned to the right, others to the left."""
    cells = [list(header)] + [[str(cell) for cell in row] for row in rows]
    columns = range(len(header))
    widths = [max(len(line[at]) for line in cells) for at in columns]
    numeric = [all(is_number(row[at]) for row in cells[1:]) for at in columns]
    lines = []
    for line in cells:
        padded = [cell.rjust(width) if right else cell.ljust(width)
                  for cell, width, right in zip(line, widths, numeric)]
        lines.append((indent + "  ".join(padded)).rstrip())
    return lines


# --- maps ----------------------------------------------------------------------------


def may_colour(no_color):
    return sys.stdout.isatty() and not no_color and "NO_COLOR" not in os.environ


def paint(text, colour, use_colour):
    return f"\033[{colour}m{text}\033[0m" if use_colour and colour else text


def letters(text, looks, use_colour):
    """The letters of a map, coloured."""
    colours = {look.letter: look.colour for look in looks}
    return "".join(paint(letter, colours[letter], use_colour) for letter in text)


def map_lines(text, looks, use_colour):
    """A map of many letters as lines of LETTERS_A_LINE, padded so that two fit side by side."""
    lines = [text[at:at + LETTERS_A_LINE] for at in range(0, len(text), LETTERS_A_LINE)]
    return [letters(line, looks, use_colour) + " " * (LETTERS_A_LINE - len(line)) for line in lines]


def legend(looks, use_colour, note=lambda look: ""):
    """A line for each look; note(look) is what to add to its meaning."""
    return [f"  {paint(look.letter, look.colour, use_colour)} {look.meaning}{note(look)}"
            for look in looks]


def runs_of(values):
    """(value, first, how many) of each run of the same value."""
    at = 0
    while at < len(values):
        end = at
        while end < len(values) and values[end] == values[at]:
            end += 1
        yield values[at], at, end - at
        at = end


# --- parts of a page -----------------------------------------------------------------


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
ul.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; }
ul.legend svg { display: inline-block; width: 1rem; height: 1rem; vertical-align: -.15rem; }
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


def html_heading(text, level=2):
    return f"<h{level}>{html.escape(text)}</h{level}>"


def html_list(lines):
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def html_row(row):
    return "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"


def html_table(header, rows, kind="", row_of=html_row):
    """row_of(row) is the HTML of a row, for those that are to look different."""
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    return (f'<div class="wide {kind}"><table><thead><tr>{cells}</tr></thead>'
            f'<tbody>{"".join(map(row_of, rows))}</tbody></table></div>')


def html_legend(meanings):
    """From pairs of class and meaning."""
    items = "".join(f'<li><svg viewBox="0 0 1 1" aria-hidden="true"><rect class="{name}" width="1" '
                    f'height="1"/></svg> {html.escape(meaning)}</li>'
                    for name, meaning in meanings)
    return f'<ul class="legend">{items}</ul>'


def svg_map(rows, label, height=1, style=""):
    """Rows of classes as coloured rectangles; neighbours of the same class are one."""
    rects = "".join(f'<rect class="{name}" x="{at}" y="{y}" width="{nr}" height="{height}"/>'
                    for y, row in enumerate(rows) for name, at, nr in runs_of(row))
    columns = max(map(len, rows), default=0)
    return (f'<svg viewBox="0 0 {columns} {len(rows)}" preserveAspectRatio="none" role="img" '
            f'aria-label="{html.escape(label)}" {style}>{rects}</svg>')


# --- files and command lines of reports ------------------------------------------------


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def save(folder, report, text, html_page=None):
    """The same report as report.txt, report.json and, if there is a page, index.html."""
    write(folder, "report.txt", text + "\n")
    write(folder, "report.json", json.dumps(report, indent=1) + "\n")
    if html_page:
        write(folder, "index.html", html_page)


def report_main(show):
    """The command line of each report.py: [--json] [--no-color] FOLDER."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", help="print report.json instead")
    parser.add_argument("--no-color", action="store_true")
    parser.add_argument("folder")
    args = parser.parse_args()
    sys.exit(show(args.folder, args.json, may_colour(args.no_color)))
