#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# A steady load that cannot move while memory is nearly full, in a guest: pages of
# order 0 to 3, files and pipes come and go, all the rest is user memory, which comes
# and goes, too, and now and then crowds into superpageblocks that are tainted. Counts how many superpageblocks were tainted meanwhile, and how many
# of them while another one could have been emptied of what can move.
#
#   press_memory.py FILE [--seconds N] [--seed N] [--percent N] [--crowd N]
#
# FILE gets a JSON object: the choices, the counters before and after, a sample a
# second. Exit: 0 done, 1 an SPB was tainted too early or a record was wrong.
import argparse
import errno
import json
import os
import resource
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../packing"))

from mix_memory import CHUNK, FRAGBED, Mixture, meminfo  # noqa: E402

CROWD_EVERY = 30        # seconds
TRACING = "/sys/kernel/tracing"
FORCE = "force=1" if os.environ.get("FRAGBED_FORCE") else ""
EARLY = "became_tainted_too_early"


def read_rows(name):
    with open(f"{FRAGBED}/spb/{name}", encoding="ascii") as file:
        return [line.split() for line in file if not line.startswith("#")]


def read_stats():
    """Of all zones."""
    stats = {}
    for _, _, name, count in read_rows("stats"):
        stats[name] = stats.get(name, 0) + int(count)
    return stats


def knob(name, line):
    """Whether it was done. That there is no room is an answer, too."""
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
    """A chunk that is in no page table: a process in UML cannot map that many pages of
    all over the place, the host has a limit."""

    def __init__(self):
        self.number = os.memfd_create("press")
        os.write(self.number, bytes(CHUNK))

    def close(self):
        os.close(self.number)


class Press(Mixture):
    """Keeps memory full of what can move, and what cannot coming and going."""

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
        """Lets what can move into superpageblocks that are tainted: the kernel gives most
        of its memory back, and the user takes nearly all there is."""
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
        """A set is given back and taken anew, of another order and size."""
        name = f"press{self.random.randrange(24)}"
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
    """Who tainted a superpageblock: kept by the kernel, shown if it was too early."""

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


def sample(at, press):
    stats = read_stats()
    categories = [row[4] for row in read_rows("table") if int(row[6])]
    return {"at": at, "used_permille": used_permille(), "early": stats[EARLY],
            "tainted_ever": stats["became_tainted"], "holds": press.holds,
            "refused": press.refused,
            **{name: categories.count(name) for name in ("empty", "clean", "tainted")}}


def wrong_records():
    return [row for row in read_rows("check") if int(row[2])]


def tell(row):
    print(f"# {row['at']} s: {row['used_permille'] / 10}% in use; {row['empty']} empty, "
          f"{row['clean']} clean, {row['tainted']} tainted, {row['tainted_ever']} times one was, "
          f"{row['early']} too early; {row['holds']} holds, {row['refused']} refused", flush=True)


def run(press, seconds):
    """A sample a second; a record that is wrong ends it."""
    trace = Trace()
    begun, samples = time.monotonic(), []
    while not samples or samples[-1]["at"] < seconds:
        press.load()
        at = int(time.monotonic() - begun)
        last = samples[-1]["at"] if samples else 0
        if samples and at == last:
            continue
        if at // CROWD_EVERY > last // CROWD_EVERY:
            press.crowd()
        samples.append(sample(at, press))
        if samples[-1]["early"] > samples[max(0, len(samples) - 2)]["early"]:
            trace.show_last()
        if at % 60 == 0:
            tell(samples[-1])
        if at % 5 == 0 and wrong_records():
            print(f"# a record is wrong: {wrong_records()}")
            break
    tell(samples[-1])
    return samples


def tell_counters(before, after):
    print(f"# {'counter':30} {'before':>10} {'after':>10} {'difference':>10}")
    for name, count in after.items():
        print(f"# {name:30} {before[name]:10} {count:10} {count - before[name]:10}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--percent", type=int, default=90, help="of memory in use")
    parser.add_argument("--crowd", type=int, default=97, help="now and then, for a moment")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
    with tempfile.TemporaryDirectory() as folder:
        press = Press(args, folder)
        for _ in range(20):
            press.load()
        press.crowd()
        print(f"# filled: {used_permille() / 10}% of memory is in use, "
              f"{len(press.chunks) * CHUNK >> 20} MiB of it by what can move", flush=True)
        before = read_stats()
        samples = run(press, args.seconds)
        after = read_stats()
        press.close_pipes(100)
    tell_counters(before, after)
    with open(args.file, "w", encoding="ascii") as file:
        json.dump(dict(vars(args), kernel=os.uname().release, before=before, after=after,
                       samples=samples), file, indent=1)
    early = after[EARLY] - before[EARLY]
    least = min(row["used_permille"] for row in samples)
    print(f"# press: {samples[-1]['at']} s with at least {least / 10}% of memory in use, "
          f"{press.holds} holds: {early} superpageblocks were tainted too early")
    sys.exit(1 if early or wrong_records() else 0)


if __name__ == "__main__":
    main()
