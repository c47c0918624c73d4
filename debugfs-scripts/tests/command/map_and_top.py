# SPDX-License-Identifier: GPL-2.0
#
# fragbed map and top: table, JSON and raw output, recordings, and what is restored.
import contextlib
import io
import json
import os
import re
import signal
import subprocess
from unittest import mock

import fragbed_look
import fragbed_map
import fragbed_process
import fragbed_top
import guest
from facts import rows_of
from guest import fact, knob
from ktap import Cases, check, near, same
from program import FRAGBED, ended_by, exits, refused, start, tmp

CASES = Cases()

MIB = 1 << 20
# Pages that come and go between two looks.
NOISE = 2048


def map_chunk():
    return int(guest.text_of(guest.path_of("map_chunk")))


def rows_at(kib):
    """How many rows the map has at a size of chunks."""
    before = map_chunk()
    knob("map_chunk", kib)
    rows = len(guest.rows("map"))
    knob("map_chunk", before)
    return rows


@CASES.add()
def map_tells_of_each_chunk():
    before = map_chunk()
    ended = exits(0, "map --chunk 64M").err_is_empty()
    ended.out_has("one letter per 64 MiB", "are unmovable").has_nowhere("\033")
    drawn = re.findall(r"^ +\d+ +\d+  [^ ]  ", ended.out, re.MULTILINE)
    same("rows", len(drawn), rows_at(65536))
    same("map_chunk", map_chunk(), before)


@CASES.add()
def map_notes_a_kernel_without_the_series():
    ended = exits(0, "map")
    if fact("caps", "map_labels") == "yes":
        ended.has_nowhere("note:")
    else:
        ended.out_has("note: this kernel is without fragbed's series")


def options(*words):
    return fragbed_map.parser().parse_args(words)


def cells_of(line):
    """The third is the letter."""
    cells = line.split()
    return cells[:2] + cells[3:]


def same_row(row, lines):
    same(f"pages of chunk {row['chunk']}", sum(row[name] for name in fragbed_look.COUNTED), row["pages"])
    counted = [fragbed_look.in_mib(row[name], 4096) for name in fragbed_look.COUNTED]
    cells = [str(row["chunk"]), str(row["node"]), *counted, row["kind"]]
    check(f"{cells} is a line", cells in map(cells_of, lines))


@CASES.add()
def map_json_is_the_table():
    exits(0, "map --json").is_json()
    look = fragbed_look.take(options("--chunk", "64M"), 0)
    text = fragbed_look.draw(look, False)
    again = json.loads(json.dumps(look))
    same("the table after JSON", fragbed_look.draw(again, False), text)
    for row in again["chunks"]:
        same_row(row, text.splitlines())
    found = again["summary"]
    kinds = sum(found[kind] for kind in ("empty", "clean", "tainted", "reserved"))
    same("chunks, and those of each kind", [found["chunks"], kinds], [len(again["chunks"])] * 2)
    stuck = sum(row["unmovable"] + row["reclaimable"] for row in again["chunks"])
    same("pages that are stuck", found["stuck_pages"], stuck)


@CASES.add()
def map_adds_up_small_chunks():
    small, large = (rows_of(fragbed_look.map_text(options("--chunk", size).chunk)) for size in ("4M", "64M"))
    added = fragbed_look.merged(small, 64 * MIB // 4096)
    same("first pages", [row["pfn"] for row in added], [row["pfn"] for row in large])
    for one, other in zip(added, large):
        for name in fragbed_look.COUNTED:
            near(f"{name} at {one['pfn']}", one[name], other[name], NOISE)


@CASES.add()
def map_raw_is_the_knob():
    header, *lines = exits(0, "map --raw --chunk 128M").out.splitlines()
    same("size of chunks", header.split()[1], "chunk_kb=131072")
    same("rows", len([line for line in lines if not line.startswith("#")]), rows_at(131072))


@CASES.add()
def map_of_one_node():
    exits(0, "map --node 0").out_has("Memory of node 0")
    exits(1, "map --node 9").err_has("node 9 has no memory")


@CASES.add()
def map_bad_size_is_the_kernels_line():
    refused("EINVAL", "map --chunk 3M")
    exits(2, "map --chunk huge")
    exits(2, "map --count 2")


@CASES.add()
def map_to_a_closed_pipe():
    with subprocess.Popen([FRAGBED, "map", "--every", "0.1", "--count", "5"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as child:
        child.stdout.readline()
        child.stdout.close()
        same("stderr", child.stderr.read(), "")


@CASES.add()
def map_every_so_many_seconds():
    ended = exits(0, "map --chunk 64M --every 0.2 --count 3 --json")
    same("lines: meta and three looks", len(ended.out.splitlines()), 4)


@CASES.add()
def map_record_and_report():
    folder = tmp("rec")
    exits(0, "map --chunk 64M --every 0.1 --count 4 --record", folder)
    same("lines: meta and four looks", len(guest.text_of(f"{folder}/looks.jsonl").splitlines()), 5)
    exits(0, "report", folder).out_has("over time", "4 looks")
    for name in ("index.html", "report.txt", "report.json"):
        check(f"there is {name}", os.path.getsize(f"{folder}/{name}"))
    check("the page is whole", "</html>" in guest.text_of(f"{folder}/index.html"))
    exits(0, "report --json", folder).is_json()
    exits(1, "map --record", folder).err_has("take another folder")
    exits(1, "report", os.path.dirname(folder)).err_has("nothing to report on")


@CASES.add()
def map_ctrl_c_restores():
    before = map_chunk()
    child = start("map --chunk 64M --every 0.01")
    check("it prints", guest.wait_for(lambda: os.path.getsize(tmp("out")), seconds=30, pause=0.1))
    ended = ended_by(child, signal.SIGINT).err_is_empty()
    same("exit code", ended.code, 130)
    same("map_chunk", map_chunk(), before)


@CASES.add()
def top_prints_screens():
    ended = exits(0, "top --count 2 --every 0.1").has_nowhere("\033")
    same("screens", len(re.findall("^Memory of all nodes", ended.out, re.MULTILINE)), 2)
    ended.out_has("Unusable free memory", "Held: nothing", "Churn: none", "Keep: none")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def stopped(*_unused):
    raise fragbed_process.Stopped(signal.SIGINT)


def output_of_top(*screens):
    """On a terminal, with these functions for its screens."""
    text, turns = Terminal(), iter(screens)
    with mock.patch.object(fragbed_top, "screen", lambda *args: next(turns)(*args)), \
            contextlib.redirect_stdout(text), contextlib.suppress(fragbed_process.Stopped):
        fragbed_top.main(["--count", "2", "--every", "0.1"])
    return text.getvalue()


# Once to its end, and once stopped at the second screen.
@CASES.add()
def top_restores_the_terminal():
    screen = fragbed_top.screen
    for second, screens in (screen, 2), (stopped, 1):
        text = output_of_top(screen, second)
        check("it begins", text.startswith(fragbed_top.HIDE))
        check("it ends", text.endswith(fragbed_top.SHOW))
        same("screens", text.count(fragbed_top.HOME), screens)
