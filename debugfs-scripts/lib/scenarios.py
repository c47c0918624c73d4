#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# The scenarios, as scenarios/NAME/scenario.toml describes them. For tools in shell:
#
#   scenarios.py list                   the names, a line each
#   scenarios.py table                  names, titles and parameters, for a reader
#   scenarios.py markdown               the same as a table for the documentation
#   scenarios.py plan NAME [WORD...]    what "make run" does, as assignments for a shell;
#                                       a WORD is PARAMETER=VALUE or --parameter VALUE
#
# Exit: 0 done, 2 there is no such scenario or parameter.
import dataclasses
import importlib.util
import os
import shlex
import sys
import textwrap

# The folder that has command/, lib/ and scenarios/.
SCRIPTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
FOLDER = os.path.join(SCRIPTS, "scenarios")


class Unknown(Exception):
    """There is no such scenario, parameter or field; the text names the known ones."""


@dataclasses.dataclass
class Scenario:
    """The fields of scenario.toml."""

    name: str
    title: str                  # one plain sentence
    configurations: list        # of tools/configurations.toml: "make run" boots each
    time_limit: int             # of a guest, in seconds
    memory: str = ""            # of a guest, 512M; empty: as much as the configuration has
    make_run: bool = False      # whether "make run SCENARIO=NAME" offers it
    fragbed_run: bool = True    # whether "fragbed run NAME" offers it
    exclusive: bool = True      # whether it fills or fragments most of the memory
    report: str = ""            # what report.py reports on: "each run" or "all runs" together
    kernel_arguments: str = ""  # of a guest
    aliases: list = dataclasses.field(default_factory=list)
    # {NAME: {"default": value, "meaning": text}}; the script reads FRAGBED_JOB_NAME. A line each,
    # since scenario.sh reads them, too.
    parameters: dict = dataclasses.field(default_factory=dict)

    @property
    def script(self):
        return os.path.join(FOLDER, self.name, "guest.sh")

    def known_parameters(self):
        return ", ".join(self.parameters) or "none"

    def environment(self, words):
        """{FRAGBED_JOB_NAME: value} from words NAME=VALUE."""
        env = {}
        for word in words:
            name, is_choice, value = word.partition("=")
            name = name.upper()
            if not is_choice or name not in self.parameters:
                raise Unknown(f"{word}: scenario {self.name} takes NAME=VALUE; the names are "
                              f"{self.known_parameters()}")
            env[f"FRAGBED_JOB_{name}"] = value
        return env


def read(name):
    # Only here: Python 3.11 has it, and all else of the command works with older ones.
    import tomllib
    path = os.path.join(FOLDER, name, "scenario.toml")
    with open(path, "rb") as file:
        fields = tomllib.load(file)
    known = [field.name for field in dataclasses.fields(Scenario)]
    for field in fields:
        if field not in known[1:]:
            raise Unknown(f"{path}: unknown field {field}; there are {', '.join(known[1:])}")
    for parameter, described in fields.get("parameters", {}).items():
        if list(described) != ["default", "meaning"]:
            raise Unknown(f"{path}: {parameter} must be {{ default = ..., meaning = \"...\" }}")
    return Scenario(name=name, **fields)


def names():
    return sorted(name for name in os.listdir(FOLDER)
                  if os.path.exists(os.path.join(FOLDER, name, "scenario.toml")))


def scenarios():
    """{name: scenario}, those that leave the machine to others first."""
    found = [read(name) for name in names()]
    return {each.name: each for each in sorted(found, key=lambda each: each.exclusive)}


def find(name, offered=lambda scenario: True):
    """By name or alias, among those that are offered."""
    known = {each.name: each for each in scenarios().values() if offered(each)}
    for scenario in known.values():
        if name == scenario.name or name in scenario.aliases:
            return scenario
    raise Unknown(f"{name}: no such scenario; there are {', '.join(known)}")


def report_module(name):
    """scenarios/NAME/report.py, or None. Loaded by path: all of them are called report."""
    path = os.path.join(FOLDER, name, "report.py")
    if not os.path.exists(path):
        return None
    spec = importlib.util.spec_from_file_location(f"report_of_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- for readers -----------------------------------------------------------------------


def listing(width=96, offered=lambda scenario: True):
    """Each scenario with its title and parameters."""
    lines = []
    for scenario in filter(offered, scenarios().values()):
        lines += textwrap.wrap(scenario.title, width, initial_indent=f"  {scenario.name:<10}",
                               subsequent_indent=" " * 12)
        defaults = [f"{name}={parameter['default']}" for name, parameter in scenario.parameters.items()]
        lines += textwrap.wrap("  ".join(defaults), width, initial_indent=" " * 12,
                               subsequent_indent=" " * 12)
    return lines


def parameter_lines(scenario):
    width = max(map(len, scenario.parameters), default=0)
    return [f"  {name:<{width}}  {parameter['meaning']} ({parameter['default']})"
            for name, parameter in scenario.parameters.items()]


def markdown():
    rows = [["scenario", "what it does", "offered by", "parameters (default)"], ["---"] * 4]
    for scenario in scenarios().values():
        offered = [f"`{command}`" for command, is_offered in
                   (("make run", scenario.make_run), ("fragbed run", scenario.fragbed_run)) if is_offered]
        parameters = [f"`{name}` {parameter['meaning']} ({parameter['default']})"
                      for name, parameter in scenario.parameters.items()]
        rows.append([f"`{scenario.name}`", scenario.title, ", ".join(offered), "; ".join(parameters)])
    return ["| " + " | ".join(row) + " |" for row in rows]


# --- for tools/run.sh --------------------------------------------------------------------


def joined(words):
    """--order 4 and ORDER=4 mean the same."""
    words, found = list(words), []
    while words:
        word = words.pop(0)
        if word.startswith("--") and "=" not in word:
            if not words:
                raise Unknown(f"{word} needs a value")
            word = f"{word}={words.pop(0)}"
        found.append(word.lstrip("-"))
    return found


def plan(name, words):
    """Assignments for a shell. CONFIG, MEM and SEEDS are for the runner itself."""
    scenario = find(name, lambda each: each.make_run)
    own = {"CONFIG": os.environ.get("CONFIG", ""), "MEM": scenario.memory, "SEEDS": ""}
    passed_on = []
    for word in joined(words):
        key, _, value = word.partition("=")
        if key.upper() in own and value:
            own[key.upper()] = value
        else:
            passed_on.append(word)
    env = scenario.environment(passed_on)
    seed = env.get("FRAGBED_JOB_SEED") or os.environ.get("FRAGBED_JOB_SEED")
    if "SEED" in scenario.parameters:
        own["SEEDS"] = own["SEEDS"] or seed or str(scenario.parameters["SEED"]["default"])
    shell = {"scenario": scenario.name, "configs": own["CONFIG"] or " ".join(scenario.configurations),
             "seeds": own["SEEDS"] or "-", "mem": own["MEM"], "limit": scenario.time_limit,
             "arguments": scenario.kernel_arguments, "report": scenario.report}
    return ([f"{key}={shlex.quote(str(value))}" for key, value in shell.items()]
            + [f"export {key}={shlex.quote(value)}" for key, value in env.items()])


def main():
    what, *words = sys.argv[1:] or [""]
    try:
        if what == "list":
            print(*names(), sep="\n")
        elif what in ("table", "markdown"):
            print(*(listing() if what == "table" else markdown()), sep="\n")
        elif what == "plan" and words:
            print(*plan(words[0], words[1:]), sep="\n")
        else:
            raise Unknown("usage: scenarios.py list | table | markdown | plan NAME [PARAMETER=VALUE...]")
    except Unknown as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
