# SPDX-License-Identifier: GPL-2.0
#
# fragbed run: the scenarios, on this machine instead of in a guest. They are plain shell
# scripts; this gives them what tools/guest.sh and tools/guest-init.sh give them there.
import argparse
import datetime
import gzip
import hashlib
import os
import subprocess
import sys
import textwrap

import fragbed_knobs as knobs
import fragbed_process

# The folder that has command/ and scenarios/.
SCRIPTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
CONFIG = "this-machine"
SCENARIOS = ("quick", "compact", "soak", "pressure", "defrag", "packing", "atomic", "beside")


def script_of(name):
    return os.path.join(SCRIPTS, "scenarios", name, "guest.sh")


def first_sentence(path):
    """Of the first comment after the licence."""
    words = []
    with open(path, encoding="utf-8") as file:
        for line in list(file)[2:]:
            text = line.lstrip("#").strip()
            if not line.startswith("#") or (words and not text):
                break
            words += text.split()
            if text.endswith(".") or ". " in text:
                break
    return " ".join(words).split(". ")[0].rstrip(".")


def module_file():
    """Of fragbed.ko; the scripts say themselves if they cannot do without."""
    named = os.environ.get("FRAGBED_MODULE")
    if named:
        return named
    try:
        found = subprocess.run(["modinfo", "-n", "fragbed"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, check=False, text=True)
        installed = found.stdout.strip()
    except OSError:
        installed = ""
    built = os.path.join(os.path.dirname(SCRIPTS), "fragbed.ko")
    return next((path for path in (installed, built) if os.path.isfile(path)), None)


def environment(out, choices, force):
    """What tools/guest.sh promises the scripts. A choice SECONDS=5 is FRAGBED_JOB_SECONDS.
    By force they may take memory down to the watermarks, as in a guest."""
    env = dict(os.environ, FRAGBED_REPO=os.path.dirname(SCRIPTS), FRAGBED_OUT=out,
               FRAGBED_CONFIG=CONFIG, FRAGBED_COUNTS=os.path.join(out, "counts"),
               PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")
    env.pop("FRAGBED_FORCE", None)
    if force:
        env["FRAGBED_FORCE"] = "1"
    for choice in choices:
        name, is_choice, value = choice.partition("=")
        if not is_choice or not name.isidentifier():
            raise knobs.Refused(f"fragbed: run: {choice}: must be NAME=VALUE, such as SECONDS=5")
        env[f"FRAGBED_JOB_{name.upper()}"] = value
    return env


def config_hash():
    """Of the running kernel's configuration, where it is told."""
    places = ((f"/boot/config-{os.uname().release}", open), ("/proc/config.gz", gzip.open))
    for path, opened in places:
        try:
            with opened(path, "rb") as file:
                return hashlib.sha256(file.read()).hexdigest()[:12]
        except OSError:
            continue
    return "unknown"


def complete_meta(out, code):
    """scenarios/compact/run.sh adds the same after a guest has ended."""
    path = os.path.join(out, "raw", "meta")
    if not os.path.exists(path):
        return
    mib = int(knobs.text_of("/proc/meminfo").split()[1]) // 1024
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"config_hash {config_hash()}\nconfiguration {CONFIG}\nmem {mib}M\nexit_code {code}\n")


def load_again(module):
    """The scenarios unload it at their end, whoever has loaded it."""
    if module and not os.path.isdir(knobs.MODULE):
        fragbed_process.run(["insmod", module])


def run(name, choices, out, force):
    out = os.path.abspath(out or f"fragbed-{name}-{datetime.datetime.now():%Y%m%d-%H%M%S}")
    env = environment(out, choices, force)
    os.makedirs(out, exist_ok=True)
    module = module_file()
    if module:
        env["FRAGBED_MODULE"] = os.path.abspath(module)
    was_loaded = os.path.isdir(knobs.MODULE)
    code = fragbed_process.run(["sh", script_of(name)], env=env)
    if was_loaded:
        load_again(env.get("FRAGBED_MODULE"))
    complete_meta(out, code)
    print(f"fragbed: {name}: exit code {code}, what it left is in {out}", file=sys.stderr)
    return code


def listing():
    lines = ["Scenarios, for 'fragbed run NAME [CHOICE=VALUE...]'; each script tells its choices", ""]
    for name in SCENARIOS:
        lines += textwrap.wrap(first_sentence(script_of(name)), 96, initial_indent=f"  {name:<14}",
                               subsequent_indent=" " * 16)
    return lines


def main(argv):
    parser = argparse.ArgumentParser(prog="fragbed run")
    parser.add_argument("scenario", nargs="?", choices=SCENARIOS, metavar="SCENARIO")
    parser.add_argument("choices", nargs="*", metavar="CHOICE=VALUE")
    parser.add_argument("--force", action="store_true", help="do not leave a tenth of memory free")
    parser.add_argument("--out", metavar="DIR", help="instead of fragbed-SCENARIO-DATE here")
    options = parser.parse_args(argv)
    if not options.scenario:
        print("\n".join(listing()))
        return 0
    if os.geteuid():
        raise knobs.Refused(f"fragbed: run: must be root: sudo fragbed {' '.join(sys.argv[1:])}")
    return run(options.scenario, options.choices, options.out, options.force)
