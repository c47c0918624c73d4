#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Runs the workload of mixture.py round by round. After each round it counts how many chunks
# of physical memory, each as large as a superpageblock, have unmovable pages. It reads them
# from the file "map", which is the same on all kernels. The peak of unmovable memory is
# watched all the time: unmovable pages stay where they were allocated at the peak.
#
#   packing.py FILE [--chunk-kb N] [--rounds N] [--seed N] [--percent N] [--files N] [--pipes N]
#
# FILE gets a JSON object: the parameters and a list of rounds.
import argparse
import json
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))

from mixture import FRAGBED, Mixture, immovable, meminfo, read_map  # noqa: E402


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
    parser.add_argument("--files", type=int, default=60, help="created with each 2 MiB mapped")
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
                  f"{last['least']} would be enough", flush=True)
    result = dict(vars(args), kernel=os.uname().release, build=os.uname().version, rounds=rounds,
                  asked_rounds=args.rounds)
    with open(args.file, "w", encoding="ascii") as file:
        json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
