#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Does fragment/keep disturb a benchmark on another CPU? A small benchmark (one CPU allocates
# and frees the pages of a memory file) runs with memory fragmented to the same index in three
# ways, round by round:
#
#   still       fragment/run before it, nothing else runs
#   kept        fragment/keep runs on another CPU
#   on its CPU  fragment/keep runs on the benchmark's own CPU with normal priority: this must
#               slow it down, or the benchmark is not sensitive enough for a verdict
#
#   beside.py FILE [--order N] [--index PERMILLE] [--unmovable PERCENT] [--rate PAGES]
#             [--rounds N] [--seconds N] [--seed N]
#
# FILE gets a JSON object, standard output the same figures as a table. Exit: 0 the index was
# kept and the difference is noise, 1 it was not, 4 no verdict is possible here.
import argparse
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))

from facts import read_facts  # noqa: E402
from spread import judge, spread  # noqa: E402

FRAGBED = "/sys/kernel/debug/fragbed"
SIZE = 16 << 20         # of the file, in bytes
SLACK = 20              # permille the mean may be below the target
PATIENCE = 60           # seconds to reach the target
WAYS = ("still", "kept", "on its CPU")


def write(name, line):
    with open(f"{FRAGBED}/{name}", "w", encoding="ascii") as file:
        file.write(line)


def facts(name):
    return read_facts(f"{FRAGBED}/{name}")


def allocate_and_free():
    file = os.memfd_create("beside")
    os.posix_fallocate(file, 0, SIZE)
    os.close(file)


def seconds_of(passes):
    start = time.monotonic()
    for _ in range(passes):
        allocate_and_free()
    return time.monotonic() - start


def passes_in(seconds):
    """How many passes take about as long, from the fastest of three trials."""
    return max(1, round(seconds / min(seconds_of(4) / 4 for _ in range(3))))


def no_verdict(reason):
    print(f"# SKIP: {reason}")
    sys.exit(4)


class Bench:
    """One benchmark, measured in each way."""

    def __init__(self, args):
        self.args = args
        self.cpus = sorted(os.sched_getaffinity(0))
        if len(self.cpus) < 2:
            no_verdict("one CPU only: fragment/keep needs another one")
        os.sched_setaffinity(0, {self.cpus[0]})
        self.passes = passes_in(args.seconds)
        self.seconds = {way: [] for way in WAYS}
        self.kept = []

    def line(self, seed):
        return (f"order={self.args.order} index={self.args.index} node=0 "
                f"unmovable={self.args.unmovable} seed={seed}")

    def still(self, seed):
        write("fragment/run", self.line(seed))
        self.seconds["still"].append(seconds_of(self.passes))

    def keep(self, way, seed, words):
        write("fragment/keep", f"start {self.line(seed)} {words}")
        end = time.monotonic() + PATIENCE
        while facts("fragment/keep_status")["reached"] != "yes":
            if time.monotonic() > end:
                no_verdict(f"index {self.args.index} was not reached in {PATIENCE} s")
            time.sleep(0.1)
        self.seconds[way].append(seconds_of(self.passes))
        return facts("fragment/keep_status")

    def round(self, number):
        """The ways take turns at being first."""
        for at in range(len(WAYS)):
            way = WAYS[(number + at) % len(WAYS)]
            seed = self.args.seed + number
            if way == "still":
                self.still(seed)
            elif way == "kept":
                self.kept.append(self.keep(way, seed, f"rate={self.args.rate} cpus={self.cpus[-1]}"))
            else:
                self.keep(way, seed, f"rate=100000000 cpus={self.cpus[0]} nice=0")
            write("reset", "1")


def result_of(bench):
    spreads = {way: spread(values) for way, values in bench.seconds.items()}
    still = spreads["still"]
    kept = {name: spread([facts[name] for facts in bench.kept])
            for name in ("index_mean", "index_min", "rate_achieved", "cost_permille", "pages_held")}
    return {
        "kernel": os.uname().release, "choices": vars(bench.args), "passes": bench.passes,
        "seconds": bench.seconds, "spread": spreads, "kept": kept,
        "percent": {way: (each["median"] / still["median"] - 1) * 100 for way, each in spreads.items()},
        "verdict": {way: judge(still, each, more_is_better=False)
                    for way, each in spreads.items() if way != "still"},
    }


def shown(result):
    yield f"Benchmark: {result['passes']} times {SIZE >> 20} MiB allocated and freed, seconds"
    for way in WAYS:
        each = result["spread"][way]
        yield (f"  {way:11}{each['median']:8.2f}  ({each['low']:.2f} to {each['high']:.2f})"
               f"{result['percent'][way]:+8.1f}%  {result['verdict'].get(way, '')}")
    kept = result["kept"]
    yield (f"Kept: index {kept['index_mean']['median']:.0f} on average, never below "
           f"{kept['index_min']['low']}; the target was {result['choices']['index']}")
    yield (f"  {kept['rate_achieved']['median']:.0f} pages a second, "
           f"{kept['pages_held']['median']:.0f} pages held, with "
           f"{kept['cost_permille']['median'] / 10:.1f}% of its CPU")


def judged(result):
    """The exit code and its reason."""
    short = result["kept"]["index_mean"]["low"] < result["choices"]["index"] - SLACK
    if short:
        return 1, "the index was not kept"
    if result["verdict"]["on its CPU"] != "worse":
        return 4, "the benchmark is not even slower with fragment/keep on its own CPU"
    if result["verdict"]["kept"] == "worse":
        return 1, "fragment/keep on another CPU slows the benchmark down"
    return 0, "the index was kept, and the difference is noise"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    for name, default in (("order", 4), ("index", 800), ("unmovable", 100), ("rate", 20000),
                          ("rounds", 5), ("seconds", 2), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    bench = Bench(args)
    for number in range(args.rounds):
        bench.round(number)
        print(f"# round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
    result = result_of(bench)
    code, result["words"] = judged(result)
    with open(args.file, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    print("\n".join(shown(result)))
    print(f"Verdict: {result['words']}")
    sys.exit(code)


if __name__ == "__main__":
    main()
