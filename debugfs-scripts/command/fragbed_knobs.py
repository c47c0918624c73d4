# SPDX-License-Identifier: GPL-2.0
#
# The knobs of fragbed.ko, read and written as they are. The kernel checks the lines; its
# reason for a refusal is shown.
import contextlib
import errno
import os
import re
import sys

from facts import facts_of, rows_of
from fragbed_process import signals_wait

DEBUGFS = "/sys/kernel/debug"
FOLDER = f"{DEBUGFS}/fragbed"
MODULE = "/sys/module/fragbed"
LOCKDOWN = "/sys/kernel/security/lockdown"


class Refused(Exception):
    """The text says why it cannot be done, and what would work."""

    def __init__(self, text, number=None):
        super().__init__(text)
        self.errno = number


def path_of(knob):
    return os.path.join(FOLDER, knob)


def text_of(path):
    """Empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


# --- why it does not work --------------------------------------------------------------


class KernelLog:
    """What the module logs from now on."""

    def __init__(self):
        try:
            self.file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
            os.lseek(self.file, 0, os.SEEK_END)
        except OSError:
            self.file = None

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        if self.file is not None:
            os.close(self.file)

    def _records(self):
        while self.file is not None:
            try:
                record = os.read(self.file, 8192)
            except BrokenPipeError:
                continue    # overwritten before it was read; the next one is there
            except OSError:
                return
            yield record.decode("utf-8", "replace")

    def lines_about(self, knob):
        texts = [record.partition(";")[2].partition("\n")[0] for record in self._records()]
        return [text for text in texts if text.startswith(f"fragbed: {knob}:")]


def why_locked_down():
    found = re.search(r"\[(\w+)\]", text_of(LOCKDOWN))
    if not found or found[1] == "none":
        return None
    return (f"the kernel is locked down ({found[1]}, see {LOCKDOWN}): files in debugfs cannot be "
            "written then, and only read-only files can be read. Secure Boot turns lockdown on "
            "(see mokutil --sb-state); without it this works")


def why_not_loaded():
    release = os.uname().release
    if "/fragbed.ko" in text_of(f"/lib/modules/{release}/modules.dep"):
        return "fragbed.ko is not loaded: modprobe fragbed"
    return (f"fragbed.ko is not loaded, and not installed for Linux {release}: in its source "
            "'make modules', then 'insmod fragbed.ko', or 'dkms install' it and 'modprobe fragbed'")


def why_no_folder():
    if "debugfs" not in text_of("/proc/filesystems").split():
        return ("this kernel has no debugfs: it was built without CONFIG_DEBUG_FS or started "
                "with debugfs=off")
    if f" {DEBUGFS} debugfs " not in text_of("/proc/mounts"):
        return f"debugfs is not mounted: mount -t debugfs none {DEBUGFS}"
    if not os.path.isdir(MODULE):
        return why_not_loaded()
    return f"fragbed.ko is loaded, but has no folder in {DEBUGFS}: load it anew"


def why_no_feature(knob):
    """The line of caps that has the reason, if the kernel lacks a feature. Some features
    belong to a part of a knob only: compact_direct, map_labels."""
    folder, _, last = knob.rpartition("/")
    lines = (line.partition(" ") for line in text_of(path_of("caps")).splitlines())
    return next((f"caps: {name} {value}" for name, _, value in lines
                 if name.partition("_")[0] in (folder, last) and value.startswith("no ")), None)


def why_not(knob, number):
    """The reason behind the errno; None if it is not known."""
    if number in (errno.EPERM, errno.EACCES):
        if os.geteuid():
            return f"must be root: sudo fragbed {' '.join(sys.argv[1:])}"
        return why_locked_down()
    if not os.path.isdir(FOLDER):
        return why_no_folder()
    if number in (errno.EOPNOTSUPP, errno.ENOENT):
        return why_no_feature(knob)
    return None


def refusal(knob, error, said=()):
    name = errno.errorcode.get(error.errno, str(error.errno))
    reason = why_not(knob, error.errno)
    if said:
        text = "\n".join([*said[:-1], f"{said[-1]} ({name})", *([reason] if reason else [])])
    else:
        text = f"fragbed: {knob}: {reason or error.strerror} ({name})"
    return Refused(text, error.errno)


# --- reading and writing -----------------------------------------------------------------


def read(knob):
    try:
        with open(path_of(knob), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise refusal(knob, error) from None


def write(knob, line):
    """Writes the line as it is, at once."""
    with KernelLog() as log:
        try:
            file = os.open(path_of(knob), os.O_WRONLY)
            try:
                os.write(file, os.fsencode(line))
            finally:
                os.close(file)
        except OSError as error:
            raise refusal(knob, error, log.lines_about(knob)) from None


def look(knob):
    """What a knob reports: a list of rows, or a dict of facts."""
    text = read(knob)
    return rows_of(text) if text.startswith("#") else facts_of(text.splitlines())


# --- for as long as something runs ---------------------------------------------------------


def open_lease():
    """None if this module has no such knob. Children do not inherit it."""
    try:
        return os.open(path_of("lease"), os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        if os.path.isdir(FOLDER):
            return None
        raise refusal("lease", error) from None
    except OSError as error:
        raise refusal("lease", error) from None


@contextlib.contextmanager
def freed_afterwards():
    """At the end of the block everything held is freed and everything running is stopped,
    whatever happens inside; with the knob lease also if this process is killed."""
    lease = open_lease()
    try:
        yield
    finally:
        with signals_wait():
            if lease is None:
                write("reset", "1")
            else:
                os.close(lease)
