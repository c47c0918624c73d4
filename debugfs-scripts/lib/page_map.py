# SPDX-License-Identifier: GPL-2.0
#
# The rows of the file "map" as letters and colours: one look for each chunk of memory.
from facts import read_table
from render import Look

COLUMNS = ["node", "pfn", "pages", "free", "movable", "unmovable", "reclaimable",
           "reserved", "free_blocks", "label_unmovable", "label_movable",
           "label_reclaimable", "label_other", "spb"]

# The first rule that fits.
RULES = [
    (Look("#", "90", "reserved", "reserved by the kernel"),
     lambda row: row["reserved"] > row["pages"] // 2),
    (Look(".", "32", "empty", "empty: all pages are free"),
     lambda row: row["free"] == row["pages"]),
    (Look("U", "41;97", "mostly-unmovable", "unmovable or reclaimable pages, more than half"),
     lambda row: row["unmovable"] + row["reclaimable"] > row["pages"] // 2),
    (Look("u", "31", "some-unmovable", "some unmovable or reclaimable pages: cannot be emptied"),
     lambda row: row["unmovable"] + row["reclaimable"] > 0),
    (Look("M", "44;97", "mostly-movable", "movable pages, more than half"),
     lambda row: row["movable"] > row["pages"] // 2),
    (Look("m", "33", "some-movable", "movable pages scattered in free memory: can be emptied"),
     lambda row: row["movable"] > 0),
    (Look("r", "90", "rest", "free except for reserved pages"), lambda row: True),
]
LOOKS = [look for look, _ in RULES]


def read_map(path, node=0):
    """The rows of one node."""
    rows = [dict(zip(COLUMNS, map(int, row))) for row in read_table(path)]
    return [row for row in rows if row["node"] == node]


def look_of(row):
    return next(look for look, fits in RULES if fits(row))


def letters_of(rows):
    return "".join(look_of(row).letter for row in rows)
