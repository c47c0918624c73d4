#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# test.py test|faults [PART...]
#
# Runs what tools/tests.toml lists for "make test" or "make faults", in the set that $CONFIG
# names (uml), with SANITIZE=1 in kernels with sanitizers. PART: only parts whose name begins
# like that. Builds the kernels first. The streams run in parallel; a part that fails stops
# no other. The last line adds up all counts. Exit code: 0 all passed, 1 not.
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading

import boot
import machine
import plan

TOOLS = os.path.dirname(os.path.realpath(__file__))
OUT = os.path.join(os.path.dirname(TOOLS), "build")


class Children:
    """The processes that the streams wait for: a signal ends them all."""

    def __init__(self):
        self.lock, self.running, self.stopped = threading.Lock(), set(), False

    def run(self, command, output, env):
        """The exit code; None if this run was stopped."""
        with self.lock:
            if self.stopped:
                return None
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, env=env,
                                       stderr=subprocess.STDOUT if output else None)
            self.running.add(process)
        code = process.wait()
        with self.lock:
            self.running.discard(process)
        return code

    def stop(self):
        with self.lock:
            self.stopped = True
            for process in self.running:
                process.terminate()


class Run:
    """One run of a set, in a private folder."""

    def __init__(self, target, name, parts, folder):
        self.target, self.name, self.parts, self.folder = target, name, parts, folder
        self.counts = os.path.join(folder, "counts")
        self.env = os.environ | {"FRAGBED_COUNTS_DIR": self.counts}
        self.codes, self.children = {}, Children()
        os.mkdir(self.counts)

    def build(self):
        for build in dict.fromkeys(build for part in self.parts for build in part.builds()):
            os.mkdir(os.path.join(self.folder, build))
            subprocess.run([os.path.join(TOOLS, "build.sh"), build, os.path.join(self.folder, build)],
                           stdout=subprocess.DEVNULL, check=True)

    def stream(self, number, output):
        for part in self.parts:
            if part.stream == number:
                print(f"== {part.name}", file=output, flush=True)
                self.codes[part.name] = self.children.run(part.command(self.folder, OUT), output, self.env)

    def run_streams(self):
        """The first stream writes to our output at once, each of the others when all have ended."""
        first, *others = sorted({part.stream for part in self.parts})
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(tempfile.TemporaryFile("w+", dir=self.folder)) for _ in others]
            threads = [threading.Thread(target=self.stream, args=how)
                       for how in [(first, None), *zip(others, files)]]
            try:
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            except BaseException:
                self.children.stop()
                for thread in threads:
                    thread.join()
                raise
            for file in files:
                file.seek(0)
                shutil.copyfileobj(file, sys.stdout)

    def counts_of(self, name):
        """Passed, failed, skipped. A part without counts has failed."""
        try:
            with open(os.path.join(self.counts, name)) as file:
                passed, failed, skipped = map(int, file.read().split())
        except (OSError, ValueError):
            return 0, 1, 0
        return passed, failed, skipped

    def report(self, whole):
        total = [sum(column) for column in zip(*(self.counts_of(part.name) for part in self.parts))]
        if whole:
            with open(os.path.join(self.counts, f"{self.target}-{self.name}"), "w") as file:
                print(*total, file=file)
        bad = [part.name for part in self.parts if self.codes.get(part.name) != 0]
        for name in bad:
            print(f"FAILED: {name} (exit code {self.codes.get(name)})")
        print("make {}: {} passed, {} failed, {} skipped".format(self.target, *total))
        return 1 if bad or total[1] or not total[0] else 0

    def keep_counts(self, to):
        """At the end: another run in this clone writes counts, too."""
        shutil.copytree(self.counts, to, dirs_exist_ok=True)


def short(name):
    """PARTS=signals means faults-signals."""
    return name.removeprefix("faults-")


def choose_parts(parts, wanted):
    """All parts, or those whose names begin with one of the wanted."""
    if not wanted:
        return parts
    for start in wanted:
        if not any(short(part.name).startswith(short(start)) for part in parts):
            sys.exit(f"error: no part '{start}'; {plan.known(part.name for part in parts)}")
    return [part for part in parts if short(part.name).startswith(tuple(map(short, wanted)))]


def run(target, chosen, wanted):
    folder = os.path.join(machine.cache_folder(), "run")
    os.makedirs(folder, exist_ok=True)
    # A later run of any tool deletes it, should this one be killed.
    with tempfile.TemporaryDirectory(prefix=f"{os.getpid()}-", dir=folder) as private:
        this = Run(target, chosen.name, choose_parts(chosen.parts, wanted), private)
        this.build()
        this.run_streams()
        code = this.report(whole=not wanted)
        this.keep_counts(os.environ.get("FRAGBED_COUNTS_DIR") or os.path.join(OUT, "counts"))
        return code


def main():
    if sys.argv[1:2] not in (["test"], ["faults"]):
        sys.exit("usage: [CONFIG=SET] [SANITIZE=1] test.py test|faults [PART...]")
    target, *wanted = sys.argv[1:]
    chosen = plan.read_or_exit().set_of(target, os.environ.get("CONFIG") or "uml",
                                        target == "test" and bool(os.environ.get("SANITIZE")))
    boot.stop_on_signals()
    try:
        return run(target, chosen, wanted)
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(error.cmd[:2])} failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    except boot.Stopped as stopped:
        return stopped.exit_code


if __name__ == "__main__":
    sys.exit(main())
