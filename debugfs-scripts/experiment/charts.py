# SPDX-License-Identifier: GPL-2.0
#
# The charts of the experiment, drawn by matplotlib (package python3-matplotlib) as SVG that is
# embedded in the page.
import io
import re
import statistics

import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

import chunk_map
import data
from spread import spread

COLOURS = {"mainline": "#6e7781", "mainline-defrag": "#bf8700", "off": "#8250df",
           "spb": "#0969da", "spb-defrag": "#1b7c83"}
# Colours of a chunk, red, green, blue: from FREE to FULL by how full it is, from LITTLE to
# MUCH by how tainted.
FREE, FULL = (0.87, 0.95, 0.88), (0.20, 0.55, 0.32)
LITTLE, MUCH = (0.98, 0.62, 0.55), (0.55, 0.05, 0.08)
OBTAINED = (0.20, 0.42, 0.85)

plt.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "fragbed", "font.family": "sans-serif", "font.size": 10,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11, "axes.titlelocation": "left"})


def embed(figure, label):
    """The drawing as a part of a page. Its ids get a prefix, so that those of two drawings
    differ."""
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    svg = re.sub(r"^.*?(?=<svg)", "", text.getvalue(), flags=re.S)
    prefix = re.sub(r"\W+", "-", label) + "-"
    svg = re.sub(r'(\bid="|url\(#|href="#)', lambda found: found[1] + prefix, svg)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*" ?', r"<svg \1", svg, count=1)
    svg = re.sub(r'<svg ([^>]*?)height="[^"]*" ?', r"<svg \1", svg, count=1)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def between(first, second, share):
    return tuple(a + (b - a) * share for a, b in zip(first, second))


def colour(row):
    """Tainted chunks by their unmovable pages: darkest from a tenth of a chunk on."""
    whole = sum(row[name] for name in chunk_map.CLASSES) or 1
    stuck = chunk_map.stuck(row)
    if stuck:
        return between(LITTLE, MUCH, min(1, (10 * stuck / whole) ** 0.5))
    if row["huge"]:
        return OBTAINED
    return between(FREE, FULL, row["movable"] / whole)


def phases_of(run):
    """(name, index of its first sample)"""
    firsts, seen = [], None
    for index, sample in enumerate(run["samples"]):
        if sample["phase"] != seen:
            seen = sample["phase"]
            firsts.append((seen, index))
    return firsts


def name_phases(axis, run):
    # A column with 1 GiB pages is blue and needs no name.
    firsts = [(name, index) for name, index in phases_of(run) if name != "with 1 GiB pages"]
    axis.set_xticks([index - 0.5 for _, index in firsts],
                    [name for name, _ in firsts], rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
    axis.set_xlim(-0.5, len(run["samples"]) - 0.5)


def heat_map(run, title):
    """A column for each look at memory, a row for each chunk."""
    columns = [[colour(row) for row in data.rows_of(run, sample)] for sample in run["samples"]]
    picture = [list(row) for row in zip(*columns)]
    figure, axis = plt.subplots(figsize=(4.2, 0.8 + 0.2 * len(picture)))
    axis.imshow(picture, aspect="auto", interpolation="nearest")
    never = [index for index, row in enumerate(data.rows_of(run, run["samples"][0]))
             if not chunk_map.can_be_huge(row)]
    labels = [f"{number}{' *' if index in never else ''}" for index, number in enumerate(run["chunk_numbers"])]
    every = max(1, len(labels) // 16)
    axis.set_yticks(range(0, len(labels), every), labels[::every], fontsize=8)
    axis.set_ylabel("GiB")
    for index in range(1, len(picture)):
        axis.axhline(index - 0.5, color="white", linewidth=0.8)
    name_phases(axis, run)
    axis.set_title(title)
    return embed(figure, title)


def band(axis, kernel, runs):
    """Median of all seeds, with the spread; as long as the shortest."""
    counts = [data.tainted_counts(run) for run in runs]
    steps = [sorted(values) for values in zip(*counts)]
    middle = [statistics.median(values) for values in steps]
    axis.plot(middle, color=COLOURS.get(kernel, "black"), label=data.NAMES.get(kernel, kernel), linewidth=2)
    axis.fill_between(range(len(steps)), [values[0] for values in steps], [values[-1] for values in steps],
                      color=COLOURS.get(kernel, "black"), alpha=0.15, linewidth=0)


def tainted_chart(load, of_load, summary):
    figure, axis = plt.subplots(figsize=(6.2, 3.2))
    for kernel, seeds in of_load.items():
        band(axis, kernel, list(seeds.values()))
    least = min(entry["possible"]["tainted"] for seeds in summary.values() for entry in seeds.values())
    axis.axhline(least, color="black", linestyle="--", linewidth=1, label="least possible")
    first = next(iter(next(iter(of_load.values())).values()))
    axis.set_ylim(0, len(first["chunk_numbers"]) + 0.5)
    axis.yaxis.get_major_locator().set_params(integer=True)
    axis.set_ylabel("tainted chunks of 1 GiB")
    name_phases(axis, first)
    axis.set_title(f"{load}: tainted chunks, median and spread of the seeds")
    axis.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    return embed(figure, f"{load}: tainted chunks over time")


def pages_chart(load, summary):
    """Bars with the most possible drawn over each."""
    figure, axis = plt.subplots(figsize=(6.2, 3.2))
    width = 0.8 / len(summary)
    for at, (kernel, seeds) in enumerate(summary.items()):
        for place, phase in enumerate(("resident", "ended")):
            found = spread(data.figure_values(seeds, f"pages_{phase}"))
            most = spread([entry["possible"][f"pages_{phase}"] for entry in seeds.values()])["median"]
            x = place + (at - (len(summary) - 1) / 2) * width
            axis.bar(x, found["median"], width * 0.9, color=COLOURS.get(kernel, "black"),
                     label=data.NAMES.get(kernel, kernel) if not place else None,
                     yerr=[[found["median"] - found["low"]], [found["high"] - found["median"]]], capsize=3)
            axis.plot([x - width * 0.45, x + width * 0.45], [most, most], color="black", linestyle="--",
                      linewidth=1.2, label="most possible" if not place and not at else None)
    axis.set_xticks([0, 1], ["workload resident", "after it ended"])
    axis.yaxis.get_major_locator().set_params(integer=True)
    axis.set_ylabel("1 GiB pages obtained")
    axis.set_ylim(0, axis.get_ylim()[1] * 1.3)
    axis.set_title(f"{load}: 1 GiB pages at run time")
    axis.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    return embed(figure, f"{load}: 1 GiB pages obtained")


def price_chart(lines):
    """Percent above mainline of all cases that are counted in instructions."""
    kernels = [kernel for kernel in ("off", "spb") if any(kernel in line["kernels"] for line in lines)]
    names = [f"{line['case']}, {line['what']}" for line in lines]
    figure, axis = plt.subplots(figsize=(6.2, 0.8 + 0.24 * len(names)))
    for at, kernel in enumerate(kernels):
        values = [line["kernels"].get(kernel, {}).get("percent") or 0 for line in lines]
        places = [index + (at - 0.5) * 0.4 for index in range(len(names))]
        axis.barh(places, values, 0.38, color=COLOURS[kernel], label=data.NAMES[kernel])
    limits = {line["kernels"]["spb"]["limit"] for line in lines
              if line["kernels"].get("spb", {}).get("limit") is not None}
    for limit in sorted(limits):
        axis.axvline(limit, color="black", linestyle="--", linewidth=1)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("% more instructions than mainline; dashed: the limits for order 0")
    axis.legend(frameon=False, fontsize=8)
    return embed(figure, "instructions above mainline")
