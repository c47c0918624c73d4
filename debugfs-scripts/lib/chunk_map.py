#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# What is in each chunk of 1 GiB of physical memory, from /proc/kpageflags and /proc/iomem
# alone, so that all kernels are measured alike. As a command it prints a row for each chunk:
#
#   chunk_map.py [--chunk-mb N] [--file KPAGEFLAGS --iomem IOMEM]
#
# A page is one of:
#   free      in the buddy allocator
#   movable   user memory and page cache
#   huge      hugetlb: allocated by the experiment itself
#   slab, pagetable, other
#             in use by the kernel: unmovable
#   reserved  since boot: image, firmware, the memory map
#   hole      no memory
#
# A free page on a per-cpu list looks like one the kernel uses ("other"). With
# fragbed_drain.ko the lists are drained before memory is read. They fill again while other
# tasks run, so a chunk with no unmovable pages but "other" is read several times: free pages
# disappear from it.
#
# Python is slow a page at a time, and guests are emulated: one byte of the flags of all pages
# is translated at once to bits that do not overlap, and the results are combined as one big
# number.
import argparse
import functools
import operator
import os
import sys
import time

PAGE = os.sysconf("SC_PAGESIZE")
WORD = 8
CLASSES = ("free", "movable", "huge", "slab", "pagetable", "other", "reserved", "hole")
STUCK = ("slab", "pagetable", "other")
LOOKS = 6
PAUSE = 0.05    # seconds between reads, so that the task that filled a list goes on
DRAIN = "/sys/module/fragbed_drain/parameters/now"

# Numbers of flags in include/uapi/linux/kernel-page-flags.h and, from 32 on, in
# include/linux/kernel-page-flags.h, and what each means here: a bit of the byte for a page.
KNOWN, FREE, USER, HUGE, SLAB, TABLE, RESERVED, HOLE = (1 << bit for bit in range(8))
MEANING = {
    3: USER,        # UPTODATE: content of a file or process, maybe not on the LRU yet
    5: USER,        # LRU
    7: SLAB,
    10: FREE,       # BUDDY
    12: USER,       # ANON
    14: USER,       # SWAPBACKED
    17: HUGE,
    18: USER,       # UNEVICTABLE
    20: HOLE,       # NOPAGE
    24: KNOWN,      # ZERO_PAGE: of the kernel, whatever its other flags are
    26: TABLE,      # PGTABLE
    32: RESERVED,
}


def translation(plane):
    """For byte number plane of the flags: value -> what the flags in it mean."""
    bits = {flag - 8 * plane: meaning for flag, meaning in MEANING.items()
            if 0 <= flag - 8 * plane < 8}
    return bytes(functools.reduce(operator.or_, (meaning for bit, meaning in bits.items()
                                                 if value >> bit & 1), 0)
                 for value in range(256))


def class_of(said):
    """The class of a page from the meanings of its flags; the first rule that fits."""
    rules = ((HOLE, "hole"), (FREE, "free"), (RESERVED, "reserved"), (KNOWN, "other"),
             (HUGE, "huge"), (SLAB, "slab"), (TABLE, "pagetable"), (USER, "movable"))
    return next((name for bit, name in rules if said & bit), "other")


# Free memory that is not requested as huge pages: the kernel needs it.
KEPT = (256 << 20) // PAGE

TRANSLATIONS = {plane: translation(plane) for plane in sorted({flag // 8 for flag in MEANING})}
CLASS_NUMBERS = bytes(CLASSES.index(class_of(said)) for said in range(256))


def classify(words):
    """A byte for each page, the index of its class, from the 64-bit words of
    /proc/kpageflags. Flags are little endian on all machines we run on."""
    pages = len(words) // WORD
    said = 0
    for plane, table in TRANSLATIONS.items():
        said |= int.from_bytes(words[plane::WORD].translate(table), "little")
    return said.to_bytes(pages, "little").translate(CLASS_NUMBERS)


def count(words):
    """{class: pages}"""
    pages = classify(words)
    return {name: pages.count(number) for number, name in enumerate(CLASSES)}


def ram_ranges(path="/proc/iomem"):
    """(first, end) in pages of each RAM range of the firmware."""
    ranges = []
    with open(path, encoding="ascii") as file:
        for line in file:
            span, _, name = line.partition(" : ")
            if name.strip() == "System RAM" and not line.startswith(" "):
                first, last = (int(part, 16) for part in span.split("-"))
                ranges.append((-(-first // PAGE), (last + 1) // PAGE))
    if not any(end for _, end in ranges):
        sys.exit(f"{path} shows no addresses: must be root")
    return ranges


def chunk_numbers(ranges, chunk_pages):
    """The chunks with any RAM, ascending."""
    numbers = set()
    for first, end in ranges:
        numbers.update(range(first // chunk_pages, -(-end // chunk_pages)))
    return sorted(numbers)


def ram_pages(ranges, first, end):
    return sum(max(0, min(end, stop) - max(first, start)) for start, stop in ranges)


class ChunkMap:
    """The RAM ranges are read once; take() reads what is in the pages."""

    def __init__(self, chunk_bytes=1 << 30, flags="/proc/kpageflags", iomem="/proc/iomem"):
        self.chunk_pages = chunk_bytes // PAGE
        self.flags = flags
        self.ranges = ram_ranges(iomem)
        self.numbers = chunk_numbers(self.ranges, self.chunk_pages)
        # Written to, so that the memory is allocated: between drain() and the last read no
        # allocation fills the per-cpu lists again.
        self.words = [bytearray(b"\1" * self.chunk_pages * WORD) for _ in self.numbers]

    def chunk(self, words, number):
        row = count(words)
        # Pages above the last RAM are not in the file. Other pages outside RAM are in the
        # memory map and reserved; here they count as a hole, too.
        first = number * self.chunk_pages
        outside = self.chunk_pages - ram_pages(self.ranges, first, first + self.chunk_pages)
        known = row["hole"] + self.chunk_pages - len(words) // WORD
        row["reserved"] -= min(row["reserved"], max(0, outside - known))
        row["hole"] = max(known, outside)
        return dict(row, chunk=number)

    def take(self):
        """A row for each chunk: {"chunk": number, class: pages}."""
        with open(self.flags, "rb", buffering=0) as file:
            drain()
            sizes = [read_into(file, number * self.chunk_pages * WORD, words)
                     for number, words in zip(self.numbers, self.words)]
            rows = [self.chunk(words[:size], number)
                    for number, words, size in zip(self.numbers, self.words, sizes)]
            return [self.look_again(file, row, words) if may_be_on_lists(row) else row
                    for row, words in zip(rows, self.words)]

    def look_again(self, file, row, words):
        """The result with the fewest unmovable pages."""
        for _ in range(LOOKS - 1):
            time.sleep(PAUSE)
            drain()
            size = read_into(file, row["chunk"] * self.chunk_pages * WORD, words)
            row = min(row, self.chunk(words[:size], row["chunk"]), key=stuck)
            if not is_tainted(row):
                break
        return row


def read_into(file, start, words):
    """Returns the bytes read. A read of /proc/kpageflags may be short."""
    file.seek(start)
    view, size = memoryview(words), 0
    while size < len(words):
        part = file.readinto(view[size:])
        if not part:
            break
        size += part
    return size


def can_drain():
    return os.path.exists(DRAIN)


def drain():
    """Drains the per-cpu lists, if fragbed_drain.ko is loaded."""
    if can_drain():
        with open(DRAIN, "w", encoding="ascii") as file:
            file.write("1")


def may_be_on_lists(row):
    """Whether all unmovable pages could be free pages on per-cpu lists."""
    return row["other"] > 0 and stuck(row) == row["other"]


def stuck(row):
    """Unmovable pages of a chunk, except those reserved since boot."""
    return sum(row[name] for name in STUCK)


def is_tainted(row):
    return stuck(row) > 0


def can_be_huge(row):
    """Whether it could be one huge page if all of it were free."""
    return not row["hole"] and not row["reserved"]


def capacity(row):
    return sum(row[name] for name in CLASSES if name not in ("hole", "reserved"))


def packed(rows, pages):
    """The chunks that so many unmovable pages would fill if they were packed: first those
    that can never be a huge page, since they cost nothing."""
    chosen = set()
    for row in sorted(rows, key=lambda row: (can_be_huge(row), -capacity(row))):
        if pages <= 0:
            break
        pages -= capacity(row)
        chosen.add(row["chunk"])
    return chosen


def most_gigantic(rows, peak):
    """How many chunks could be huge pages now: those without unmovable pages if these had been
    packed, as long as enough memory is free to migrate the movable pages to. peak: the most
    unmovable pages so far; after the peak they are not packed again."""
    taken = packed(rows, peak)
    usable = [row for row in rows if can_be_huge(row) and row["chunk"] not in taken]
    return min(len(usable), affordable(rows))


def affordable(rows):
    """How many 1 GiB pages free memory is enough for, wherever it is."""
    free = sum(row["free"] + row["huge"] for row in rows)
    return max(0, free - KEPT) // sum(rows[0][name] for name in CLASSES)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--chunk-mb", type=int, default=1024)
    parser.add_argument("--file", default="/proc/kpageflags")
    parser.add_argument("--iomem", default="/proc/iomem")
    args = parser.parse_args()
    rows = ChunkMap(args.chunk_mb << 20, args.file, args.iomem).take()
    print(f"{'chunk':>6}", *(f"{name:>10}" for name in CLASSES), "   tainted")
    for row in rows:
        print(f"{row['chunk']:>6}", *(f"{row[name]:>10}" for name in CLASSES),
              f"{'yes' if is_tainted(row) else 'no':>10}")


if __name__ == "__main__":
    main()
