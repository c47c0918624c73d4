#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Mutation testing: changes one place of the prepared tree at a time, rebuilds the kernel,
# runs the suites (or a script in a guest) and prints which case failed. The mutants are
# in kunit/mutants/, one file per suite:
#
#   [defaults]                  values for all mutants of the file: any key but id and rule
#   suite = "fragbed_capture"
#   file = "mm/page_alloc.c"
#
#   [[mutant]]
#   id = "capture-any-order"    unique over all files
#   rule = "C1"                 the rule of docs/rules.md that it breaks
#   file = "mm/page_alloc.c"    in the kernel tree
#   function = "compaction_capture"
#   from = "..."                text that occurs once in that function
#   to = "..."
#   nth = 2                     (optional) which occurrence, if there are several
#   suite = "fragbed_capture"   (optional) the suite that runs first; if it passes, all run
#   config = "uml"              (optional) the only configuration, instead of CONFIGS
#   script = "balance"          (optional) run this scenario or test instead of the suites
#   args = "page_owner=on"      (optional) kernel arguments for the script
#   "7.3" = { function = "f" }  (optional) keys that differ in Linux 7.3; false: the mutant
#                               does not exist there
#
# The run fails if a mutant survives, does not apply or does not build. One stream per CPU
# works on the mutants, each in a mount namespace of its own with overlays over the tree
# and the builds, so the originals never change.
import argparse
import contextlib
import ctypes
import fcntl
import fnmatch
import glob
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import tomllib

import boot
import configurations
import suites

TOOLS = os.path.dirname(os.path.realpath(__file__))
REPO = os.path.dirname(TOOLS)
CONFIGS = ("uml-small-blocks", "uml")
# The suites that run in a configuration; in the other configurations all suites run.
SUITES = {"uml-spb": "fragbed_spb_*"}
KEYS = {"id", "rule", "file", "function", "from", "to"}
OPTIONAL_KEYS = {"nth", "suite", "config", "script", "args"}
DEFAULT_KEYS = (KEYS | OPTIONAL_KEYS) - {"id", "rule"}
SERIES = re.compile(r"\d+\.\d+")
# The format of a mutant's number in the queue.
TICKET = struct.Struct("I")


def say(text):
    print(text, file=sys.stderr, flush=True)


class DoesNotApply(Exception):
    pass


def function_spans(text, function):
    """Start and end of the function's definitions; with #ifdef there may be two."""
    for match in re.finditer(rf"^(?=[^\s#/*}}])(?:.*\b)?{re.escape(function)}\(", text, re.M):
        start = text.find("\n{", match.start())
        end = text.find("\n}", start)
        if start > 0 and end > 0 and ";" not in text[match.start():start]:
            yield match.start(), end


def places(text, mutant):
    found = []
    for start, end in function_spans(text, mutant["function"]):
        at = text.find(mutant["from"], start, end)
        while at >= 0:
            found.append(at)
            at = text.find(mutant["from"], at + 1, end)
    return found


def mutate(text, mutant):
    found = places(text, mutant)
    nth = mutant.get("nth", 0)
    if not found:
        raise DoesNotApply(f"{mutant['function']}() does not contain its text")
    if nth > len(found) or (not nth and len(found) > 1):
        raise DoesNotApply(f"{mutant['function']}() contains its text {len(found)} times")
    at = found[nth - 1 if nth else 0]
    return text[:at] + mutant["to"] + text[at + len(mutant["from"]):]


def read_file(path):
    """The mutants of one file, each with the file's defaults."""
    with open(path, "rb") as file:
        try:
            content = tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            sys.exit(f"{path}: {error}")
    defaults = content.pop("defaults", {})
    mutants = [defaults | mutant for mutant in content.pop("mutant", [])]
    if content:
        sys.exit(f"{path}: unknown: {', '.join(content)}; known are [defaults] and [[mutant]]")
    check_keys(f"{path}: [defaults]", defaults, set(), DEFAULT_KEYS)
    for mutant in mutants:
        check_keys(f"{path}: mutant {mutant.get('id', '?')}", mutant, KEYS, KEYS | OPTIONAL_KEYS)
    return mutants


def check_keys(where, table, needed, known):
    if missing := sorted(needed - table.keys()):
        sys.exit(f"{where}: missing: {', '.join(missing)}")
    unknown = sorted(key for key in table.keys() - known if not SERIES.fullmatch(key))
    if unknown:
        sys.exit(f"{where}: unknown: {', '.join(unknown)}; known are {', '.join(sorted(known))} "
                 "and a version of Linux such as 7.3")


def read_table(path):
    """The mutants of a file, or of all files in a folder."""
    paths = [path]
    if os.path.isdir(path):
        paths = sorted(glob.glob(os.path.join(path, "*.toml")))
    mutants, file_of = [], {}
    for file in paths:
        for mutant in read_file(file):
            if mutant["id"] in file_of:
                sys.exit(f"{file}: mutant {mutant['id']} is in {file_of[mutant['id']]} already")
            file_of[mutant["id"]] = file
            mutants.append(mutant)
    return mutants


def series_of(tree):
    with open(os.path.join(tree, "Makefile"), encoding="utf-8") as file:
        number = dict(re.findall(r"^(VERSION|PATCHLEVEL) = (\d+)$", file.read(), re.M))
    return f"{number['VERSION']}.{number['PATCHLEVEL']}"


def for_series(mutants, series):
    """The mutants with that kernel's keys, without those that do not exist there."""
    absent = [mutant["id"] for mutant in mutants if mutant.get(series) is False]
    if absent:
        say(f"not in Linux {series}: {len(absent)} mutants: {', '.join(absent)}")
    return [mutant | mutant.get(series, {}) for mutant in mutants if mutant.get(series) is not False]


def _die_with_parent():
    ctypes.CDLL(None).prctl(boot.PR_SET_PDEATHSIG, signal.SIGTERM)


class Bench:
    """The prepared tree and its builds, as this process sees them."""

    def __init__(self, tree, out):
        self.tree, self.out = tree, out
        self.key = os.path.basename(os.path.dirname(tree))
        self.cache = tree.split("/trees/")[0]

    def folders(self):
        return [os.path.join(self.cache, name, self.key) for name in ("trees", "build")]

    def build_folder(self, config):
        return os.path.join(self.cache, "build", self.key, configurations.get(config).build)

    def make(self, config):
        """Rebuilds the configuration's kernel; returns the compiler's errors or None."""
        kernel = configurations.get(config)
        command = ["make", "-C", self.tree, "ARCH=" + kernel.arch, "O=" + self.build_folder(config),
                   f"-j{os.cpu_count()}", os.path.basename(kernel.image)]
        if os.environ.get("LLVM"):
            command.append("LLVM=" + os.environ["LLVM"])
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True,
                                   preexec_fn=_die_with_parent)
        try:
            _, errors = process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        return errors if process.returncode else None

    @contextlib.contextmanager
    def kernel(self, config):
        """A private folder with the configuration's kernel and the module, which no mutant
        changes."""
        with private_folder(self.cache) as folder:
            shutil.copy(os.path.join(self.build_folder(config), configurations.get(config).image),
                        os.path.join(folder, "linux"))
            shutil.copy(os.path.join(self.build_folder(config), "fragbed", "fragbed.ko"), folder)
            yield folder

    def run(self, config, which, limit, expected=None):
        """The suites whose names match the pattern."""
        with self.kernel(config) as folder:
            out = os.path.join(self.out, config)
            return suites.Suites(self.tree, config, folder, out, limit).run(which, expected)

    def run_script(self, config, script, args, limit):
        """Exit code and the first case that failed, or ''."""
        with self.kernel(config) as folder:
            done = subprocess.run(
                [os.path.join(TOOLS, "guest.sh"), "--config", config, "--kernel", folder,
                 "--timeout", str(int(limit)), "--args", args, "--out", os.path.join(self.out, script),
                 script],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        failed = re.search(r"^not ok \d+ - (.*)$", done.stdout, re.M)
        return done.returncode, failed[1] if failed else ""


@contextlib.contextmanager
def private_folder(cache):
    """Named as in common.sh, so that a later run removes it if this process is killed."""
    runs = os.path.join(cache, "run")
    os.makedirs(runs, exist_ok=True)
    folder = tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=runs)
    try:
        yield folder
    finally:
        # An overlay leaves a folder that even its owner must not read.
        subprocess.run(["chmod", "-R", "u+rwx", folder], stderr=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


def answer(tool, *args):
    done = subprocess.run([os.path.join(TOOLS, tool), *args], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout.strip()


def take_lock(tree):
    """Keeps other runs from building: the files below an overlay must not change."""
    cache, key = tree.split("/trees/")[0], os.path.basename(os.path.dirname(tree))
    path = os.path.join(cache, "locks", key)
    lock = open(path, "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"another run is working on {key}; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)
    os.environ["FRAGBED_LOCKS"] = os.environ.get("FRAGBED_LOCKS", "") + " " + path
    return lock


def clean_suites(bench, config, which):
    """The cases of these suites, and a time limit for their runs on mutants."""
    start = time.monotonic()
    result = bench.run(config, which, 120)
    took = time.monotonic() - start
    if result.exit_code() != suites.PASSED:
        result.show()
        sys.exit(f"{config}: {which} does not pass without a mutant")
    say(f"{config}: {which} passes without a mutant, {took:.0f}s")
    return result.expected, 10 + 4 * took


def clean_script(bench, config, script, args):
    """A time limit for the script's runs on mutants."""
    start = time.monotonic()
    code, case = bench.run_script(config, script, args, 300)
    took = time.monotonic() - start
    if code:
        sys.exit(f"{config}: {script} does not pass without a mutant: exit code {code} {case}")
    say(f"{config}: {script} passes without a mutant, {took:.0f}s")
    return 10 + 4 * took


def run_clean(bench, mutants):
    """Everything has to pass without a mutant first. Returns the cases and time limits by
    "config/suites", and the time limits by "config/script"."""
    clean = {}
    for config in sorted({config for mutant in mutants for config in configs_of(mutant)}):
        answer("build.sh", config)
    for config, which in sorted({(config, which) for mutant in mutants if "script" not in mutant
                                 for config in configs_of(mutant) for which in suites_of(mutant, config)}):
        clean[f"{config}/{which}"] = clean_suites(bench, config, which)
    for config, script, args in sorted({(configs_of(m)[0], *script_of(m)) for m in mutants if "script" in m}):
        clean[f"{config}/{script}"] = clean_script(bench, config, script, args)
    return clean


def configs_of(mutant):
    return (mutant["config"],) if "config" in mutant else CONFIGS


def suites_of(mutant, config):
    """The suites to run, in this order: the mutant's own, then all of the configuration."""
    own = [mutant["suite"]] if "suite" in mutant else []
    return [*own, SUITES.get(config, "fragbed_*")]


def script_of(mutant):
    return mutant["script"], mutant.get("args", "")


def try_script(bench, config, script, args, limit):
    code, case = bench.run_script(config, script, args, limit)
    if code == suites.SKIPPED:
        return "NOT TRIED", f"{script} is skipped"
    return ("killed", f"{case or suites.WORDS.get(code, code)} ({script})") if code else ("SURVIVED", "")


def try_suites(bench, config, mutant, clean):
    for which in suites_of(mutant, config):
        expected, limit = clean[f"{config}/{which}"]
        killer = bench.run(config, which, limit, expected).killer()
        if killer is not None:
            return "killed", f"{killer} ({config})"
    return "SURVIVED", ""


def try_config(bench, config, mutant, clean):
    """(verdict, detail) in one configuration; a verdict other than SURVIVED is final."""
    errors = bench.make(config)
    if errors is not None:
        line = next((line for line in errors.splitlines() if "error" in line), "see make")
        return "DOES NOT BUILD", line
    if "script" in mutant:
        return try_script(bench, config, *script_of(mutant), clean[f"{config}/{mutant['script']}"])
    return try_suites(bench, config, mutant, clean)


def try_mutant(bench, mutant, clean):
    path = os.path.join(bench.tree, mutant["file"])
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        mutated = mutate(text, mutant)
    except (OSError, DoesNotApply) as error:
        return "DOES NOT APPLY", str(error)
    write(path, mutated)
    try:
        for config in configs_of(mutant):
            verdict, detail = try_config(bench, config, mutant, clean)
            if verdict != "SURVIVED":
                break
        return verdict, detail
    finally:
        write(path, text)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def show_row(mutant, row):
    by = f"killed by {row['detail']}" if row["verdict"] == "killed" else f"{row['verdict']} {row['detail']}".rstrip()
    print(f"{mutant['id']:<36} {mutant['rule']:<5} {by}  [{row['seconds']:.0f}s]", flush=True)


def lay_over(folder, upper):
    """Mounts an overlay: this process's changes to folder go to upper."""
    changes, work = (os.path.join(upper, name) for name in ("changes", "work"))
    os.makedirs(changes)
    os.makedirs(work)
    options = f"userxattr,lowerdir={folder},upperdir={changes},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", folder], check=True)


def work_off(plan, number):
    """A stream: takes mutants from the queue until it is empty, and writes a line of
    JSON for each. Runs in a mount namespace of its own."""
    bench = Bench(plan["tree"], os.path.join(plan["out"], f"stream-{number}"))
    with private_folder(bench.cache) as upper, open(answers_of(plan, number), "w") as answers:
        for folder in bench.folders():
            lay_over(folder, os.path.join(upper, os.path.basename(os.path.dirname(folder))))
        while ticket := os.read(plan["queue"], TICKET.size):
            mutant = plan["mutants"][TICKET.unpack(ticket)[0]]
            start = time.monotonic()
            verdict, detail = try_mutant(bench, mutant, plan["clean"])
            row = {"id": mutant["id"], "rule": mutant["rule"], "verdict": verdict,
                   "detail": detail, "seconds": round(time.monotonic() - start, 1)}
            show_row(mutant, row)
            print(json.dumps(row), file=answers, flush=True)
        os.chdir("/")
        for folder in bench.folders():
            subprocess.run(["umount", folder], check=False)
    return 0


def answers_of(plan, number):
    return os.path.join(plan["out"], f"stream-{number}.json")


def start_stream(plan, path, number):
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return subprocess.Popen(
        ["unshare", "--mount", *root, sys.executable, os.path.realpath(__file__),
         "--stream", str(number), "--plan", path],
        stdin=subprocess.DEVNULL, pass_fds=(plan["queue"], plan["lock"]), preexec_fn=_die_with_parent)


def run_streams(plan, streams):
    """Returns the rows; the mutants of a stream that died have none."""
    path = os.path.join(plan["out"], "plan.json")
    with open(path, "w") as file:
        json.dump(plan, file)
    running = [start_stream(plan, path, number) for number in range(streams)]
    try:
        for process in running:
            process.wait()
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
    rows = []
    for number in range(streams):
        with contextlib.suppress(OSError), open(answers_of(plan, number)) as file:
            rows += map(json.loads, file)
    return rows


def queue_of(nr_mutants):
    """A pipe from which each stream reads the number of its next mutant."""
    reader, writer = os.pipe()
    for number in range(nr_mutants):
        os.write(writer, TICKET.pack(number))
    os.close(writer)
    return reader


def write_results(options, rows, killed, wanted):
    if options.counts:
        counts = os.environ.get("FRAGBED_COUNTS_DIR") or os.path.join(REPO, "build", "counts")
        os.makedirs(counts, exist_ok=True)
        with open(os.path.join(counts, "mutants"), "w") as file:
            print(killed, wanted - killed, 0, file=file)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)


def run(options, mutants):
    tree = answer("prepare.sh")
    mutants = for_series(mutants, series_of(tree))
    if not mutants:
        sys.exit("no mutant is left")
    out = os.path.join(REPO, "build", "mutants")
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    lock = take_lock(tree)
    bench = Bench(tree, out)
    clean = run_clean(bench, mutants)
    plan = {"tree": tree, "out": out, "lock": lock.fileno(), "queue": queue_of(len(mutants)),
            "mutants": mutants, "clean": clean}
    rows = run_streams(plan, min(options.streams, len(mutants)))
    killed = sum(row["verdict"] == "killed" for row in rows)
    survived = [row["id"] for row in rows if row["verdict"] == "SURVIVED"]
    print(f"{len(mutants)} mutants, {killed} killed, {len(survived)} survived", end="")
    not_tried = len(mutants) - killed - len(survived)
    print(f", {not_tried} not tried" if not_tried else "")
    for name in survived:
        print(f"SURVIVED: {name}")
    write_results(options, rows, killed, len(mutants))
    return 0 if killed == len(mutants) else 1


def main():
    parser = argparse.ArgumentParser(description="mutation testing of the suites")
    parser.add_argument("--table", default=os.path.join(REPO, "kunit", "mutants"),
                        metavar="PATH", help="a file, or a folder of them (kunit/mutants)")
    parser.add_argument("--only", metavar="GLOB", default="*", help="by id or rule")
    parser.add_argument("--share", metavar="N", type=int, default=1,
                        help="every Nth mutant; each commit starts at another one")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--streams", type=int, default=os.cpu_count(), metavar="N",
                        help="mutants tried in parallel (one per CPU)")
    parser.add_argument("--no-counts", dest="counts", action="store_false",
                        help="do not write build/counts")
    parser.add_argument("--stream", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--plan", help=argparse.SUPPRESS)
    options = parser.parse_args()
    boot.stop_on_signals()
    try:
        return work_off(suites.read_json(options.plan), options.stream) if options.plan else table_run(options)
    except boot.Stopped as stopped:
        if not options.plan:
            say(f"stopped by {stopped}; the tree is as it was")
        return stopped.exit_code


def turn_of(share):
    """The part of the table that this commit has to try."""
    if share < 1:
        sys.exit(f"--share {share}: must be 1 or more")
    if share == 1:
        return 0
    done = subprocess.run(["git", "-C", REPO, "rev-list", "--count", "HEAD"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    turn = int(done.stdout or 0) % share
    say(f"part {turn + 1} of {share} of the table")
    return turn


def table_run(options):
    mutants = [m for m in read_table(options.table)
               if fnmatch.fnmatch(m["id"], options.only) or fnmatch.fnmatch(m["rule"], options.only)]
    mutants = mutants[turn_of(options.share)::options.share]
    if options.list:
        for mutant in mutants:
            print(f"{mutant['id']:<36} {mutant['rule']:<5} {mutant['file']}: {mutant['function']}()")
        return 0
    if not mutants:
        sys.exit(f"no mutant matches {options.only}")
    return run(options, mutants)


if __name__ == "__main__":
    sys.exit(main())
