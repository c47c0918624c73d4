# SPDX-License-Identifier: GPL-2.0
#
# The subcommands of fragbed. Each reads or writes knobs of the module and shows what they
# report; the keys and values go to the kernel as the user typed them.
import argparse
import json
import os
import sys

import fragbed_keys
import fragbed_knobs as knobs
import fragbed_map
import fragbed_process
import fragbed_report
import fragbed_run
import fragbed_top
from render import paragraphs, table

USAGE = """usage: fragbed COMMAND [ARGUMENTS]

  map [--chunk SIZE] [--node N]     show what is in each chunk of memory and what taints it;
      [--every SECONDS [--count N]] again and again; recorded for 'fragbed report'
      [--record DIR]
  top [--every SECONDS]             show map, fragmentation, held memory and churn, live
  hold [KEY=VALUE...]               allocate and hold memory; without keys: show what is held
  free KEY=VALUE...                 free held memory
  fragment [KEY=VALUE... | free]    fragment a node to an index, or undo that
  churn [start KEY=VALUE... | stop] allocate and free at a rate in the background
  keep [start KEY=VALUE... | stop]  keep a node at an index in the background
  compact [KEY=VALUE...]            compact once; without keys: show the last result
  spb [table | stats | check | defrag | evacuate | taint KEY=VALUE...]
  mof [PID ADDRESS]                 show whose memory policy decides about migrate-on-fault
  caps                              show what this kernel supports, and why not
  reset                             stop and free everything
  run [SCENARIO [PARAMETER=VALUE...]] [--out DIR]
                                    run a scenario on this machine; without a name: list them
  report DIR                        make a report of what 'map --record' or 'run' left

hold, fragment, churn and keep take '-- COMMAND...': fragbed runs it and frees everything when
it ends. --json prints the same figures for programs. 'fragbed COMMAND --help' has the keys.
"""

# The knobs that a subcommand shows.
SHOWN = {
    "hold": ("hold/sets",),
    "fragment": ("fragment/result", "fragment/index"),
    "churn": ("fragment/churn_status",),
    "keep": ("fragment/keep_status",),
    "compact": ("compact/last",),
    "mof": ("mof",),
    "caps": ("caps",),
}
# After a command these are shown again: what they did meanwhile.
BACKGROUND = ("churn", "keep")
SPB_SHOWN = ("table", "stats", "check")
SPB_WRITTEN = ("defrag", "evacuate", "taint")


# --- showing -----------------------------------------------------------------------------


def fact_lines(facts):
    width = max(map(len, facts), default=0)
    lines = []
    for name, value in facts.items():
        values = value if isinstance(value, list) else [value]
        lines += [f"  {name:<{width}}  {line}".rstrip() for line in values]
    return lines


def columns_of(rows):
    return list(dict.fromkeys(name for row in rows for name in row))


def row_lines(rows):
    columns = columns_of(rows)
    return table(columns, [[row.get(name, "-") for name in columns] for row in rows])


def knob_lines(knob, found):
    if not found:
        return [f"{knob}: nothing"]
    return [knob] + (row_lines(found) if isinstance(found, list) else fact_lines(found))


def show(names, as_json, file=None):
    """Prints table or JSON, made from the same object: {knob: what it reports}."""
    found = {knob: knobs.look(knob) for knob in names}
    if as_json:
        print(json.dumps(found, indent=1), file=file)
    else:
        print(paragraphs(knob_lines(*item) for item in found.items()), file=file)
    return found


# --- the commands ------------------------------------------------------------------------


def split(argv):
    """fragbed's own arguments, and the command after -- or None."""
    at = next((index for index, word in enumerate(argv) if word in ("--", "--while")), None)
    return (argv, None) if at is None else (argv[:at], argv[at + 1:])


def parser_of(name, *paths):
    """Its help shows the keys of the knobs at these paths."""
    parser = argparse.ArgumentParser(prog=f"fragbed {name}")
    parser.format_help = lambda: f"{parser.format_usage()}\n{fragbed_keys.help_on(paths)}\n"
    parser.add_argument("--json", action="store_true")
    return parser


def words_of(name, argv, *paths, least=0):
    parser = parser_of(name, *paths)
    parser.add_argument("words", nargs="+" if least else "*", metavar="KEY=VALUE")
    options = parser.parse_intermixed_args(argv)
    return options.words, options.json


def run_while(knob, line, name, command):
    """fragbed writes to stderr: stdout belongs to the command."""
    if not command:
        raise knobs.Refused(f"fragbed: {name}: no command after --")
    with knobs.freed_afterwards():
        knobs.write(knob, line)
        show(SHOWN[name], False, sys.stderr)
        code = fragbed_process.run(command)
        if name in BACKGROUND:
            show(SHOWN[name], False, sys.stderr)
    return code


def write_and_show(knob, name, argv):
    """Without keys it only shows."""
    words, as_json = words_of(name, argv, knob)
    if words:
        knobs.write(knob, " ".join(words))
    show(SHOWN[name], as_json)
    return 0


def write_and_show_or_run(knob, name, argv):
    argv, command = split(argv)
    if command is None:
        return write_and_show(knob, name, argv)
    words, _ = words_of(name, argv, knob, least=1)
    return run_while(knob, " ".join(words), name, command)


def hold(argv):
    return write_and_show_or_run("hold/alloc", "hold", argv)


def free(argv):
    words, as_json = words_of("free", argv, "hold/free", least=1)
    knobs.write("hold/free", " ".join(words))
    show(SHOWN["hold"], as_json)
    return 0


def fragment(argv):
    if argv[:1] == ["free"]:
        _, as_json = words_of("fragment free", argv[1:])
        knobs.write("fragment/free", "1")
        show(SHOWN["fragment"], as_json)
        return 0
    return write_and_show_or_run("fragment/run", "fragment", argv)


def churn(argv):
    return write_and_show_or_run("fragment/churn", "churn", argv)


def keep(argv):
    return write_and_show_or_run("fragment/keep", "keep", argv)


def compact(argv):
    return write_and_show("compact/run", "compact", argv)


def mof(argv):
    return write_and_show("mof", "mof", argv)


def caps(argv):
    _, as_json = words_of("caps", argv)
    show(SHOWN["caps"], as_json)
    return 0


def reset(argv):
    words_of("reset", argv)
    knobs.write("reset", "1")
    return 0


def spb(argv):
    parser = parser_of("spb", *(f"spb/{name}" for name in SPB_WRITTEN))
    parser.add_argument("what", nargs="?", choices=SPB_SHOWN + SPB_WRITTEN, default="table")
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_intermixed_args(argv)
    knob = f"spb/{options.what}"
    if options.what in SPB_SHOWN and options.words:
        parser.error(f"{options.what} takes no keys")
    if options.words or options.what == "taint":
        knobs.write(knob, " ".join(options.words))
    found = show(("hold/sets",) if options.what == "taint" else (knob,), options.json)
    return int(any(row["broken"] for row in found.get("spb/check", [])))


COMMANDS = {"map": fragbed_map.main, "top": fragbed_top.main, "hold": hold, "free": free,
            "fragment": fragment, "churn": churn, "keep": keep, "compact": compact, "spb": spb,
            "mof": mof, "caps": caps, "reset": reset, "run": fragbed_run.main,
            "report": fragbed_report.main}


# --- start and end -----------------------------------------------------------------------


def version():
    """The versions of these files, from dkms.conf, and of the module."""
    conf = knobs.text_of(os.path.join(fragbed_run.REPO, "dkms.conf"))
    lines = [line.partition("=")[2].strip('"') for line in conf.splitlines()
             if line.startswith("PACKAGE_VERSION=")]
    module = knobs.text_of(os.path.join(knobs.MODULE, "version")).strip()
    print(f"fragbed {lines[0] if lines else 'unknown'}, "
          f"module {module + ' is loaded' if module else 'not loaded'}")
    return 0


def command(argv):
    if argv[:1] == ["help"] and argv[1:2] and argv[1] in COMMANDS:
        argv = [argv[1], "--help"]
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if argv else 2
    if argv[0] == "--version":
        return version()
    if argv[0] not in COMMANDS:
        print(f"fragbed: {argv[0]}: no such command; there are {', '.join(COMMANDS)}",
              file=sys.stderr)
        return 2
    return COMMANDS[argv[0]](argv[1:])


def main(argv):
    fragbed_process.stop_on_signals()
    try:
        code = command(argv)
        sys.stdout.flush()
        return code
    except knobs.Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    except fragbed_process.Stopped as stopped:
        return stopped.exit_code
    except BrokenPipeError:
        # The reader has closed the pipe. The interpreter would print an error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
