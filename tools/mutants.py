#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Applies one small wrong change at a time to the prepared tree, rebuilds, runs
# the suites or a script in a guest, and prints which case noticed. The changes are in
# kunit/mutants.toml:
#
#   [[mutant]]
#   id = "capture-any-order"    a name
#   rule = "C1"                 the rule it breaks
#   file = "mm/page_alloc.c"    in the kernel tree
#   function = "compaction_capture"
#   from = "..."                text that stands once in that function
#   to = "..."
#   nth = 2                     (optional) the second place, if there are more
#   config = "uml"                (optional) only there, not in CONFIGS
#   script = "balance"          (optional) a scenario or test of debugfs-scripts/, not the suites
#   args = "page_owner=on"      (optional) for the kernel when it runs the script
#   "7.3" = { function = "f" }  (optional) what is otherwise in Linux 7.3; false: it
#                               has nothing to break
#
# A mutant that no suite notices is a failure. So is one that does not apply or
# build. One stream per CPU works on the mutants, each in a mount namespace of its
# own where overlays lie over the tree and the builds: the real ones never change.
import argparse
import contextlib
import ctypes
import fcntl
import fnmatch
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
# The suites that judge in a configuration; all of them in the others.
SUITES = {"uml-spb": "fragbed_spb_*"}
# The suite that is asked first, by the beginning of the rule.
FIRST = {
    "FP": "fragbed_free_paths",
    "SP": "fragbed_spb_pick", "SI": "fragbed_spb_index", "SS": "fragbed_spb_steering",
    "SC": "fragbed_spb_steering", "SD": "fragbed_spb_defrag", "SK": "fragbed_spb_defrag",
    "SE": "fragbed_spb_evacuate", "SH": "fragbed_spb_shrink", "SB": "fragbed_spb_boot",
    "SR": "fragbed_spb_check",
}
KEYS = {"id", "rule", "file", "function", "from", "to"}
OPTIONAL_KEYS = {"nth", "config", "script", "args"}
SERIES = re.compile(r"\d+\.\d+")
# How a mutant's number goes through the queue.
TICKET = struct.Struct("I")


def say(text):
    print(text, file=sys.stderr, flush=True)


class DoesNotApply(Exception):
    pass


def function_spans(text, function):
    """Where the function's definitions start and end; #ifdef may give it two."""
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
        raise DoesNotApply(f"its text is not in {mutant['function']}()")
    if nth > len(found) or (not nth and len(found) > 1):
        raise DoesNotApply(f"its text is {len(found)} times in {mutant['function']}()")
    at = found[nth - 1 if nth else 0]
    return text[:at] + mutant["to"] + text[at + len(mutant["from"]):]


def read_table(path):
    with open(path, "rb") as file:
        mutants = tomllib.load(file).get("mutant", [])
    for mutant in mutants:
        unknown = {key for key in mutant.keys() - KEYS - OPTIONAL_KEYS if not SERIES.fullmatch(key)}
        wrong = (KEYS - mutant.keys()) | unknown
        if wrong:
            sys.exit(f"{path}: mutant {mutant.get('id', '?')}: missing or unknown: {', '.join(sorted(wrong))}")
    names = [mutant["id"] for mutant in mutants]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        sys.exit(f"{path}: twice: {', '.join(sorted(twice))}")
    return mutants


def series_of(tree):
    with open(os.path.join(tree, "Makefile"), encoding="utf-8") as file:
        number = dict(re.findall(r"^(VERSION|PATCHLEVEL) = (\d+)$", file.read(), re.M))
    return f"{number['VERSION']}.{number['PATCHLEVEL']}"


def for_series(mutants, series):
    """As they are in that kernel, without those that it has no place for."""
    absent = [mutant["id"] for mutant in mutants if mutant.get(series) is False]
    if absent:
        say(f"Linux {series} has nothing to break for {len(absent)}: {', '.join(absent)}")
    return [mutant | mutant.get(series, {}) for mutant in mutants if mutant.get(series) is not False]


def _die_with_parent():
    ctypes.CDLL(None).prctl(boot.PR_SET_PDEATHSIG, signal.SIGTERM)


class Bench:
    """The prepared tree with its builds, as this process sees them."""

    def __init__(self, tree, out):
        self.tree, self.out = tree, out
        self.key = os.path.basename(os.path.dirname(tree))
        self.cache = tree.split("/trees/")[0]

    def folders(self):
        return [os.path.join(self.cache, name, self.key) for name in ("trees", "build")]

    def build_folder(self, config):
        return os.path.join(self.cache, "build", self.key, configurations.CONFIGURATIONS[config].build)

    def make(self, config):
        """Rebuilds the configuration's kernel; returns what the compiler said or None."""
        kernel = configurations.CONFIGURATIONS[config]
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
        """The configuration's kernel and the module, which no mutant changes, in a private
        folder, named as the shell tools do it."""
        with private_folder(self.cache) as folder:
            shutil.copy(os.path.join(self.build_folder(config), configurations.CONFIGURATIONS[config].image),
                        os.path.join(folder, "linux"))
            shutil.copy(os.path.join(self.build_folder(config), "fragbed", "fragbed.ko"), folder)
            yield folder

    def run(self, config, limit, expected=None, glob=None):
        with self.kernel(config) as folder:
            out = os.path.join(self.out, config)
            return suites.Suites(self.tree, config, folder, out, limit).run(
                glob or SUITES.get(config, "fragbed_*"), expected)

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
    """Named as the shell tools do it, who clean up after the dead."""
    runs = os.path.join(cache, "run")
    os.makedirs(runs, exist_ok=True)
    folder = tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=runs)
    try:
        yield folder
    finally:
        # An overlay leaves a folder that not even its owner may read.
        subprocess.run(["chmod", "-R", "u+rwx", folder], stderr=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


def answer(tool, *args):
    done = subprocess.run([os.path.join(TOOLS, tool), *args], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout.strip()


def take_lock(tree):
    """Nobody else builds meanwhile: the overlays want the files below to stay."""
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


def clean_suites(bench, config):
    """The configuration's cases and a time limit for the mutants' runs."""
    start = time.monotonic()
    result = bench.run(config, 120)
    took = time.monotonic() - start
    if result.exit_code() != suites.PASSED:
        result.show()
        sys.exit("the suites are not green without a mutant")
    say(f"{config}: green without a mutant, {took:.0f}s")
    return result.expected, 10 + 4 * took


def clean_script(bench, config, script, args):
    """A time limit for the mutants' runs."""
    start = time.monotonic()
    code, case = bench.run_script(config, script, args, 300)
    took = time.monotonic() - start
    if code:
        sys.exit(f"{script}.sh is not green without a mutant: exit code {code} {case}")
    say(f"{config}: {script}.sh is green without a mutant, {took:.0f}s")
    return 10 + 4 * took


def run_clean(bench, mutants):
    """Everything has to be green before a mutant means anything. Returns the cases
    and time limits by config, and the limits by config/script."""
    clean = {}
    for config in sorted({config for mutant in mutants for config in configs_of(mutant)}):
        answer("build.sh", config)
        if any("script" not in mutant and config in configs_of(mutant) for mutant in mutants):
            clean[config] = clean_suites(bench, config)
    for config, script, args in sorted({(configs_of(m)[0], *script_of(m)) for m in mutants if "script" in m}):
        clean[f"{config}/{script}"] = clean_script(bench, config, script, args)
    return clean


def configs_of(mutant):
    return (mutant["config"],) if "config" in mutant else CONFIGS


def script_of(mutant):
    return mutant["script"], mutant.get("args", "")


def try_script(bench, config, script, args, limit):
    code, case = bench.run_script(config, script, args, limit)
    if code == suites.SKIPPED:
        return "NOT TRIED", f"{script}.sh skips"
    return ("killed", f"{case or suites.WORDS.get(code, code)} ({script}.sh)") if code else ("SURVIVED", "")


def try_config(bench, config, mutant, clean):
    """(verdict, detail) in one configuration; a verdict other than SURVIVED is final."""
    errors = bench.make(config)
    if errors is not None:
        line = next((line for line in errors.splitlines() if "error" in line), "see make")
        return "DOES NOT BUILD", line
    if "script" in mutant:
        return try_script(bench, config, *script_of(mutant), clean[f"{config}/{mutant['script']}"])
    killer = ask_suites(bench, config, mutant["rule"][:2], *clean[config])
    return ("SURVIVED", "") if killer is None else ("killed", f"{killer} ({config})")


def ask_suites(bench, config, rules, expected, limit):
    """Who noticed: the suite of these rules is asked alone, and then all if it did not."""
    first = FIRST.get(rules) if config in SUITES else None
    own = [case for case in expected if case.startswith(f"{first}.")]
    killer = bench.run(config, limit, own, first).killer() if own else None
    return killer if killer is not None else bench.run(config, limit, expected).killer()


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
    """From now on this process changes upper, while folder seems to change."""
    changes, work = (os.path.join(upper, name) for name in ("changes", "work"))
    os.makedirs(changes)
    os.makedirs(work)
    options = f"userxattr,lowerdir={folder},upperdir={changes},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", folder], check=True)


def work_off(plan, number):
    """A stream: takes mutants from the queue until it is empty, and answers with
    a line of JSON each. Runs in a mount namespace of its own."""
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
    """Returns the rows; a stream that ended badly leaves its mutants without."""
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
    """A pipe that streams read their next mutant's number from."""
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
    parser = argparse.ArgumentParser(description="tries wrong kernels on the suites")
    parser.add_argument("--table", default=os.path.join(REPO, "kunit", "mutants.toml"))
    parser.add_argument("--only", metavar="GLOB", default="*", help="by id or rule")
    parser.add_argument("--share", metavar="N", type=int, default=1,
                        help="one in N of them, with each commit others")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--streams", type=int, default=os.cpu_count(), metavar="N",
                        help="how many at a time (one per CPU)")
    parser.add_argument("--no-counts", dest="counts", action="store_false",
                        help="leave build/counts alone")
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
    """Which of so many parts of the table this commit has to try."""
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
