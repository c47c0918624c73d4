#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# A workload that mixes user memory with the kernel's own, in a guest: anonymous
# chunks are mapped and unmapped all the time, while files and pipes are made, some
# of which stay. After each round it counts how many chunks of physical memory of
# the size of a superpageblock hold something that cannot move, from the facts in
# fragbed's map, which are the same on all kernels. How much that is gets looked at
# all the time: what cannot move stays where it was put when there was most of it.
#
#   mix_memory.py FILE [--chunk-kb N] [--rounds N] [--seed N] [--percent N]
#                 [--files N] [--pipes N]
#
# FILE gets a JSON object: the choices and a list of rounds.
import argparse
import itertools
import json
import mmap
import os
import random
import tempfile

FRAGBED = "/sys/kernel/debug/fragbed"
PAGE = mmap.PAGESIZE
CHUNK = 256 * 1024      # of user memory


def meminfo(name):
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    raise KeyError(name)


class Mixture:
    """What the workload holds. Kernel memory is made by the way, as by any program."""

    def __init__(self, args, room, folder):
        self.random = random.Random(args.seed)
        self.files_a_step, self.most_pipes = args.files, args.pipes
        self.room = room
        self.folder = folder
        self.chunks = []
        self.pipes = []
        self.files = 0
        self.peak = 0

    def map_chunk(self):
        chunk = mmap.mmap(-1, CHUNK)
        for offset in range(0, CHUNK, PAGE):
            chunk[offset] = 1
        self.chunks.append(chunk)

    def unmap_chunks(self, count):
        for _ in range(min(count, len(self.chunks))):
            at = self.random.randrange(len(self.chunks))
            self.chunks[at], self.chunks[-1] = self.chunks[-1], self.chunks[at]
            self.chunks.pop().close()

    def make_files(self, count):
        for _ in range(count):
            self.files += 1
            with open(os.path.join(self.folder, str(self.files)), "w", encoding="ascii"):
                pass

    def delete_files(self, percent):
        for name in sorted(os.listdir(self.folder)):
            if self.random.randrange(100) < percent:
                os.unlink(os.path.join(self.folder, name))

    def fill_pipe(self):
        reader, writer = os.pipe()
        os.write(writer, bytes(16 * PAGE))
        self.pipes.append((reader, writer))

    def close_pipes(self, percent):
        for pipe in list(self.pipes):
            if self.random.randrange(100) < percent:
                self.pipes.remove(pipe)
                os.close(pipe[0])
                os.close(pipe[1])

    def step(self):
        """A bit of everything, so that the kernel's pages come between the user's."""
        for _ in range(8):
            if len(self.chunks) * CHUNK < self.room:
                self.map_chunk()
        self.make_files(self.files_a_step)
        if len(self.pipes) < self.most_pipes:
            self.fill_pipe()

    def fill(self):
        for step in itertools.count():
            if len(self.chunks) * CHUNK >= self.room:
                break
            self.step()
            if step % 8 == 0:
                self.peak = max(self.peak, immovable(read_map())[0])

    def drain(self):
        self.unmap_chunks(len(self.chunks) // 3)
        self.delete_files(60)
        self.close_pipes(60)


def read_map():
    """The header names the fields."""
    rows, names = [], []
    with open(f"{FRAGBED}/map", encoding="ascii") as file:
        for line in file:
            if line.startswith("# node"):
                names = line[1:].split()
            elif not line.startswith("#"):
                rows.append(dict(zip(names, map(int, line.split()))))
    return rows


def immovable(rows):
    """Pages that cannot move, and in each chunk. The kernel's image cannot either,
    and takes room where it lies."""
    stuck = [row["unmovable"] + row["reclaimable"] for row in rows]
    image = sum(row["reserved"] for row, nr in zip(rows, stuck) if nr)
    return sum(stuck) + image, stuck


def count_chunks(number, peak):
    rows = read_map()
    now, stuck = immovable(rows)
    peak = max(peak, now)
    pages = max(row["pages"] for row in rows)
    return {
        "round": number,
        "chunks": len(rows),
        "tainted": sum(bool(nr) for nr in stuck),
        "least": -(-peak // pages),
        "least_now": -(-now // pages),
        "immovable_pages": now,
        "peak_pages": peak,
        "free_pages": sum(row["free"] for row in rows),
        "movable_pages": sum(row["movable"] for row in rows),
        "map": "".join(letter(row, nr) for row, nr in zip(rows, stuck)),
    }


def letter(row, stuck):
    if stuck:
        return "T"
    return "m" if row["movable"] else "."


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--chunk-kb", type=int, default=16384)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--percent", type=int, default=55, help="of memory, mapped at most")
    parser.add_argument("--files", type=int, default=60, help="made with each 2 MiB mapped")
    parser.add_argument("--pipes", type=int, default=400, help="filled and open at most")
    args = parser.parse_args()

    with open(f"{FRAGBED}/map_chunk", "w", encoding="ascii") as file:
        file.write(str(args.chunk_kb))
    room = meminfo("MemTotal") * args.percent // 100
    with tempfile.TemporaryDirectory() as folder:
        mixture = Mixture(args, room, folder)
        rounds = [count_chunks(0, 0)]
        for number in range(1, args.rounds + 1):
            mixture.fill()
            rounds.append(count_chunks(number, mixture.peak))
            mixture.drain()
            last = rounds[-1]
            print(f"# round {number}: {last['tainted']} of {last['chunks']} chunks tainted, "
                  f"{last['least']} would do", flush=True)
    result = dict(vars(args), kernel=os.uname().release, build=os.uname().version, rounds=rounds,
                  asked_rounds=args.rounds)
    with open(args.file, "w", encoding="ascii") as file:
        json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
