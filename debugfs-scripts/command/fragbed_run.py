# SPDX-License-Identifier: GPL-2.0
#
# fragbed run: the scenarios, on this machine instead of in a guest. They are shell scripts and
# get the same environment as from tools/guest.sh.
import argparse
import datetime
import gzip
import hashlib
import os
import subprocess
import sys

import fragbed_knobs as knobs
import fragbed_process
import scenarios

REPO = os.path.dirname(scenarios.SCRIPTS)
CONFIG = "this-machine"


def module_file():
    """The path of fragbed.ko, or None; the scripts report if they need it."""
    named = os.environ.get("FRAGBED_MODULE")
    if named:
        return named
    try:
        found = subprocess.run(["modinfo", "-n", "fragbed"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, check=False, text=True)
        installed = found.stdout.strip()
    except OSError:
        installed = ""
    built = os.path.join(REPO, "fragbed.ko")
    return next((path for path in (installed, built) if os.path.isfile(path)), None)


def environment(parameters, out, force):
    """As tools/guest.sh documents it. With force the scripts may allocate memory down to the
    watermarks, as in a guest."""
    env = dict(os.environ, **parameters, FRAGBED_REPO=REPO, FRAGBED_OUT=out,
               FRAGBED_CONFIG=CONFIG, FRAGBED_COUNTS=os.path.join(out, "counts"),
               PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")
    env.pop("FRAGBED_FORCE", None)
    if force:
        env["FRAGBED_FORCE"] = "1"
    return env


def config_hash():
    """Of the running kernel's configuration, if it can be read."""
    places = ((f"/boot/config-{os.uname().release}", open), ("/proc/config.gz", gzip.open))
    for path, opened in places:
        try:
            with opened(path, "rb") as file:
                return hashlib.sha256(file.read()).hexdigest()[:12]
        except OSError:
            continue
    return "unknown"


def complete_meta(out, code):
    """Adds what tools/run.sh adds after a guest has ended."""
    path = os.path.join(out, "meta")
    if not os.path.exists(path):
        return
    mib = int(knobs.text_of("/proc/meminfo").split()[1]) // 1024
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"config_hash {config_hash()}\nconfiguration {CONFIG}\nmem {mib}M\nexit_code {code}\n")


def load_again(module):
    """The scenarios unload the module at their end even if it was loaded before."""
    if module and not os.path.isdir(knobs.MODULE):
        fragbed_process.run(["insmod", module])


def run(scenario, parameters, out, force):
    out = os.path.abspath(out or f"fragbed-{scenario.name}-{datetime.datetime.now():%Y%m%d-%H%M%S}")
    env = environment(parameters, out, force)
    os.makedirs(out, exist_ok=True)
    module = module_file()
    if module:
        env["FRAGBED_MODULE"] = os.path.abspath(module)
    was_loaded = os.path.isdir(knobs.MODULE)
    code = fragbed_process.run(["sh", scenario.script], env=env)
    if was_loaded:
        load_again(env.get("FRAGBED_MODULE"))
    complete_meta(out, code)
    print(f"fragbed: {scenario.name}: exit code {code}, results are in {out}", file=sys.stderr)
    return code


def is_offered(scenario):
    return scenario.fragbed_run


def listing():
    return ["Scenarios, for 'fragbed run NAME [PARAMETER=VALUE...]'; all but those named first fill or",
            "fragment most of the memory and unload the module at their end", "",
            *scenarios.listing(offered=is_offered)]


def help_on(scenario):
    return [f"usage: fragbed run {scenario.name} [PARAMETER=VALUE...] [--out DIR] [--force]", "",
            scenario.title, *([""] + scenarios.parameter_lines(scenario) if scenario.parameters else [])]


def parser_of_run():
    parser = argparse.ArgumentParser(prog="fragbed run", add_help=False)
    parser.add_argument("scenario", nargs="?", metavar="SCENARIO")
    parser.add_argument("parameters", nargs="*", metavar="PARAMETER=VALUE")
    parser.add_argument("--force", action="store_true", help="do not leave a tenth of memory free")
    parser.add_argument("--out", metavar="DIR", help="instead of fragbed-SCENARIO-DATE here")
    parser.add_argument("-h", "--help", action="store_true", help="also on one scenario")
    return parser


def main(argv):
    parser = parser_of_run()
    options = parser.parse_intermixed_args(argv)
    try:
        return act_on(options, parser)
    except ModuleNotFoundError as error:
        raise knobs.Refused(f"fragbed: run: needs Python 3.11 or later ({error})") from None
    except scenarios.Unknown as error:
        raise knobs.Refused(f"fragbed: run: {error}") from None


def act_on(options, parser):
    if not options.scenario:
        print(parser.format_help() if options.help else "\n".join(listing()))
        return 0
    try:
        scenario = scenarios.find(options.scenario, is_offered)
    except scenarios.Unknown as error:
        parser.error(str(error))
    if options.help:
        print("\n".join(help_on(scenario)))
        return 0
    parameters = scenario.environment(options.parameters)
    if os.geteuid():
        raise knobs.Refused(f"fragbed: run: must be root: sudo fragbed {' '.join(sys.argv[1:])}")
    return run(scenario, parameters, options.out, options.force)
