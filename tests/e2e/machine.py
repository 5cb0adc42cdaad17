"""A throw-away machine on this one: this root file system under an overlay in memory, and a real systemd as process 1.

It has namespaces of its own for mounts, processes, network, names and cgroups, and this host's kernel. What is
installed, written or started in it is gone when it ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

TOOLS = ("unshare", "nsenter", "/lib/systemd/systemd", "systemctl")
BOOT_SECONDS = 180.0

# Nothing of this host is started there: process 1 starts what our service needs, and that is nothing but journald.
_ENTER = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=512m tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount --rbind /sys sys && mount -o remount,bind,ro sys
mount --rbind /dev dev
umount -R sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
rm -rf etc/systemd/system/*.wants lib/systemd/system/*.target.wants usr/sbin/policy-rc.d
: > etc/fstab
export container=ppobserve-test
exec chroot . /lib/systemd/systemd --unit=basic.target --log-target=null
"""


@dataclass(frozen=True)
class Machine:
    """A running one."""

    init: int
    """Its process 1, as this host counts."""

    def run(self, *words: str | Path, seconds: float = 300.0) -> subprocess.CompletedProcess[str]:
        """A command in there, as root."""
        enter = ("nsenter", f"--target={self.init}", "-m", "-p", "-n", "-u", "-i", "-C", "--root", "--wd")
        clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            [*enter, *map(str, words)], env=clean, capture_output=True, text=True, timeout=seconds, check=False
        )

    def output(self, *words: str | Path) -> str:
        """What a command prints; it must do well."""
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def path(self, inside: str) -> Path:
        """A file of it, from here."""
        return Path(f"/proc/{self.init}/root{inside}")

    def shown(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.output("systemctl", "show", "-P", name, unit).strip()


def missing() -> str:
    """What this host lacks for it, or ""."""
    lacking = [tool for tool in TOOLS if not shutil.which(tool)]
    return f"no {lacking[0]} here" if lacking else "" if _cgroups() else "no cgroup2 here"


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """A machine; *folder* is an empty one for its mounts."""
    with _cgroup(f"ppobserve-{os.getpid()}") as cgroup:
        mounts = folder / "mounts"
        mounts.mkdir()
        unshare = "exec unshare -m -p -f -C -u -i -n --kill-child bash -c"
        command = f"echo $$ > {cgroup}/cgroup.procs; {unshare} '{_ENTER}' - {mounts}"
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield _wait(process, folder / "log")
        finally:
            for child in _children(process.pid):
                os.kill(child, signal.SIGKILL)  # process 1: everything in there dies with it
            process.wait(60)


def _wait(process: subprocess.Popen[bytes], log: Path) -> Machine:
    end = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < end and process.poll() is None:
        for child in _children(process.pid):
            machine = Machine(child)
            with suppress(OSError):
                if machine.path("/run/systemd/private").exists():
                    machine.run("systemctl", "start", "systemd-journald.service")
                    return machine
        time.sleep(0.05)
    raise AssertionError(f"systemd did not come up: {log.read_text()}")


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return []


def _cgroups() -> Path | None:
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return next((Path(where) for _, where, kind, *_ in mounts if kind == "cgroup2"), None)


@contextmanager
def _cgroup(name: str) -> Iterator[Path]:
    """A cgroup of its own: process 1 rules over what is below it."""
    folder = (_cgroups() or Path()) / name
    folder.mkdir()
    try:
        yield folder
    finally:
        for each in sorted(folder.glob("**/"), reverse=True):
            each.rmdir()
