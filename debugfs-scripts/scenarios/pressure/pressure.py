#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# A steady unmovable load while memory is nearly full, in a guest: pages of order 0 to 3,
# files and pipes are allocated and freed. The rest is user memory, some of which is freed
# and allocated, too. Now and then so much of it is allocated that it fills tainted
# superpageblocks. Counts how many superpageblocks become tainted, and how many of them while
# another tainted one still has movable pages that could be migrated.
#
#   pressure.py FILE [--seconds N] [--seed N] [--percent N] [--crowd N]
#
# FILE gets a JSON object: the parameters, the counters before and after, a sample a second.
# Exit: 0 done, 1 a superpageblock was tainted too early or a record was wrong.
import argparse
import errno
import json
import os
import resource
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))

from mixture import CHUNK, FRAGBED, Mixture, meminfo  # noqa: E402

CROWD_EVERY = 30        # seconds
TRACING = "/sys/kernel/tracing"
FORCE = "force=1" if os.environ.get("FRAGBED_FORCE") else ""
EARLY = "became_tainted_too_early"


def read_rows(name):
    with open(f"{FRAGBED}/spb/{name}", encoding="ascii") as file:
        return [line.split() for line in file if not line.startswith("#")]


def read_stats():
    """{counter: sum over all zones}"""
    stats = {}
    for _, _, name, count in read_rows("stats"):
        stats[name] = stats.get(name, 0) + int(count)
    return stats


def knob(name, line):
    """Whether the write succeeded. Too little memory is no error here."""
    try:
        with open(f"{FRAGBED}/{name}", "w", encoding="ascii") as file:
            file.write(line)
    except OSError as error:
        if error.errno not in (errno.ENOMEM, errno.ENOSPC):
            raise
        return False
    return True


def used_permille():
    total = meminfo("MemTotal")
    return (total - meminfo("MemAvailable")) * 1000 // total


class File:
    """A chunk that is not mapped: the host limits how many separate pages a process in UML
    can map."""

    def __init__(self):
        self.number = os.memfd_create("pressure")
        os.write(self.number, bytes(CHUNK))

    def close(self):
        os.close(self.number)


class Pressure(Mixture):
    """Keeps memory full of movable pages while unmovable ones are allocated and freed."""

    def __init__(self, args, folder):
        args.files, args.pipes = 60, 400
        super().__init__(args, 0, folder)
        self.level = args.percent * 10
        self.crowded = args.crowd * 10
        self.held = set()
        self.holds = self.refused = 0

    def map_chunk(self):
        if self.random.randrange(16):
            self.chunks.append(File())
        else:
            super().map_chunk()

    def keep_level(self):
        while used_permille() < self.level:
            for _ in range(4):
                self.map_chunk()
        while used_permille() > self.level + 10 and self.chunks:
            self.unmap_chunks(4)

    def crowd(self):
        """Fills tainted superpageblocks with movable pages: frees most of the kernel's memory
        and allocates nearly all memory for the user."""
        for name in sorted(self.held):
            knob("hold/free", f"set={name}")
        self.held.clear()
        self.close_pipes(80)
        while used_permille() < self.crowded:
            for _ in range(4):
                self.map_chunk()

    def churn_chunks(self):
        self.unmap_chunks(self.random.randrange(16))

    def hold(self):
        """Frees a set and allocates it again, with another order and size."""
        name = f"pressure{self.random.randrange(24)}"
        if name in self.held:
            knob("hold/free", f"set={name}")
            self.held.discard(name)
        order = self.random.randrange(4)
        kind = self.random.choice(("unmovable", "unmovable", "reclaimable"))
        count = (self.random.randrange(800) + 64) >> order
        if knob("hold/alloc", f"set={name} type={kind} order={order} count={count} {FORCE}"):
            self.held.add(name)
            self.holds += 1
        else:
            self.refused += 1

    def load(self):
        self.hold()
        self.make_files(self.random.randrange(60))
        if len(self.pipes) < self.most_pipes:
            self.fill_pipe()
        if not self.random.randrange(20):
            self.delete_files(self.random.randrange(60))
        if not self.random.randrange(20):
            self.close_pipes(self.random.randrange(60))
        self.churn_chunks()
        self.keep_level()


class Trace:
    """The kernel's trace of what tainted superpageblocks, printed if it was too early."""

    def __init__(self):
        event = f"{TRACING}/events/superpageblock/spb_category"
        with open(f"{event}/trigger", "w", encoding="ascii") as file:
            file.write("stacktrace if category == 2")
        with open(f"{event}/enable", "w", encoding="ascii") as file:
            file.write("1")

    def show_last(self):
        with open(f"{TRACING}/trace", encoding="ascii") as file:
            lines = [line.rstrip() for line in file]
        begun = max(at for at, line in enumerate(lines) if "category=tainted" in line)
        for line in lines[begun:begun + 40]:
            print(f"#   {line}")


def sample(at, pressure):
    stats = read_stats()
    categories = [row[4] for row in read_rows("table") if int(row[6])]
    return {"at": at, "used_permille": used_permille(), "early": stats[EARLY],
            "tainted_ever": stats["became_tainted"], "holds": pressure.holds,
            "refused": pressure.refused,
            **{name: categories.count(name) for name in ("empty", "clean", "tainted")}}


def wrong_records():
    return [row for row in read_rows("check") if int(row[2])]


def report(row):
    print(f"# {row['at']} s: {row['used_permille'] / 10}% in use; {row['empty']} empty, "
          f"{row['clean']} clean, {row['tainted']} tainted, {row['tainted_ever']} became tainted, "
          f"{row['early']} too early; {row['holds']} holds, {row['refused']} refused", flush=True)


def run(pressure, seconds):
    """A sample a second; a wrong record ends the run."""
    trace = Trace()
    begun, samples = time.monotonic(), []
    while not samples or samples[-1]["at"] < seconds:
        pressure.load()
        at = int(time.monotonic() - begun)
        last = samples[-1]["at"] if samples else 0
        if samples and at == last:
            continue
        if at // CROWD_EVERY > last // CROWD_EVERY:
            pressure.crowd()
        samples.append(sample(at, pressure))
        if samples[-1]["early"] > samples[max(0, len(samples) - 2)]["early"]:
            trace.show_last()
        if at % 60 == 0:
            report(samples[-1])
        if at % 5 == 0 and wrong_records():
            print(f"# a record is wrong: {wrong_records()}")
            break
    report(samples[-1])
    return samples


def report_counters(before, after):
    print(f"# {'counter':30} {'before':>10} {'after':>10} {'difference':>10}")
    for name, count in after.items():
        print(f"# {name:30} {before[name]:10} {count:10} {count - before[name]:10}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--percent", type=int, default=90, help="percent of memory in use")
    parser.add_argument("--crowd", type=int, default=97, help="percent in use, now and then for a moment")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
    with tempfile.TemporaryDirectory() as folder:
        pressure = Pressure(args, folder)
        for _ in range(20):
            pressure.load()
        pressure.crowd()
        print(f"# filled: {used_permille() / 10}% of memory is in use, "
              f"{len(pressure.chunks) * CHUNK >> 20} MiB of it movable", flush=True)
        before = read_stats()
        samples = run(pressure, args.seconds)
        after = read_stats()
        pressure.close_pipes(100)
    report_counters(before, after)
    with open(args.file, "w", encoding="ascii") as file:
        json.dump(dict(vars(args), kernel=os.uname().release, before=before, after=after,
                       samples=samples), file, indent=1)
    early = after[EARLY] - before[EARLY]
    least = min(row["used_permille"] for row in samples)
    print(f"# pressure: {samples[-1]['at']} s with at least {least / 10}% of memory in use, "
          f"{pressure.holds} holds: {early} superpageblocks were tainted too early")
    sys.exit(1 if early or wrong_records() else 0)


if __name__ == "__main__":
    main()
