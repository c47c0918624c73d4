# SPDX-License-Identifier: GPL-2.0
#
# Figures that were taken several times: lowest, median, highest.


def judge(before, after, more_is_better):
    """Of two spreads, lowest to highest: what they have in common is noise."""
    if before["low"] <= after["high"] and after["low"] <= before["high"]:
        return "noise"
    return "better" if (after["median"] > before["median"]) == more_is_better else "worse"
