# SPDX-License-Identifier: GPL-2.0
#
# The machines that guests run on: a process of User Mode Linux, or a PC in QEMU. The kernel is
# the file "linux" in a private folder. The guest can read the host's files; its consoles are
# written to files.
import contextlib
import os
import re
import subprocess
import sys

KVM_TRIAL_SECONDS = 6


class Uml:
    """mem: as in mem=, 1G."""

    root = "root=/dev/root rootfstype=hostfs rootflags=/ ro"

    def __init__(self, folder, mem, _shares=()):
        self.folder, self.mem = folder, mem

    @contextlib.contextmanager
    def started_by(self, args, log, job):
        """Arguments for subprocess.Popen. The kernel's messages go to the file log, the first
        console to the file job, if given.

        These are files, since UML's consoles drop output when a pipe is full. Each console
        reads an empty pipe of its own, since UML cannot wait twice for the same file.
        """
        ends = [os.pipe(), os.pipe()]
        files = [open(path, "wb+", buffering=0) for path in ([job, log] if job else [log])]
        out, messages = files[0].fileno(), files[-1].fileno()
        consoles = ["con=fd:0", "con0=fd:0,fd:1"]
        if job:
            consoles += [f"con1=fd:{ends[1][0]},fd:{messages}", "console=tty1"]
        else:
            consoles += ["console=tty0"]
        try:
            yield {"args": [f"{self.folder}/linux", f"mem={self.mem}", *args, *consoles,
                            f"uml_dir={self.folder}/uml/"],
                   "stdin": ends[0][0], "stdout": out, "stderr": messages,
                   "pass_fds": (ends[1][0], messages)}
        finally:
            for file in files:
                file.close()
            for end in sum(ends, ()):
                os.close(end)


class Qemu:
    """A PC. shares: tag -> folder that the guest may write to. The folder host is there as "host",
    read-only. After a panic of a guest with the pvpanic driver QEMU exits with 1."""

    root = "root=host rootfstype=9p rootflags=trans=virtio,version=9p2000.L,msize=262144,cache=loose ro"

    def __init__(self, folder, mem, shares=(), accel=None, cpus=2, nodes=2, icount=False,
                 hotplug=False, host="/", initrd=None):
        self.folder, self.mem, self.shares = folder, mem, dict(shares)
        self.host, self.initrd = host, initrd
        self.cpus, self.nodes, self.icount, self.hotplug = cpus, nodes, icount, hotplug
        # Only the emulator counts instructions.
        self.accel = accel or ("tcg" if icount else choose_accel(folder))

    def memory(self):
        megabytes, cpus = size_in_megabytes(self.mem) // self.nodes, self.cpus // self.nodes
        for node in range(self.nodes):
            yield from ("-object", f"memory-backend-ram,id=mem{node},size={megabytes}M",
                        "-numa", f"node,nodeid={node},memdev=mem{node},"
                                 f"cpus={node * cpus}-{(node + 1) * cpus - 1}")

    def plug(self):
        """A node without memory, into which the guest plugs some: its third serial line is QEMU's
        monitor, through a socket back to QEMU."""
        if not self.hotplug:
            return
        path = os.path.join(self.folder, "monitor")
        yield from ("-numa", f"node,nodeid={self.nodes}",
                    "-chardev", f"socket,id=monitor,path={path},server=on,wait=off",
                    "-mon", "chardev=monitor,mode=readline",
                    "-chardev", f"socket,id=plug,path={path}", "-serial", "chardev:plug")

    def files(self):
        share = "local,security_model=none,multidevs=remap"
        yield from ("-virtfs", f"{share},path={self.host},mount_tag=host,readonly=on")
        for tag, path in self.shares.items():
            yield from ("-virtfs", f"{share},path={path},mount_tag={tag}")

    def command(self, args, log, job):
        # QEMU's own messages go to the log, too, so it is opened for appending.
        consoles = [log, job] if job else [log]
        return ["qemu-system-x86_64", "-machine", "q35", "-bios", "qboot.rom",
                "-nodefaults", "-display", "none", "-no-reboot",
                "-accel", self.accel, "-cpu", "host" if self.accel == "kvm" else "max",
                "-m", f"{size_in_megabytes(self.mem)}M" + (",slots=2,maxmem=8G" if self.hotplug else ""),
                "-smp", f"{self.cpus},sockets={self.cpus}",
                *(("-icount", "shift=0,sleep=off") if self.icount else ()),
                *self.memory(), *self.files(), *sum((
                    ["-chardev", f"file,id=tty{number},path={path},append=on",
                     "-serial", f"chardev:tty{number}"]
                    for number, path in enumerate(consoles)), []), *self.plug(),
                "-device", "pvpanic-pci", "-action", "panic=exit-failure",
                "-kernel", f"{self.folder}/linux",
                *(("-initrd", self.initrd) if self.initrd else ()),
                "-append", " ".join([*args, "console=ttyS0", "panic=-1"])]

    @contextlib.contextmanager
    def started_by(self, args, log, job):
        """As Uml.started_by(), with the job on the second serial line."""
        for path in filter(None, (log, job)):
            open(path, "wb").close()
        with open(log, "ab") as file:
            yield {"args": self.command(args, log, job), "stdin": subprocess.DEVNULL,
                   "stdout": file, "stderr": file}


def size_in_megabytes(size):
    match = re.fullmatch(r"(\d+)([MG])", size)
    if not match:
        sys.exit(f"'{size}' is not a size of memory like 512M or 2G")
    return int(match[1]) * (1024 if match[2] == "G" else 1)


def kvm_works(folder):
    """Whether KVM runs a guest: our kernel boots until it finds no root. A /dev/kvm that can be
    opened is not enough."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    log = os.path.join(folder, "kvm.log")
    trial = Qemu(folder, "256M", accel="kvm")
    with trial.started_by(["root=none"], log, None) as how:
        process = subprocess.Popen(**how)
        try:
            process.wait(KVM_TRIAL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with open(log, errors="replace") as file:
        return "Unable to mount root" in file.read()


def read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def cache_folder():
    """As in common.sh."""
    default = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "fragbed")
    return os.environ.get("FRAGBED_CACHE") or default


def choose_accel(folder):
    """ACCEL=kvm or tcg decides; auto tries KVM once per boot of this host."""
    accel = os.environ.get("ACCEL") or "auto"
    if accel in ("kvm", "tcg"):
        return accel
    if accel != "auto":
        sys.exit(f"ACCEL={accel}: must be auto, kvm or tcg")
    note, host = os.path.join(cache_folder(), "accel"), read("/proc/sys/kernel/random/boot_id")
    if read(note).startswith(host + " "):
        return read(note).split()[1]
    accel = "kvm" if kvm_works(folder) else "tcg"
    print("QEMU uses KVM" if accel == "kvm" else
          "QEMU emulates (TCG): KVM is missing or its guests hang", file=sys.stderr)
    with open(note, "w") as file:
        file.write(f"{host} {accel}\n")
    return accel


def of_config(config, folder, mem, shares=(), **more):
    """The machine that a configuration runs on. more: for QEMU only."""
    if config.arch == "um":
        return Uml(folder, mem, shares)
    return Qemu(folder, mem, shares, cpus=config.cpus, nodes=config.nodes, icount=config.icount,
                hotplug=config.hotplug, **more)
