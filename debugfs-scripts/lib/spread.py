# SPDX-License-Identifier: GPL-2.0
#
# Figures that were measured several times: lowest, median, highest.
import statistics


def spread(values):
    """Of the known values; None if there is none."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def in_words(found, digits):
    """The median, and in brackets the lowest and the highest."""
    if found is None:
        return "-"
    median = f"{found['median']:.{digits}f}"
    if found["low"] == found["high"]:
        return median
    return f"{median} ({found['low']:.{digits}f} to {found['high']:.{digits}f})"


def judge(before, after, more_is_better):
    """The difference between two spreads is noise if they overlap."""
    if before["low"] <= after["high"] and after["low"] <= before["high"]:
        return "noise"
    return "better" if (after["median"] > before["median"]) == more_is_better else "worse"
