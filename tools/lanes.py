#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# The lanes: a build of the kernel and how it is started. Imported by the tools
# in Python; for those in shell:
#
#   lanes.py list          the names, a line each
#   lanes.py LANE FIELD    build, arch, image, mem, args or suites
import dataclasses
import sys


@dataclasses.dataclass(frozen=True)
class Lane:
    build: str          # lanes that differ in nothing but the start share one
    arch: str           # as in ARCH=
    image: str          # what make builds and the machine starts
    mem: str = "1G"
    args: str = ""      # on the kernel's command line
    suites: str = "fragbed_*"


# ZONE_MOVABLE makes a second populated zone in every node. UML has several CPUs
# only with seccomp=on. What makes and watches whole compactions wants one CPU
# and one node: uml-numa is for what is about nodes.
LANES = {
    "uml": Lane("uml", "um", "linux"),
    "uml-small-blocks": Lane("uml-small-blocks", "um", "linux", args="movablecore=256M"),
    "uml-numa": Lane("uml-small-blocks", "um", "linux",
                     args="movablecore=256M numa=fake=4 ncpus=2 seccomp=on",
                     suites="fragbed_vma_policy_mof"),
    "x86_64": Lane("x86_64", "x86_64", "arch/x86/boot/bzImage", mem="2G", args="movablecore=512M"),
}


def main():
    if sys.argv[1:] == ["list"]:
        print(*LANES, sep="\n")
    elif len(sys.argv) == 3 and sys.argv[1] in LANES:
        print(getattr(LANES[sys.argv[1]], sys.argv[2]))
    else:
        sys.exit(f"usage: lanes.py list | LANE FIELD; there are: {', '.join(LANES)}")


if __name__ == "__main__":
    main()
