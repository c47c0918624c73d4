# SPDX-License-Identifier: GPL-2.0
#
# Starts the command fragbed as a user does, and checks its output.
import json
import os
import subprocess
import tempfile

import guest
from ktap import check, same

COMMAND = os.path.normpath(os.path.join(guest.REPO, "debugfs-scripts/command"))
FRAGBED = os.path.join(COMMAND, "fragbed")

# It goes when this script ends.
FOLDER = tempfile.TemporaryDirectory()

# The last one that ended; its output is printed when a case fails.
LAST = []


def tmp(name):
    return os.path.join(FOLDER.name, name)


class Ended:
    """A command that has ended, with its exit code as a shell has it."""

    def __init__(self, what, code, out, err):
        self.what, self.out, self.err = what, out, err
        self.code = 128 - code if code < 0 else code
        LAST[:] = [self]

    def out_has(self, *texts):
        for text in texts:
            check(f"stdout of {self.what} has '{text}'", text in self.out)
        return self

    def err_has(self, *texts):
        for text in texts:
            check(f"stderr of {self.what} has '{text}'", text in self.err)
        return self

    def has_nowhere(self, text):
        check(f"{self.what} prints no '{text}'", text not in self.out + self.err)
        return self

    def err_is_empty(self):
        same(f"stderr of {self.what}", self.err, "")
        return self

    def is_json(self):
        json.loads(self.out)
        return self

    def tail(self):
        return "\n".join([*(f"out: {line}" for line in self.out.splitlines()[-5:]),
                          *(f"err: {line}" for line in self.err.splitlines()[-5:])])


def run(command, **how):
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, **how)
    return Ended(" ".join(command[:8]), ended.returncode, ended.stdout, ended.stderr)


def argv(words, more):
    return [FRAGBED, *words.split(), *more]


def exits(code, words, *more, **how):
    """fragbed with these words, and arguments that are not to be split."""
    ended = run(argv(words, more), **how)
    same(f"exit code of {ended.what}", ended.code, code)
    return ended.has_nowhere("Traceback")


def refused(errno, words, *more):
    """Its message is the module's own line in the log and the errno."""
    ended = exits(1, words, *more)
    last = guest.LOG.last()
    same(f"stderr of {ended.what}", ended.err, f"{last[last.find('fragbed: '):]} ({errno})\n")


def start(words, *more):
    """In the background, with its output in files: a pipe may be full, or stay open in a child."""
    with open(tmp("out"), "wb") as out, open(tmp("err"), "wb") as err:
        return subprocess.Popen(argv(words, more), stdout=out, stderr=err)


def ended_by(child, number):
    child.send_signal(number)
    code = child.wait()
    return Ended(" ".join(child.args[:8]), code, guest.text_of(tmp("out")), guest.text_of(tmp("err")))
