# SPDX-License-Identifier: GPL-2.0
#
# Messages when something is missing: the module, debugfs, privileges, a feature.
import contextlib
import errno
import os
import subprocess
from unittest import mock

import fragbed_knobs as knobs
import guest
from guest import fact, has_feature
from ktap import Cases, check, same
from program import FRAGBED, exits, run, tmp

# Those before the module is loaded, and the others.
FIRST_CASES = Cases()
CASES = Cases()


@FIRST_CASES.add()
def not_loaded_says_how_to_load():
    exits(1, "caps").err_has("fragbed.ko is not loaded", "(ENOENT)")
    exits(1, "map").err_has("fragbed.ko is not loaded")
    exits(1, "hold set=a type=unmovable order=0 count=1").err_has("insmod")
    exits(0, "--version").out_has("not loaded")


@contextlib.contextmanager
def debugfs_unmounted():
    subprocess.run(["umount", knobs.DEBUGFS], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-t", "debugfs", "debugfs", knobs.DEBUGFS], check=True)


@FIRST_CASES.add()
def debugfs_not_mounted():
    with debugfs_unmounted():
        exits(1, "map").err_has("mount -t debugfs none /sys/kernel/debug")


@contextlib.contextmanager
def no_debugfs_in_filesystems():
    lines = guest.text_of("/proc/filesystems").splitlines()
    guest.write_text(tmp("filesystems"), "\n".join(line for line in lines if "debugfs" not in line))
    subprocess.run(["mount", "--bind", tmp("filesystems"), "/proc/filesystems"], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "/proc/filesystems"], check=True)


@FIRST_CASES.add()
def no_debugfs_in_the_kernel():
    with debugfs_unmounted(), no_debugfs_in_filesystems():
        exits(1, "map").err_has("CONFIG_DEBUG_FS")


@CASES.add()
def not_root_says_sudo():
    ended = run([FRAGBED, "map", "--chunk", "64M"], user=65534, group=65534)
    same("exit code", ended.code, 1)
    ended.err_has("must be root: sudo fragbed map --chunk 64M")


def refusal_under(lockdown):
    """What a write that fails with EPERM prints if this is the kernel's file lockdown."""
    guest.write_text(tmp("lockdown"), lockdown)
    with mock.patch.object(knobs, "LOCKDOWN", tmp("lockdown")):
        return str(knobs.refusal("hold/alloc", PermissionError(errno.EPERM, os.strerror(errno.EPERM))))


@CASES.add()
def lockdown_is_explained():
    message = refusal_under("none [integrity] confidentiality")
    for word in ("integrity", tmp("lockdown"), "Secure Boot", "(EPERM)"):
        check(f"{word} is in: {message}", word in message)
    message = refusal_under("[none] integrity confidentiality")
    check(f"no lockdown in: {message}", "locked down" not in message)


# In a kernel without a feature, the line of caps has the reason.
@CASES.add()
def missing_feature_has_its_reason():
    for feature, words in {"compact_direct": "compact order=4 type=movable prio=async",
                           "mof": f"mof {os.getpid()} 1000", "spb": "spb table"}.items():
        if not has_feature(feature):
            exits(1, words).err_has(f"caps: {feature} {fact('caps', feature)}")
