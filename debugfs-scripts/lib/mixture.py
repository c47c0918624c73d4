# SPDX-License-Identifier: GPL-2.0
#
# A workload that mixes user memory with the kernel's own, in a guest: anonymous chunks are
# mapped and unmapped, while files and pipes are created, some of which stay. The scenarios
# packing and pressure use it.
import itertools
import mmap
import os
import random

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
    """What the workload holds. The kernel allocates its own memory for the files and pipes."""

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
        """Some of each, so that kernel pages are allocated between user pages."""
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
    """The rows of the file map; its header names the columns."""
    rows, names = [], []
    with open(f"{FRAGBED}/map", encoding="ascii") as file:
        for line in file:
            if line.startswith("# node"):
                names = line[1:].split()
            elif not line.startswith("#"):
                rows.append(dict(zip(names, map(int, line.split()))))
    return rows


def immovable(rows):
    """Unmovable pages in all, and in each chunk. The kernel's image counts, too: it takes up
    space in the chunk where it lies."""
    stuck = [row["unmovable"] + row["reclaimable"] for row in rows]
    image = sum(row["reserved"] for row, nr in zip(rows, stuck) if nr)
    return sum(stuck) + image, stuck
