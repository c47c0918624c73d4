# SPDX-License-Identifier: GPL-2.0
#
# Signals and children of the command fragbed: it undoes its changes before it ends, also on
# Ctrl-C.
import contextlib
import signal
import subprocess
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """A signal asked this program to end."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.exit_code = 128 + number


def _stop(number, _frame):
    raise Stopped(number)


def stop_on_signals():
    for number in SIGNALS:
        signal.signal(number, _stop)


@contextlib.contextmanager
def signals_wait():
    """Signals are delivered only after the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait(child):
    """A signal for this program is passed on to the child, which ends first; a second
    signal kills the child."""
    try:
        return child.wait()
    except Stopped as stopped:
        child.send_signal(stopped.number)
    try:
        return child.wait()
    except Stopped:
        child.kill()
        return child.wait()


def run(command, env=None):
    """Returns the exit code as a shell does."""
    try:
        child = subprocess.Popen(command, env=env)
    except OSError as error:
        print(f"fragbed: {command[0]}: {error.strerror}", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126
    code = _wait(child)
    return 128 - code if code < 0 else code
