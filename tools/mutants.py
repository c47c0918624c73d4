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
#   lane = "uml"                (optional) only there, not in LANES
#   script = "balance"          (optional) debugfs-scripts/balance.sh, not the suites
#   args = "page_owner=on"      (optional) for the kernel when it runs the script
#
# A mutant that no suite notices is a failure. So is one that does not apply or
# build. --restore TREE takes back what a killed run left behind.
import argparse
import contextlib
import ctypes
import fcntl
import fnmatch
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib

import boot
import lanes
import suites

TOOLS = os.path.dirname(os.path.realpath(__file__))
REPO = os.path.dirname(TOOLS)
LANES = ("uml-small-blocks", "uml")
# The suites that judge in a lane; all of them in the others.
SUITES = {"uml-spb": "fragbed_spb_*"}
KEYS = {"id", "rule", "file", "function", "from", "to"}
OPTIONAL_KEYS = {"nth", "lane", "script", "args"}


def say(text):
    print(text, file=sys.stderr, flush=True)


class DoesNotApply(Exception):
    pass


class Journal:
    """Keeps the original of the one file that is changed at a time.

    It is complete when the name is there: the original is stored first and the
    file changed last, so any kill in between can be undone.
    """

    def __init__(self, tree):
        self.tree = tree
        self.folder = os.path.join(tree, ".fragbed-mutant")
        self.original = os.path.join(self.folder, "original")
        self.name = os.path.join(self.folder, "name")

    def begin(self, file):
        os.makedirs(self.folder, exist_ok=True)
        shutil.copyfile(os.path.join(self.tree, file), self.original)
        replace(self.name, file)

    def restore(self):
        """With a new time: the object files were built from the mutant."""
        if os.path.exists(self.name):
            with open(self.name) as file:
                target = os.path.join(self.tree, file.read())
            with open(self.original, encoding="utf-8") as file:
                replace(target, file.read())
            os.remove(self.name)
        shutil.rmtree(self.folder, ignore_errors=True)


def replace(path, text):
    """All or nothing, with the old file's mode."""
    temp = path + ".fragbed-new"
    with open(temp, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if os.path.exists(path):
        shutil.copymode(path, temp)
    os.rename(temp, path)


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
        wrong = (KEYS - mutant.keys()) | (mutant.keys() - KEYS - OPTIONAL_KEYS)
        if wrong:
            sys.exit(f"{path}: mutant {mutant.get('id', '?')}: missing or unknown: {', '.join(sorted(wrong))}")
    names = [mutant["id"] for mutant in mutants]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        sys.exit(f"{path}: twice: {', '.join(sorted(twice))}")
    return mutants


def _die_with_parent():
    ctypes.CDLL(None).prctl(boot.PR_SET_PDEATHSIG, signal.SIGTERM)


class Bench:
    """The prepared tree with its builds, locked for this process."""

    def __init__(self, out):
        self.tree = self.answer("prepare.sh")
        self.key = os.path.basename(os.path.dirname(self.tree))
        self.cache = self.tree.split("/trees/")[0]
        self.out = out
        self.journal = Journal(self.tree)
        self.lock = self.take_lock()

    def answer(self, tool, *args):
        done = subprocess.run([os.path.join(TOOLS, tool), *args], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.returncode)
        return done.stdout.strip()

    def take_lock(self):
        path = os.path.join(self.cache, "locks", self.key)
        lock = open(path, "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another run is working on {self.key}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.environ["FRAGBED_LOCKS"] = os.environ.get("FRAGBED_LOCKS", "") + " " + path
        return lock

    def build_folder(self, lane):
        return os.path.join(self.cache, "build", self.key, lanes.LANES[lane].build)

    def make(self, lane):
        """Rebuilds the lane's kernel; returns what the compiler said or None.

        make and its children hold the lock as well: should this process be
        killed, nobody touches the tree before the last compiler has ended.
        """
        kernel = lanes.LANES[lane]
        command = ["make", "-C", self.tree, "ARCH=" + kernel.arch, "O=" + self.build_folder(lane),
                   f"-j{os.cpu_count()}", os.path.basename(kernel.image)]
        if os.environ.get("LLVM"):
            command.append("LLVM=" + os.environ["LLVM"])
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True,
                                   pass_fds=(self.lock.fileno(),), preexec_fn=_die_with_parent)
        try:
            _, errors = process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        return errors if process.returncode else None

    @contextlib.contextmanager
    def kernel(self, lane):
        """The lane's kernel and the module, which no mutant changes, in a private
        folder, named as the shell tools do it."""
        runs = os.path.join(self.cache, "run")
        os.makedirs(runs, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=runs)
        try:
            shutil.copy(os.path.join(self.build_folder(lane), lanes.LANES[lane].image),
                        os.path.join(folder, "linux"))
            shutil.copy(os.path.join(self.build_folder(lane), "fragbed", "fragbed.ko"), folder)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run(self, lane, limit, expected=None):
        with self.kernel(lane) as folder:
            out = os.path.join(self.out, lane)
            return suites.Suites(self.tree, lane, folder, out, limit).run(
                SUITES.get(lane, "fragbed_*"), expected)

    def run_script(self, lane, script, args, limit):
        """Exit code and the first case that failed, or ''."""
        with self.kernel(lane) as folder:
            done = subprocess.run(
                [os.path.join(TOOLS, "guest.sh"), "--lane", lane, "--kernel", folder,
                 "--timeout", str(int(limit)), "--args", args, "--out", os.path.join(self.out, script),
                 os.path.join(REPO, "debugfs-scripts", script + ".sh")],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        failed = re.search(r"^not ok \d+ - (.*)$", done.stdout, re.M)
        return done.returncode, failed[1] if failed else ""


def clean_suites(bench, lane):
    """The lane's cases and a time limit for the mutants' runs."""
    start = time.monotonic()
    result = bench.run(lane, 120)
    took = time.monotonic() - start
    if result.exit_code() != suites.PASSED:
        result.show()
        sys.exit("the suites are not green without a mutant")
    say(f"{lane}: green without a mutant, {took:.0f}s")
    return result.expected, 10 + 4 * took


def clean_script(bench, lane, script, args):
    """A time limit for the mutants' runs."""
    start = time.monotonic()
    code, case = bench.run_script(lane, script, args, 300)
    took = time.monotonic() - start
    if code:
        sys.exit(f"{script}.sh is not green without a mutant: exit code {code} {case}")
    say(f"{lane}: {script}.sh is green without a mutant, {took:.0f}s")
    return 10 + 2 * took


def run_clean(bench, mutants):
    """Everything has to be green before a mutant means anything."""
    clean = {}
    for lane in sorted({lane for mutant in mutants for lane in lanes_of(mutant)}):
        bench.answer("build.sh", lane)
        if any("script" not in mutant and lane in lanes_of(mutant) for mutant in mutants):
            clean[lane] = clean_suites(bench, lane)
    for lane, script, args in sorted({(lanes_of(m)[0], *script_of(m)) for m in mutants if "script" in m}):
        clean[lane, script] = clean_script(bench, lane, script, args)
    return clean


def lanes_of(mutant):
    return (mutant["lane"],) if "lane" in mutant else LANES


def script_of(mutant):
    return mutant["script"], mutant.get("args", "")


def try_script(bench, lane, script, args, limit):
    code, case = bench.run_script(lane, script, args, limit)
    if code == suites.SKIPPED:
        return "NOT TRIED", f"{script}.sh skips"
    return ("killed", f"{case or suites.WORDS.get(code, code)} ({script}.sh)") if code else ("SURVIVED", "")


def try_lane(bench, lane, mutant, clean):
    """(verdict, detail) in one lane; a verdict other than SURVIVED is final."""
    errors = bench.make(lane)
    if errors is not None:
        line = next((line for line in errors.splitlines() if "error" in line), "see make")
        return "DOES NOT BUILD", line
    if "script" in mutant:
        return try_script(bench, lane, *script_of(mutant), clean[lane, mutant["script"]])
    expected, limit = clean[lane]
    killer = bench.run(lane, limit, expected).killer()
    return ("SURVIVED", "") if killer is None else ("killed", f"{killer} ({lane})")


def try_mutant(bench, mutant, clean):
    path = os.path.join(bench.tree, mutant["file"])
    try:
        with open(path, encoding="utf-8") as file:
            text = mutate(file.read(), mutant)
    except (OSError, DoesNotApply) as error:
        return "DOES NOT APPLY", str(error)
    try:
        bench.journal.begin(mutant["file"])
        replace(path, text)
        for lane in lanes_of(mutant):
            verdict, detail = try_lane(bench, lane, mutant, clean)
            if verdict != "SURVIVED":
                break
        return verdict, detail
    finally:
        bench.journal.restore()


def checksums(tree, mutants):
    sums = {}
    for name in sorted({mutant["file"] for mutant in mutants}):
        with contextlib.suppress(OSError), open(os.path.join(tree, name), "rb") as file:
            sums[name] = hashlib.sha256(file.read()).hexdigest()
    return sums


def show_row(mutant, verdict, detail, took):
    by = f"{verdict} by {detail}" if verdict == "killed" else f"{verdict} {detail}".rstrip()
    print(f"{mutant['id']:<36} {mutant['rule']:<5} {by}  [{took:.0f}s]", flush=True)


def run_table(bench, mutants, clean):
    rows = []
    for number, mutant in enumerate(mutants, 1):
        start = time.monotonic()
        say(f"mutant {number}/{len(mutants)}: {mutant['id']}")
        verdict, detail = try_mutant(bench, mutant, clean)
        took = time.monotonic() - start
        show_row(mutant, verdict, detail, took)
        rows.append({"id": mutant["id"], "rule": mutant["rule"], "verdict": verdict,
                     "detail": detail, "seconds": round(took, 1)})
    return rows


def write_results(options, rows, killed):
    if options.counts:
        counts = os.environ.get("FRAGBED_COUNTS_DIR") or os.path.join(REPO, "build", "counts")
        os.makedirs(counts, exist_ok=True)
        with open(os.path.join(counts, "mutants"), "w") as file:
            print(killed, len(rows) - killed, 0, file=file)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)


def run(options, mutants):
    bench = Bench(os.path.join(REPO, "build", "mutants"))
    clean = run_clean(bench, mutants)
    before = checksums(bench.tree, mutants)
    rows = run_table(bench, mutants, clean)
    same = checksums(bench.tree, mutants) == before
    print(f"the {len(before)} files that were changed are byte for byte as they were" if same
          else "FAILED: the tree is not as it was")
    killed = sum(row["verdict"] == "killed" for row in rows)
    survived = sum(row["verdict"] == "SURVIVED" for row in rows)
    print(f"{len(rows)} mutants, {killed} killed, {survived} survived", end="")
    print(f", {len(rows) - killed - survived} not tried" if killed + survived < len(rows) else "")
    write_results(options, rows, killed)
    return 0 if rows and killed == len(rows) and same else 1


def main():
    parser = argparse.ArgumentParser(description="tries wrong kernels on the suites")
    parser.add_argument("--table", default=os.path.join(REPO, "kunit", "mutants.toml"))
    parser.add_argument("--only", metavar="GLOB", default="*", help="by id or rule")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--no-counts", dest="counts", action="store_false",
                        help="leave build/counts alone")
    parser.add_argument("--restore", metavar="TREE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.restore:
        Journal(options.restore).restore()
        return 0
    mutants = [m for m in read_table(options.table)
               if fnmatch.fnmatch(m["id"], options.only) or fnmatch.fnmatch(m["rule"], options.only)]
    if options.list:
        for mutant in mutants:
            print(f"{mutant['id']:<36} {mutant['rule']:<5} {mutant['file']}: {mutant['function']}()")
        return 0
    if not mutants:
        sys.exit(f"no mutant matches {options.only}")
    boot.stop_on_signals()
    try:
        return run(options, mutants)
    except boot.Stopped as stopped:
        say(f"stopped by {stopped}; the tree is as it was")
        return stopped.exit_code


if __name__ == "__main__":
    sys.exit(main())
