#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# report.py FOLDER NAME=SUBFOLDER...
#
# Renders what mix_memory.py counted on several kernels, in SUBFOLDER/SEED/mix.json: a
# table in the terminal, the same in FOLDER/report.json, and memory drawn a letter a
# chunk.
import json
import os
import sys

LETTERS = {
    "T": "holds something that cannot move",
    "m": "free and movable pages only",
    ".": "free",
}


def read_runs(folder, names):
    """label -> {seed: what was counted}, seeds ascending."""
    runs = {}
    for name in names:
        label, subfolder = name.split("=")
        top = os.path.join(folder, subfolder)
        runs[label] = {}
        for seed in sorted(os.listdir(top), key=int):
            with open(os.path.join(top, seed, "mix.json"), encoding="ascii") as file:
                runs[label][int(seed)] = json.load(file)
    return runs


def summary(run):
    """The most over all rounds; the least possible is that for the most memory."""
    rounds = run["rounds"][1:]
    return {
        "tainted": max(r["tainted"] for r in rounds),
        "least": max(r["least"] for r in rounds),
        "peak_mib": max(r["peak_pages"] for r in rounds) * 4 // 1024,
        "chunks": rounds[0]["chunks"],
    }


def aligned(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(str(cell).rjust(width) for cell, width in zip(row, widths))
            for row in rows]


def table(summaries):
    rows = [["kernel", "seed", "cannot move, at most", "chunks that takes", "chunks tainted"]]
    for label, seeds in summaries.items():
        rows += [[label, seed, f"{s['peak_mib']} MiB", s["least"], s["tainted"]]
                 for seed, s in seeds.items()]
    return aligned(rows)


def rounds_table(runs, seed):
    labels = list(runs)
    rows = [["round"] + [f"{label}: {what}" for label in labels
                         for what in ("tainted", "least", "least now")]]
    for rounds in zip(*(runs[label][seed]["rounds"] for label in labels)):
        rows.append([rounds[0]["round"]] + [r[what] for r in rounds
                                            for what in ("tainted", "least", "least_now")])
    return aligned(rows)


def drawing(label, run):
    lines = [f"{label}, seed {run['seed']}: a letter per {run['chunk_kb'] // 1024} MiB, a line per round"]
    return lines + [f"  {r['round']:>3}  {r['map']}" for r in run["rounds"]]


def verdict(label, seeds):
    above = [s["tainted"] - s["least"] for s in seeds.values()]
    tainted = sorted(s["tainted"] for s in seeds.values())
    chunks = next(iter(seeds.values()))["chunks"]
    found = f"{tainted[0]}" if tainted[0] == tainted[-1] else f"{tainted[0]} to {tainted[-1]}"
    how = "the least possible" if not any(above) else f"up to {max(above)} more than need be"
    return f"{label}: {found} of {chunks} chunks tainted, {how}"


def main():
    folder, names = sys.argv[1], sys.argv[2:]
    runs = read_runs(folder, names)
    seeds = list(next(iter(runs.values())))
    first = next(iter(runs.values()))[seeds[0]]
    summaries = {label: {seed: summary(run) for seed, run in of_seed.items()}
                 for label, of_seed in runs.items()}
    verdicts = {label: verdict(label, of_seed) for label, of_seed in summaries.items()}
    lines = ["Superpageblocks: the same workload without and with them",
             f"  Linux {first['kernel']}, {first['asked_rounds']} rounds, up to {first['percent']}% of memory "
             f"mapped, {first['files']} files with each 2 MiB, up to {first['pipes']} pipes",
             f"  debugfs-scripts/scenarios/packing/run.sh --seeds \"{' '.join(map(str, seeds))}\" "
             f"--rounds {first['asked_rounds']}", ""]
    lines += ["  " + line for line in table(summaries)] + [""]
    lines += ["  " + line for line in rounds_table(runs, seeds[0])] + [""]
    for label, of_seed in runs.items():
        lines += ["  " + line for line in drawing(label, of_seed[seeds[0]])] + [""]
    lines += [f"  {letter} {meaning}" for letter, meaning in LETTERS.items()] + ["", "Verdict"]
    lines += ["  " + text for text in verdicts.values()]
    text = "\n".join(lines)
    print(text)
    with open(os.path.join(folder, "report.txt"), "w", encoding="ascii") as file:
        file.write(text + "\n")
    with open(os.path.join(folder, "report.json"), "w", encoding="ascii") as file:
        json.dump({"runs": runs, "summaries": summaries, "verdicts": verdicts}, file, indent=1)


if __name__ == "__main__":
    main()
