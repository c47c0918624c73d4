#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# The configurations: a build of the kernel and how it is started. Imported by the tools
# in Python; for those in shell:
#
#   configurations.py list [GROUP]  the names, a line each; only those "make test" runs together
#   configurations.py CONFIG FIELD    one of the fields below
import dataclasses
import sys


@dataclasses.dataclass(frozen=True)
class Configuration:
    build: str          # configs that differ in nothing but the start share one
    arch: str           # as in ARCH=
    image: str          # what make builds and the machine starts
    group: str = ""     # "make test" runs the configs of a group together
    mem: str = "1G"
    args: str = ""      # on the kernel's command line
    suite_args: str = ""
    suite_mem: str = ""     # instead of mem
    series: str = "ours"    # "none": the source as it is, without our patches
    modules: str = "fragbed"    # "bench": those of module/bench only; "none"
    # For QEMU only. icount: guest time is the number of instructions retired, which
    # is the same in each run; it takes one CPU.
    cpus: int = 2
    nodes: int = 2
    icount: bool = False
    hotplug: bool = False   # memory can be plugged in, into one more node


# KASAN's depot of stacks allocates and frees pages in the middle of what a case watches.
NO_DEPOT = "stack_depot_disable=1"

BZIMAGE = "arch/x86/boot/bzImage"

# ZONE_MOVABLE makes a second populated zone. UML has several CPUs only with
# seccomp=on, and then none of them starts without a report under kmemleak: see
# docs/mainline-defects.md. With KASAN each suite leaves some superpageblocks tainted
# by what the kernel keeps: in 1 GiB there are too few others in the end.
CONFIGURATIONS = {
    "uml": Configuration("uml", "um", "linux", "uml"),
    "uml-small-blocks": Configuration("uml-small-blocks", "um", "linux", "uml",
                             suite_args="movablecore=256M"),
    "uml-numa": Configuration("uml-small-blocks", "um", "linux", "uml",
                     args="numa=fake=4 ncpus=2 seccomp=on", suite_args="movablecore=256M"),
    "uml-spb": Configuration("uml-spb", "um", "linux", "uml"),
    "sanitize": Configuration("sanitize", "um", "linux", "sanitize", args="page_poison=1 kmemleak=on",
                     suite_args=NO_DEPOT, suite_mem="1536M"),
    "sanitize-numa": Configuration("sanitize", "um", "linux", "sanitize", mem="4G",
                          args="page_poison=1 numa=fake=4 ncpus=2 seccomp=on",
                          suite_args=f"movablecore=256M {NO_DEPOT}"),
    "sanitize-cpus": Configuration("sanitize", "um", "linux", args="page_poison=1 ncpus=2 seccomp=on"),
    "x86_64": Configuration("x86_64", "x86_64", BZIMAGE, "x86_64", mem="2G",
                   suite_args="movablecore=512M"),
    "x86_64-sanitize": Configuration("x86_64-sanitize", "x86_64", BZIMAGE, "x86_64-sanitize", mem="3G",
                            args="page_poison=1 kmemleak=on", suite_args=NO_DEPOT),
    "x86_64-rt": Configuration("x86_64-rt", "x86_64", BZIMAGE, "x86_64-rt", mem="2G",
                      args="page_poison=1"),
    "x86_64-hotplug": Configuration("x86_64", "x86_64", BZIMAGE, mem="2G", args="movablecore=1G",
                           hotplug=True),
    "faults-spb": Configuration("faults-spb", "um", "linux"),
    "fuzz-spb": Configuration("fuzz-spb", "um", "linux", args="ncpus=2 seccomp=on"),
    "fuzz-kasan": Configuration("fuzz-kasan", "um", "linux", args="ncpus=2 seccomp=on"),
    "gcov-spb": Configuration("gcov-spb", "um", "linux"),
    "gcov-x86_64": Configuration("gcov-x86_64", "x86_64", BZIMAGE, mem="2G",
                        suite_args="movablecore=512M"),
}

# The kernels of the experiment and of the price list, without debugging: mainline as it
# is, ours with CONFIG_SUPERPAGEBLOCK off and on. Each once more as counted instructions.
for _name in ("mainline", "off", "spb"):
    CONFIGURATIONS[f"exp-{_name}"] = Configuration(f"exp-{_name}", "x86_64", BZIMAGE, mem="12G",
                                 series="none" if _name == "mainline" else "ours",
                                 modules="bench", nodes=1)
    CONFIGURATIONS[f"count-{_name}"] = dataclasses.replace(CONFIGURATIONS[f"exp-{_name}"], mem="6G", cpus=1,
                                                  icount=True)

# The kernels on which other people's tests run: mainline and ours, configured the same.
for _ours in (False, True):
    _how = {"series": "ours" if _ours else "none", "modules": "none"}
    _name = "others-uml-spb" if _ours else "others-uml-mainline"
    CONFIGURATIONS[_name] = Configuration(_name, "um", "linux", **_how)
    _name = "others-spb" if _ours else "others-mainline"
    CONFIGURATIONS[_name] = Configuration(_name, "x86_64", BZIMAGE, mem="4G", **_how)


def main():
    if sys.argv[1:2] == ["list"]:
        groups = sys.argv[2:]
        print(*(name for name, config in CONFIGURATIONS.items() if not groups or config.group in groups),
              sep="\n")
    elif len(sys.argv) == 3 and sys.argv[1] in CONFIGURATIONS:
        print(getattr(CONFIGURATIONS[sys.argv[1]], sys.argv[2]))
    else:
        sys.exit(f"usage: configurations.py list [GROUP] | CONFIG FIELD; there are: {', '.join(CONFIGURATIONS)}")


if __name__ == "__main__":
    main()
