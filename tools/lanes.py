#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# The lanes: a build of the kernel and how it is started. Imported by the tools
# in Python; for those in shell:
#
#   lanes.py list          the names, a line each
#   lanes.py LANE FIELD    one of the fields below
import dataclasses
import sys


@dataclasses.dataclass(frozen=True)
class Lane:
    build: str          # lanes that differ in nothing but the start share one
    arch: str           # as in ARCH=
    image: str          # what make builds and the machine starts
    mem: str = "1G"
    args: str = ""      # on the kernel's command line
    suite_args: str = ""
    series: str = "ours"    # "none": the source as it is, without our patches
    modules: str = "fragbed"    # "bench": those of module/bench only
    # For QEMU only. icount: guest time is the number of instructions retired, which
    # is the same in each run; it takes one CPU.
    cpus: int = 2
    nodes: int = 2
    icount: bool = False


# ZONE_MOVABLE makes a second populated zone. UML has several CPUs only with
# seccomp=on.
LANES = {
    "uml": Lane("uml", "um", "linux"),
    "uml-small-blocks": Lane("uml-small-blocks", "um", "linux", suite_args="movablecore=256M"),
    "uml-numa": Lane("uml-small-blocks", "um", "linux",
                     args="numa=fake=4 ncpus=2 seccomp=on", suite_args="movablecore=256M"),
    "uml-spb": Lane("uml-spb", "um", "linux"),
    "kasan-spb": Lane("kasan-spb", "um", "linux"),
    "fuzz-spb": Lane("fuzz-spb", "um", "linux", args="ncpus=2 seccomp=on"),
    "x86_64": Lane("x86_64", "x86_64", "arch/x86/boot/bzImage", mem="2G",
                   suite_args="movablecore=512M"),
}

# The kernels of the experiment and of the price list, without debugging: mainline as it
# is, ours with CONFIG_SUPERPAGEBLOCK off and on. Each once more as counted instructions.
for _name in ("mainline", "off", "spb"):
    LANES[f"exp-{_name}"] = Lane(f"exp-{_name}", "x86_64", "arch/x86/boot/bzImage", mem="12G",
                                 series="none" if _name == "mainline" else "ours",
                                 modules="bench", nodes=1)
    LANES[f"count-{_name}"] = dataclasses.replace(LANES[f"exp-{_name}"], mem="6G", cpus=1,
                                                  icount=True)


def main():
    if sys.argv[1:] == ["list"]:
        print(*LANES, sep="\n")
    elif len(sys.argv) == 3 and sys.argv[1] in LANES:
        print(getattr(LANES[sys.argv[1]], sys.argv[2]))
    else:
        sys.exit(f"usage: lanes.py list | LANE FIELD; there are: {', '.join(LANES)}")


if __name__ == "__main__":
    main()
