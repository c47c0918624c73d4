# SPDX-License-Identifier: GPL-2.0
#
# Test cases of a script in a guest and their results: numbered KTAP lines on stdout,
# "passed failed skipped" in the file that $FRAGBED_COUNTS names, and the exit status: 0 all
# passed, 1 something failed, 4 nothing could be tested. lib.sh does the same for shell scripts.
#
#   CASES = Cases()             the cases of a file, in their order
#   @CASES.add(why_not)         makes a function a case; why_not() returns a reason to skip it
#   check, same, near           a fact in a case; the first wrong one ends and fails the case
#   Results                     runs cases and counts them
#   require((MET, REASON)...)   ends the script with 4 and all reasons that are not met
#   UNDO.callback(FUNCTION)     undone last-in first-out when the script ends
#   end_with(MAIN)              runs MAIN, undoes, also on a signal, and exits with its status
import contextlib
import os
import signal
import sys
import traceback

FAILED, CANNOT_RUN = 1, 4

UNDO = contextlib.ExitStack()


def say(text):
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


# --- checks ------------------------------------------------------------------------------


class Failed(Exception):
    """A fact of a case is wrong; the text says which."""


def check(what, truth):
    if not truth:
        raise Failed(f"failed: {what}")


def same(what, value, wanted):
    check(f"{what}: it is {value!r}, wanted {wanted!r}", value == wanted)


def near(what, value, wanted, slack):
    check(f"{what}: it is {value}, wanted {wanted}, {slack} more or less",
          abs(value - wanted) <= slack)


# --- cases -------------------------------------------------------------------------------


class Cases(dict):
    """{name: function}. The name of a case is that of its function."""

    def add(self, why_not=lambda: None):
        def mark(body):
            body.why_not = why_not
            self[body.__name__] = body
            return body
        return mark


class Results:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        print("KTAP version 1", flush=True)

    def ran(self):
        return self.passed + self.failed + self.skipped

    def skip(self, name, reason):
        self.skipped += 1
        print(f"ok {self.ran()} - {name} # SKIP {reason}", flush=True)

    def expect(self, name, body, *args):
        """One case: it passes if the body returns, and fails if it raises."""
        try:
            body(*args)
        except Failed as failed:
            say(failed)
        except Exception:       # a faulty case is one that failed
            say(traceback.format_exc())
        else:
            self.passed += 1
            print(f"ok {self.ran()} - {name}", flush=True)
            return
        self.failed += 1
        print(f"not ok {self.ran()} - {name}", flush=True)

    def run(self, body):
        name = body.__name__.replace("_", " ")
        reason = body.why_not()
        if reason:
            self.skip(name, reason)
        else:
            self.expect(name, body)

    def finish(self, expected):
        """The plan, the counts and the exit status. Another number of cases than expected is
        a failure: one was lost on the way."""
        print(f"1..{self.ran()}")
        say(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        if self.ran() != expected:
            say(f"expected {expected} cases, ran {self.ran()}")
            self.failed += 1
        if counts_file():
            with open(counts_file(), "w", encoding="utf-8") as file:
                print(self.passed, self.failed, self.skipped, file=file)
        if self.failed:
            return FAILED
        return 0 if self.passed else CANNOT_RUN


def counts_file():
    """guest.sh and the command fragbed name it; else it is in the folder for output."""
    named = os.environ.get("FRAGBED_COUNTS") or os.environ.get("FRAGBED_JOB_COUNTS")
    folder = os.environ.get("FRAGBED_OUT")
    return named or (folder and os.path.join(folder, "counts"))


# --- start and end -----------------------------------------------------------------------


def require(*needs):
    missing = [reason for met, reason in needs if not met]
    for reason in missing:
        say(f"SKIP: {reason}")
    if missing:
        sys.exit(CANNOT_RUN)


def _stop(number, _frame):
    # No Exception: it ends the script, not the case.
    raise SystemExit(128 + number)


def end_with(main):
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        signal.signal(number, _stop)
    try:
        status = main()
    finally:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        UNDO.close()
    sys.exit(status)
