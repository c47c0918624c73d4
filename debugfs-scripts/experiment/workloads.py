# SPDX-License-Identifier: GPL-2.0
#
# The workloads of measure.py. Each fills memory in small steps, so that kernel pages are
# allocated between user pages, churns it for some rounds, stays resident, and ends. All random
# choices come from one generator: the same seed makes the same system calls on every kernel.
import concurrent.futures
import mmap
import os
import random
import resource
import shutil
import socket
import subprocess
import sys

PAGE = mmap.PAGESIZE
MIB = 1 << 20
FILES_OPEN = 65536
POPULATE = getattr(mmap, "MAP_POPULATE", 0x8000)


class Load:
    """room: bytes of user memory to hold when full. A round drains a part of it and
    fills it again; at the end of the churn a third is drained and stays free, so that
    huge pages can be allocated."""

    drained = 1 / 3

    def __init__(self, seed, room, folder):
        self.random = random.Random(seed)
        self.room = room
        self.folder = folder
        self.held = 0

    def full(self):
        return self.held >= self.room

    def step(self):
        """Allocates some MiB."""
        raise NotImplementedError

    def drain(self):
        """Frees about the share self.drained of the held memory, at random."""
        raise NotImplementedError

    def end(self):
        """Frees all."""
        raise NotImplementedError


def allow_open_files():
    """The limit of open files. Root may raise it, but not in every container."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_OPEN, FILES_OPEN))
    except ValueError:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Anonymous:
    """Chunks of private memory, some of which are large enough for huge pages."""

    sizes = (MIB, MIB, MIB, 4 * MIB)

    def __init__(self, dice):
        self.random, self.chunks = dice, []

    def bytes(self):
        return sum(map(len, self.chunks))

    def add(self):
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | POPULATE
        self.chunks.append(mmap.mmap(-1, self.random.choice(self.sizes), flags=flags))

    def drop(self, share):
        for _ in range(int(len(self.chunks) * share)):
            at = self.random.randrange(len(self.chunks))
            self.chunks[at], self.chunks[-1] = self.chunks[-1], self.chunks[at]
            self.chunks.pop().close()


class Files(Load):
    """Files of all sizes, mostly small, in many folders of a tmpfs: movable page cache,
    unmovable inodes and names."""

    sizes = (0, 0, 1, 2, 4, 8, 16, 32, 64, 256)     # KiB, with equal probability

    def __init__(self, seed, room, folder):
        super().__init__(seed, room, folder)
        self.content = bytes(max(self.sizes) * 1024)
        self.files = []
        self.number = 0

    def make_file(self):
        if self.number % 256 == 0:
            os.mkdir(f"{self.folder}/{self.number // 256}")
        path = f"{self.folder}/{self.number // 256}/a file with a rather long name {self.number}"
        size = self.random.choice(self.sizes) * 1024
        with open(path, "wb", buffering=0) as file:
            file.write(self.content[:size])
        self.files.append((path, size))
        self.held += size
        self.number += 1

    def step(self):
        before = self.held
        while self.held - before < 8 * MIB and not self.full():
            self.make_file()

    def drain(self):
        self.random.shuffle(self.files)
        for _ in range(int(len(self.files) * self.drained)):
            path, size = self.files.pop()
            os.unlink(path)
            self.held -= size

    def end(self):
        self.files.clear()
        self.held = 0
        for name in os.listdir(self.folder):
            shutil.rmtree(f"{self.folder}/{name}")


class Buffers(Load):
    """Anonymous memory is allocated and freed while data waits in pipes and sockets. The
    waiting data is a hundredth of the room at most, but scattered."""

    def __init__(self, seed, room, folder):
        super().__init__(seed, room, folder)
        self.memory = Anonymous(self.random)
        self.ends = []
        self.waiting = 0
        self.data = bytes(16 * PAGE)
        self.most_ends = allow_open_files() // 2 - 100
        self.listener = socket.create_server(("127.0.0.1", 0))

    def pipe(self):
        reader, writer = (os.fdopen(end, mode, buffering=0)
                          for end, mode in zip(os.pipe(), ("rb", "wb")))
        return reader, writer, writer.write(self.data)

    def unix(self):
        reader, writer = socket.socketpair()
        return reader, writer, self.send(writer)

    def tcp(self):
        writer = socket.create_connection(self.listener.getsockname())
        reader, _ = self.listener.accept()
        return reader, writer, self.send(writer)

    def send(self, writer):
        writer.setblocking(False)
        try:
            return writer.send(self.data)
        except BlockingIOError:
            return 0

    def make_ends(self):
        if self.waiting >= self.room // 100 or len(self.ends) >= self.most_ends:
            return
        made = self.random.choice((self.pipe, self.unix, self.tcp))()
        self.ends.append(made)
        self.waiting += made[2]

    def drop_ends(self, share):
        self.random.shuffle(self.ends)
        for _ in range(int(len(self.ends) * share)):
            reader, writer, waiting = self.ends.pop()
            writer.close()
            reader.close()
            self.waiting -= waiting

    def step(self):
        for _ in range(8):
            self.memory.add()
            self.make_ends()
        self.held = self.memory.bytes()

    def drain(self):
        self.memory.drop(self.drained)
        self.drop_ends(0.6)
        self.held = self.memory.bytes()

    def end(self):
        self.memory.drop(1)
        self.drop_ends(1)
        self.held = 0


SOURCE = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct item { char name[32]; long value; struct item *next; };
"""
FUNCTION = """
static struct item *f%(n)d(struct item *list, long by)
{
	for (struct item *i = list; i; i = i->next) {
		if (i->value %% %(m)d == by) i->value += strlen(i->name) * %(m)d;
		else snprintf(i->name, sizeof(i->name), "%%ld", i->value ^ %(n)d);
	}
	return list ? list->next : calloc(1, sizeof(*list));
}
"""


class Build(Load):
    """Many short processes: C files are written and compiled, two at a time, and the objects
    are copied as by a compiler cache, while anonymous memory is allocated and freed. Without a
    compiler the files are compressed instead."""

    def __init__(self, seed, room, folder):
        super().__init__(seed, room, folder)
        self.memory = Anonymous(self.random)
        self.compiler = shutil.which("gcc") or shutil.which("cc")
        self.packer = shutil.which("gzip")
        self.files = []
        self.number = 0
        self.before = self.in_files()
        self.pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())

    def how(self):
        return os.path.basename(self.compiler or self.packer or sys.executable)

    def write_source(self):
        self.number += 1
        path = f"{self.folder}/{self.number}.c"
        with open(path, "w", encoding="ascii") as file:
            file.write(SOURCE)
            for number in range(self.random.randrange(5, 40)):
                file.write(FUNCTION % {"n": number, "m": self.random.randrange(2, 99)})
            file.write("struct item *f%d(struct item *i) { return f0(i, 1); }\n" % (self.number + 1000))
        return path

    def translate(self, path):
        if self.compiler:
            command = [self.compiler, "-O1", "-w", "-c", path, "-o", f"{path}.o"]
        elif self.packer:
            command = [self.packer, "-kfS", ".o", path]
        else:
            command = [sys.executable, "-c", "import sys, zlib; p = sys.argv[1]; "
                       "open(p + '.o', 'wb').write(zlib.compress(open(p, 'rb').read()))", path]
        subprocess.run(command, check=True, env=dict(os.environ, TMPDIR=self.folder))
        return f"{path}.o"

    def keep(self, path):
        """Copies the object into several files, as a cache does, and deletes it half the time."""
        with open(path, "rb") as file:
            content = file.read()
        for copy in range(self.random.randrange(4, 24)):
            self.files.append(f"{path}.{copy}")
            with open(self.files[-1], "wb") as file:
                file.write(content * self.random.randrange(1, 24))
        if self.random.randrange(2):
            os.unlink(path)
        else:
            self.files.append(path)

    def step(self):
        sources = [self.write_source() for _ in range(2)]
        for path in self.pool.map(self.translate, sources):
            self.keep(path)
        self.files += sources
        # Compiling is slow, so most of the room is filled with anonymous memory.
        for _ in range(32):
            self.memory.add()
        self.measure()

    def in_files(self):
        stat = os.statvfs(self.folder)
        return (stat.f_blocks - stat.f_bfree) * stat.f_frsize

    def measure(self):
        self.held = self.memory.bytes() + self.in_files() - self.before

    def drain(self):
        self.memory.drop(self.drained)
        self.random.shuffle(self.files)
        for _ in range(int(len(self.files) * self.drained)):
            os.unlink(self.files.pop())
        self.measure()

    def end(self):
        self.memory.drop(1)
        for path in self.files:
            os.unlink(path)
        self.files.clear()
        self.held = 0


LOADS = {"files": Files, "buffers": Buffers, "build": Build}
