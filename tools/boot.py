#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Boots a UML kernel as a process, with a time limit, and leaves nothing behind.
# Imported by the tools that run suites; as a command it boots one guest:
#
#
# The kernel's messages go to the log. With --job the guest's first console is
# a second file, which is shown while it grows. Exit code: 0 if the kernel powered
# off, 3 if it died, 124 on the time limit.
import argparse
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

CRASHED, TIME_LIMIT = 3, 124
PR_SET_PDEATHSIG = 1


class Stopped(Exception):
    """A signal asked this program to end."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def _stop(number, _frame):
    raise Stopped(number)


def stop_on_signals():
    """Turns SIGINT, SIGTERM and SIGHUP into an exception, so that cleanup runs."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Tail:
    """Shows what was added to a file since the last look."""

    def __init__(self, path):
        self._file = open(path, "rb")

    def show(self):
        data = self._file.read()
        if data:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()


def _kill_group(process):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait(process, limit, tail):
    deadline = time.monotonic() + limit
    while True:
        # Asked before the look at the file: what came last is shown, too.
        code = process.poll()
        if tail:
            tail.show()
        if code is not None:
            return code
        if time.monotonic() > deadline:
            return TIME_LIMIT
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)


def boot(image, args, folder, log, limit, job=None):
    """Returns the exit code of the kernel process, TIME_LIMIT if it had to be killed.

    Output goes to files, not pipes: UML's consoles drop what a slow reader
    leaves in a full pipe. Input is a pipe in which nothing comes, one for each
    console, since UML cannot wait twice for the same file.
    """
    ends = [os.pipe(), os.pipe()]
    files = [open(path, "wb+", buffering=0) for path in ([job, log] if job else [log])]
    out, messages = files[0].fileno(), files[-1].fileno()
    consoles = ["con=fd:0", "con0=fd:0,fd:1"]
    if job:
        consoles += [f"con1=fd:{ends[1][0]},fd:{messages}", "console=tty1"]
    else:
        consoles += ["console=tty0"]
    process = subprocess.Popen(
        [image, *args, *consoles, f"uml_dir={folder}/uml/"],
        stdin=ends[0][0], stdout=out, stderr=messages, pass_fds=(ends[1][0], messages),
        start_new_session=True, preexec_fn=_die_with_parent)
    try:
        return _wait(process, limit, Tail(job) if job else None)
    finally:
        _kill_group(process)
        for file in files:
            file.close()
        for end in sum(ends, ()):
            os.close(end)


def main():
    parser = argparse.ArgumentParser(description="boots a UML guest")
    parser.add_argument("--image", required=True)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--folder", required=True, help="private folder of this run")
    parser.add_argument("--log", required=True)
    parser.add_argument("--job")
    parser.add_argument("args", nargs="*")
    options = parser.parse_args()
    stop_on_signals()
    try:
        code = boot(options.image, options.args, options.folder, options.log,
                    options.limit, options.job)
        return code if code in (0, TIME_LIMIT) else CRASHED
    except Stopped as stopped:
        return stopped.exit_code


if __name__ == "__main__":
    sys.exit(main())
