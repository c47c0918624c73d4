#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# One run of the experiment, in a guest: a workload of workloads.py fills memory, churns it,
# stays resident, and ends. Meanwhile the content of each 1 GiB chunk is sampled. 1 GiB pages
# are allocated twice, through nr_hugepages: with the workload resident and after it ended.
#
#   measure.py FILE --load files|buffers|build [--seed N] [--percent N] [--rounds N]
#
# FILE gets a JSON object. Needs no module; with fragbed_drain.ko the map is exact.
import argparse
import json
import os
import tempfile
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

import chunk_map  # noqa: E402
from workloads import LOADS  # noqa: E402

GIGANTIC = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"
TRIES = 3
SAMPLES_A_FILL = 6
COUNTED = ("pgmigrate_success", "pgmigrate_fail", "compact_stall", "compact_success",
           "thp_fault_alloc", "thp_fault_fallback", "pgalloc_normal", "pgsteal_kswapd",
           "pgsteal_direct", "pgscan_direct")


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


def vmstat():
    """The counters of interest; the stalls of all zones are added up."""
    counters = dict(line.split() for line in read("/proc/vmstat").splitlines())
    taken = {name: int(counters.get(name, 0)) for name in COUNTED}
    taken["allocstall"] = sum(int(value) for name, value in counters.items()
                              if name.startswith("allocstall_"))
    return taken


def difference(before, after):
    return {name: after[name] - before[name] for name in after}


def total_memory():
    return next(int(line.split()[1]) for line in read("/proc/meminfo").splitlines()
                if line.startswith("MemTotal:")) * 1024


def per_cpu_pages():
    """Free pages on per-cpu lists."""
    return sum(int(line.split()[1]) for line in read("/proc/zoneinfo").splitlines()
               if line.split()[:1] == ["count:"])


class Run:
    """All samples so far, and the clock."""

    def __init__(self, load):
        self.load = load
        self.map = chunk_map.ChunkMap()
        self.start = time.monotonic()
        self.rows = []
        self.samples, self.gathered, self.phases = [], [], []

    def seconds(self):
        return round(time.monotonic() - self.start, 3)

    def sample(self, phase):
        began = self.seconds()
        rows = self.rows = self.map.take()
        self.samples.append({
            "seconds": began, "took": round(self.seconds() - began, 3), "phase": phase,
            "held": self.load.held, "drained": chunk_map.can_drain(), "per_cpu_pages": per_cpu_pages(),
            "chunks": [[row[name] for name in chunk_map.CLASSES] for row in rows]})
        tainted = sum(map(chunk_map.is_tainted, rows))
        print(f"# {began:8.1f} s  {phase:<12} {tainted:>3} of {len(rows)} chunks tainted, "
              f"{sum(row['free'] for row in rows) * chunk_map.PAGE >> 20} MiB free", flush=True)

    def phase(self, name, work):
        """Does the work and records how long it took, without the time to sample memory."""
        before, began, looks = vmstat(), self.seconds(), len(self.samples)
        work(name)
        looking = sum(sample["took"] for sample in self.samples[looks:])
        self.phases.append({"phase": name, "seconds": round(self.seconds() - began - looking, 3),
                            "counters": difference(before, vmstat())})

    def fill(self, name):
        begun, share = self.load.held, 1
        while not self.load.full():
            self.load.step()
            if self.load.held - begun >= (self.load.room - begun) * share / SAMPLES_A_FILL:
                self.sample(name)
                share += 1

    def churn(self, name):
        self.load.drain()
        self.sample(name)
        self.fill(name)

    def rest(self, name):
        """Gives background work a moment to finish."""
        time.sleep(5)
        self.sample(name)

    def gather(self, name):
        """Allocates as many 1 GiB pages as possible and frees them."""
        before, began, tries = vmstat(), self.seconds(), []
        asked = chunk_map.affordable(self.rows)
        for _ in range(TRIES):
            try_began = self.seconds()
            write(GIGANTIC, asked)
            tries.append({"pages": int(read(GIGANTIC)), "seconds": self.seconds() - try_began})
            if tries[-1]["pages"] == asked or len(tries) > 1 and tries[-1]["pages"] == tries[-2]["pages"]:
                break
        self.gathered.append({"phase": name, "pages": tries[-1]["pages"], "asked": asked,
                              "seconds": round(self.seconds() - began, 3), "tries": tries,
                              "counters": difference(before, vmstat())})
        print(f"# {began:8.1f} s  {name:<12} {tries[-1]['pages']} pages of 1 GiB in "
              f"{self.gathered[-1]['seconds']:.1f} s", flush=True)
        self.sample("with 1 GiB pages")
        write(GIGANTIC, 0)


def drain_third(run):
    return lambda _name: run.load.drain()


def play(run, rounds):
    run.sample("boot")
    run.phase("fill", run.fill)
    for number in range(1, rounds + 1):
        run.phase(f"churn {number}", run.churn)
    run.phase("drain", drain_third(run))
    run.rest("resident")
    run.gather("resident")
    run.phase("end", lambda _name: run.load.end())
    run.rest("ended")
    run.gather("ended")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--load", choices=sorted(LOADS), required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--percent", type=int, default=52, help="of memory, held at most")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--scratch", help="a tmpfs with room enough")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        load = LOADS[args.load](args.seed, total_memory() * args.percent // 100, folder)
        run = Run(load)
        play(run, args.rounds)
    result = {
        "kernel": os.uname().release, "build": os.uname().version,
        "defrag_mode": read("/proc/sys/vm/defrag_mode"), "cmdline": read("/proc/cmdline"),
        "total_bytes": total_memory(), "cpus": os.cpu_count(),
        "how": load.how() if hasattr(load, "how") else "",
        "load": args.load, "seed": args.seed, "percent": args.percent, "rounds": args.rounds,
        "chunk_numbers": run.map.numbers, "classes": chunk_map.CLASSES,
        "samples": run.samples, "phases": run.phases, "gathered": run.gathered}
    with open(args.file + ".new", "w", encoding="ascii") as file:
        json.dump(result, file)
    # The file is complete or missing, so that a later run can see what is left to do.
    os.rename(args.file + ".new", args.file)


if __name__ == "__main__":
    main()
