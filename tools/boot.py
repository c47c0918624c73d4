#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Boots a guest with a time limit and leaves no process behind. The tools that run suites
# import it; as a command it boots one guest, which runs a job.
#
# The kernel's messages go to the log. With --job the guest's first console goes to a
# second file, which is printed while it grows. Exit code: 0 the kernel powered off, 3 it
# died, 124 time limit.
import argparse
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

import configurations
import machine

CRASHED, TIME_LIMIT = 3, 124
PR_SET_PDEATHSIG = 1


class Stopped(Exception):
    """A signal that ends this program."""

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
    """Prints the lines added to a file since the last call of show()."""

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
        # Before the file is read, so that its last lines are printed, too.
        code = process.poll()
        if tail:
            tail.show()
        if code is not None:
            return code
        if time.monotonic() > deadline:
            return TIME_LIMIT
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)


def _powered_off(log):
    """Did the guest finish? UML's process may still die of a pending tick after that, see
    docs/mainline-bugs.md."""
    with contextlib.suppress(FileNotFoundError), open(log, "rb") as file:
        return any(b"reboot: Power down" in line for line in file.read().splitlines()[-2:])
    return False


def boot(guest, args, log, limit, job=None):
    """Starts a machine of machine.py. Returns 0 if it powered off, TIME_LIMIT if the time
    limit killed it, else the exit code of its process."""
    with guest.started_by(args, log, job) as how:
        process = subprocess.Popen(**how, start_new_session=True, preexec_fn=_die_with_parent)
        try:
            code = _wait(process, limit, Tail(job) if job else None)
        finally:
            _kill_group(process)
    return 0 if code not in (0, TIME_LIMIT) and _powered_off(log) else code


def main():
    parser = argparse.ArgumentParser(description="boots a guest of a configuration")
    parser.add_argument("--config", required=True)
    parser.add_argument("--mem", help="memory, instead of the configuration's")
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--folder", required=True, help="private folder of this run, with the kernel")
    parser.add_argument("--out", required=True, help="the other folder that the guest may write to")
    parser.add_argument("--host", default="/", help="QEMU: the folder that is the guest's root")
    parser.add_argument("--initrd", help="QEMU: an initrd, which mounts the root")
    parser.add_argument("--log", required=True)
    parser.add_argument("--job")
    parser.add_argument("args", nargs="*")
    options = parser.parse_args()
    stop_on_signals()
    config = configurations.get(options.config)
    shares = {"run": options.folder, "out": options.out}
    try:
        guest = machine.of_config(config, options.folder, options.mem or config.mem, shares,
                                host=options.host, initrd=options.initrd)
        code = boot(guest, [*config.args.split(), *guest.root.split(), *options.args], options.log,
                    options.limit, options.job)
        return code if code in (0, TIME_LIMIT) else CRASHED
    except Stopped as stopped:
        return stopped.exit_code


if __name__ == "__main__":
    sys.exit(main())
