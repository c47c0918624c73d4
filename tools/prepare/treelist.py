#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# treelist.py SOURCE LISTING CHANGED GONE
#
# Compares a source folder with the listing of an earlier run in LISTING. Writes the
# files that changed since to CHANGED and those that are gone to GONE, each name ended
# by NUL, and the new listing to LISTING.new: the caller renames it after the copy.
import os
import subprocess
import sys

# Build results, skipped in a folder without git; "make mrproper" removes the rest from
# the copy.
BUILD_SUFFIXES = (".o", ".ko", ".a", ".cmd", ".mod")


def git_names(source):
    """The files that git tracks or would track; None if this is no git checkout."""
    if not os.path.exists(os.path.join(source, ".git")):
        return None
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", source, "ls-files", "-z",
         "--cached", "--others", "--exclude-standard"],
        stdout=subprocess.PIPE, check=True)
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def walked_names(source):
    names = []
    for folder, folders, files in os.walk(source):
        if folder == source:
            folders[:] = [f for f in folders if f not in (".git", ".pc")]
        for name in files + [f for f in folders
                             if os.path.islink(os.path.join(folder, f))]:
            if not name.endswith(BUILD_SUFFIXES) and not name.startswith("vmlinux."):
                names.append(os.path.relpath(os.path.join(folder, name), source))
    return names


def listing(source):
    """Maps each name to a string that changes when the file changes."""
    names = git_names(source)
    if names is None:
        names = walked_names(source)
    found = {}
    for name in names:
        try:
            st = os.lstat(os.path.join(source, name))
        except FileNotFoundError:
            continue  # deleted, but still in git's index
        found[name] = f"{st.st_size}.{st.st_mtime_ns}.{st.st_mode}"
    return found


def read_listing(path):
    try:
        with open(path, errors="surrogateescape") as file:
            entries = file.read().split("\0")
    except FileNotFoundError:
        return {}
    return dict(entry.split(" ", 1)[::-1] for entry in entries if entry)


def write_names(path, names):
    with open(path, "w", errors="surrogateescape") as file:
        file.writelines(name + "\0" for name in sorted(names))


def main():
    source, old_path, changed, gone = sys.argv[1:]
    old, new = read_listing(old_path), listing(source)
    write_names(changed, [n for n in new if old.get(n) != new[n]])
    write_names(gone, [n for n in old if n not in new])
    write_names(old_path + ".new", [f"{mark} {name}" for name, mark in new.items()])


main()
