#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# report_superpageblocks.py FOLDER NAME=SUBFOLDER...
#
# Renders what mix_memory.py counted on several kernels: a table in the terminal, the
# same in FOLDER/report.json, and memory drawn a letter a chunk.
import json
import os
import sys

LETTERS = {
    "T": "holds something that cannot move",
    "m": "free and movable pages only",
    ".": "free",
}


def read_kernels(folder, names):
    kernels = {}
    for name in names:
        label, subfolder = name.split("=")
        with open(os.path.join(folder, subfolder, "mix.json"), encoding="ascii") as file:
            kernels[label] = json.load(file)
    return kernels


def table(kernels):
    labels = list(kernels)
    head = ["round"] + [f"{label}: {what}" for label in labels
                        for what in ("tainted", "of them whole", "least")]
    rows = []
    for rounds in zip(*(kernels[label]["rounds"] for label in labels)):
        rows.append([rounds[0]["round"]] + [r[what] for r in rounds
                                            for what in ("tainted", "tainted_whole", "least")])
    widths = [max(len(str(row[i])) for row in [head] + rows) for i in range(len(head))]
    return ["  ".join(str(cell).rjust(width) for cell, width in zip(row, widths))
            for row in [head] + rows]


def drawing(label, kernel):
    lines = [f"{label}, a letter per {kernel['chunk_kb'] // 1024} MiB, a line per round"]
    return lines + [f"  {r['round']:>3}  {r['map']}" for r in kernel["rounds"]]


def verdict(label, kernel):
    rounds = kernel["rounds"][1:]
    most = max(rounds, key=lambda r: r["tainted"])
    least = max(r["least"] for r in rounds)
    return (f"{label}: at most {most['tainted']} of {most['chunks']} chunks tainted, "
            f"{most['tainted_whole']} of them without reserved pages; what cannot move would "
            f"have fitted into {least}")


def main():
    folder, names = sys.argv[1], sys.argv[2:]
    kernels = read_kernels(folder, names)
    first = next(iter(kernels.values()))
    lines = ["Superpageblocks: the same workload without and with them",
             f"  Linux {first['kernel']}, seed {first['seed']}, {first['asked_rounds']} rounds, "
             f"up to {first['percent']}% of memory mapped, chunks of {first['chunk_kb']} KiB", ""]
    lines += ["  " + line for line in table(kernels)] + [""]
    for label, kernel in kernels.items():
        lines += ["  " + line for line in drawing(label, kernel)] + [""]
    lines += [f"  {letter} {meaning}" for letter, meaning in LETTERS.items()] + ["", "Verdict"]
    verdicts = {label: verdict(label, kernel) for label, kernel in kernels.items()}
    lines += ["  " + text for text in verdicts.values()]
    text = "\n".join(lines)
    print(text)
    with open(os.path.join(folder, "report.txt"), "w", encoding="ascii") as file:
        file.write(text + "\n")
    with open(os.path.join(folder, "report.json"), "w", encoding="ascii") as file:
        json.dump({"kernels": kernels, "verdicts": verdicts}, file, indent=1)


if __name__ == "__main__":
    main()
