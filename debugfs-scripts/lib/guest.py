# SPDX-License-Identifier: GPL-2.0
#
# What test scripts in Python need of a machine with fragbed.ko: its knobs, the kernel's log and
# figures, the module itself. lib.sh has the same for shell scripts.
import contextlib
import ctypes
import errno
import functools
import os
import re
import signal
import subprocess
import sys
import threading
import time

LIB = os.path.dirname(os.path.realpath(__file__))
REPO = os.path.dirname(os.path.dirname(LIB))
sys.path.append(os.path.join(LIB, "../command"))

import fragbed_knobs as knobs  # noqa: E402  # the path comes first
from ktap import UNDO, check, near, require, same  # noqa: E402

FOLDER = knobs.FOLDER
MODULE = os.environ.get("FRAGBED_MODULE", "")
KMEMLEAK = "/sys/kernel/debug/kmemleak"

# Pages that come and go by themselves: file cache, slabs, page tables.
NOISE = 512

LIBC = ctypes.CDLL(None, use_errno=True)


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def write_text(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{text}\n")


def wait_for(test, seconds=60, pause=0.0):
    """Returns whether the test came true. Without a pause: what is waited for is soon over."""
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            return False
        if pause:
            time.sleep(pause)
    return True


def require_module(*needs):
    require((os.geteuid() == 0, "must be root"),
            (os.path.isfile(MODULE), "FRAGBED_MODULE names no fragbed.ko"), *needs)


# --- settings ----------------------------------------------------------------------------

_SAVED = set()


def setting(path, value):
    """The value before the first write is restored at the end. Of a list to choose from it is
    the word in brackets."""
    if path not in _SAVED:
        old = text_of(path).strip()
        chosen = re.search(r"\[(.*)\]", old)
        UNDO.callback(write_text, path, chosen[1] if chosen else old)
        _SAVED.add(path)
    write_text(path, value)


# --- the kernel's log ----------------------------------------------------------------------

ALLOCATION_REPORTS = ("page allocation failure", "Call Trace")


def splats():
    """The kernel's reports of its own bugs, as one regular expression. Not kmemleak's, which also
    counts objects of the kernel's start: leaks() leaves those out."""
    lines = text_of(os.path.join(LIB, "splats")).splitlines()
    found = [line for line in lines if line and not line.startswith(("#", "kmemleak"))]
    return "|".join([*found, *ALLOCATION_REPORTS])


class Log:
    """Lines of the kernel's log since the mark. They are read as they come, so that the kernel
    does not overwrite them before."""

    def __init__(self):
        self.file = None
        self._lines = []
        self.overwritten = False

    def mark(self):
        if self.file is not None:
            os.close(self.file)
        self.file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.lseek(self.file, 0, os.SEEK_END)
        self._lines = []
        self.overwritten = False

    def lines(self):
        while True:
            try:
                record = os.read(self.file, 8192).decode("utf-8", "replace")
            except BlockingIOError:
                return self._lines
            except BrokenPipeError:
                self.overwritten = True
            else:
                self._lines.append(record.partition(";")[2].partition("\n")[0])

    def of_module(self):
        return [line for line in self.lines() if "fragbed: " in line]

    def last(self):
        return (self.of_module() or ["nothing"])[-1]

    def last_has(self, pattern):
        check(f"the log's last line has '{pattern}': {self.last()}", re.search(pattern, self.last()))

    def has(self, text):
        check(f"the log has '{text}'", any(text in line for line in self.lines()))

    def check(self):
        """Fails if a report of the kernel or a leak is found."""
        scan_for_leaks()
        trouble = re.compile(splats())
        found = [line for line in self.lines() if trouble.search(line)] + leaks()
        check("the kernel's log was not overwritten since its mark", not self.overwritten)
        check("\n  ".join(["the kernel's log has no reports; it has:", *found]), not found)


LOG = Log()


def scan_for_leaks():
    """Off by default in our kernel, kmemleak=on turns it on: nothing to scan then."""
    with contextlib.suppress(OSError):
        write_text(KMEMLEAK, "scan")
        # Objects younger than five seconds are not reported.
        time.sleep(6)
        write_text(KMEMLEAK, "scan")


def leaks():
    """Objects of pid 0 are the kernel's own, from its start."""
    lines = knobs.text_of(KMEMLEAK).splitlines()
    mine = [line for line in lines if line.startswith("  comm") and "pid 0," not in line]
    return lines if mine else []


# --- knobs -------------------------------------------------------------------------------


def path_of(knob):
    return os.path.join(FOLDER, knob)


def errno_name(number):
    # errno.errorcode has another name for it, which debugfs does not use.
    return "EOPNOTSUPP" if number == errno.EOPNOTSUPP else errno.errorcode[number]


def knob(name, line):
    """Writes a line at once; returns OK or the errno's name."""
    try:
        file = os.open(path_of(name), os.O_WRONLY)
        try:
            os.write(file, f"{line}\n".encode())
        finally:
            os.close(file)
    except OSError as error:
        return errno_name(error.errno)
    return "OK"


def ok_knob(name, line):
    wants("OK", name, line)


def wants(wanted, name, line):
    same(f"{name} '{line}'", knob(name, line), wanted)


def hold_until_full(line):
    """Repeats a line of hold/alloc until it is refused; returns how."""
    while True:
        result = knob("hold/alloc", line)
        if result != "OK":
            return result


def _ignore(_number, _frame):
    pass


class Writer:
    """A write to a knob by a thread, which a signal interrupts: libc's write() and not
    Python's, which tries again after EINTR."""

    def __init__(self, name, line):
        signal.signal(signal.SIGUSR1, _ignore)
        self.result = None
        # A thread that has ended cannot be signalled: it waits for that.
        self.may_end = threading.Event()
        self.thread = threading.Thread(target=self._write, args=(name, f"{line}\n".encode()), daemon=True)
        self.thread.start()

    def _write(self, name, line):
        file = os.open(path_of(name), os.O_WRONLY)
        written = LIBC.write(file, line, len(line))
        self.result = "OK" if written >= 0 else errno_name(ctypes.get_errno())
        os.close(file)
        self.may_end.wait()

    def interrupt(self):
        signal.pthread_kill(self.thread.ident, signal.SIGUSR1)

    def ends_with(self, wanted):
        check("the writer ends", wait_for(lambda: self.result, seconds=600, pause=0.01))
        same("the writer got", self.result, wanted)


# A command file that allocates makes MemFree fall first. In KiB; more than starting the
# writer costs, which with KASAN was 6 MiB for a moment when it was a process.
BEGUN_KB = 32768


@contextlib.contextmanager
def writing(name, line, has_begun=None):
    """A writer in whose write the kernel is at work, as has_begun() finds."""
    before = meminfo("MemFree")
    writer = Writer(name, line)
    try:
        begun = has_begun or (lambda: meminfo("MemFree") < before - BEGUN_KB)
        check(f"{name} '{line}' is at work", wait_for(begun))
        yield writer
    finally:
        writer.may_end.set()


# --- what knobs contain --------------------------------------------------------------------


def rows(name):
    """Of a table: dicts by column."""
    return knobs.look(name)


def facts(name):
    """Of lines of "name value": a dict."""
    return knobs.look(name)


def fact(name, key):
    return facts(name).get(key)


def has_feature(name):
    return fact("caps", name) == "yes"


def without(*features):
    """For Cases.add(): skips where a feature is missing, with the reason that caps has."""
    return lambda: next((fact("caps", name) for name in features if not has_feature(name)), None)


def sets():
    return rows("hold/sets")


def set_sum(name, column):
    return sum(row[column] for row in sets() if row["set"] == name)


def set_pages(name):
    return set_sum(name, "pages")


def nothing_held():
    same("sets held", [row["set"] for row in sets()], [])


def has_mode(name, mode):
    same(f"mode of {name}", f"{os.stat(path_of(name)).st_mode & 0o777:04o}", f"{mode:04o}")


# --- the kernel's figures ------------------------------------------------------------------


def meminfo(name):
    """In KiB."""
    return int(re.search(rf"^{name}: *(\d+)", text_of("/proc/meminfo"), re.MULTILINE)[1])


def vmstat(name):
    return int(re.search(rf"^{name} (\d+)", text_of("/proc/vmstat"), re.MULTILINE)[1])


def zoneinfo(name):
    """The sum of all zones."""
    return sum(map(int, re.findall(rf"^ *{name} +(\d+)", text_of("/proc/zoneinfo"), re.MULTILINE)))


def free_pages():
    """For all uses: in the free areas or on a per-cpu list."""
    return zoneinfo("nr_free_pages") + zoneinfo("count:")


@functools.cache
def kept_back():
    """Pages that KASAN may keep of what was freed."""
    with open("/proc/kallsyms", encoding="utf-8") as symbols:
        kasan = any(line.endswith(" kasan_report\n") for line in symbols)
    return meminfo("MemTotal") // 4 // 32 if kasan else 0


def all_back(before, slack=NOISE):
    """Some pages come back late: freed by RCU, or not yet in the kernel's counters."""
    wait_for(lambda: abs(free_pages() - before) <= slack, seconds=5, pause=0.1)
    near("pages are free again", free_pages(), before, slack)


# --- the module ----------------------------------------------------------------------------


def module_loaded():
    return os.path.isdir(knobs.MODULE)


def insert(module):
    check(f"insmod {module}", subprocess.run(["insmod", module], check=False).returncode == 0)


def load_module():
    if module_loaded():
        return
    insert(MODULE)
    UNDO.callback(lambda: module_loaded() and unload_module())


def broken_records():
    """Rows of spb/check that found the records of superpageblocks wrong."""
    return [row for row in rows("spb/check") if row["broken"]] if os.path.exists(path_of("spb/check")) else []


def records_are_true():
    same("broken records of superpageblocks", broken_records(), [])


def unload_module():
    """What a script did must not have made the records wrong."""
    found = broken_records()
    check("rmmod fragbed", subprocess.run(["rmmod", "fragbed"], check=False).returncode == 0)
    same("broken records of superpageblocks", found, [])


def reset_at_end():
    UNDO.callback(lambda: module_loaded() and ok_knob("reset", "1"))
