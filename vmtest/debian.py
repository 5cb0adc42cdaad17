"""Debian's kernels: the versions that a suite has, and their packages, unpacked.

apt runs with sources and lists in the cache: no root, and the host's apt configuration, /boot and /lib/modules are left
alone. Each suite has lists of its own, so a suite that the mirror no longer has fails alone.
    PPOBSERVE_MIRROR   a Debian mirror; default: the first that the host's apt uses
"""

from __future__ import annotations

import functools
import getpass
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ASK_AGAIN_SECONDS = 24 * 3600
"""Package lists and answers are used for a day."""


class MirrorError(Exception):
    """The mirror does not have it, or does not answer: a sentence."""


@dataclass(frozen=True)
class Suite:
    """One suite of the mirror, and the folder of its package lists."""

    name: str
    folder: Path

    def versions(self) -> list[str]:
        """Return the versions of linux-image in the suite. Its package lists are at most a day old."""
        if not is_recent(self.folder / "updated"):
            self._update()
        table = self._apt("cache", "madison", f"linux-image-{architecture()}")
        return [line.split("|")[1].strip() for line in table.splitlines()]

    def fetch(self, version: str, folder: Path) -> None:
        """Unpack linux-image *version* in *folder*, as a root file system in *folder*/root with its modules indexed."""
        for package in self._packages(version):
            self._apt("get", "download", package, cwd=folder)
        unpack(folder)

    def _update(self) -> None:
        (self.folder / "lists/partial").mkdir(parents=True, exist_ok=True)
        sources = f"deb [signed-by={KEYRING}] {mirror()} {self.name} main\n"
        (self.folder / "sources.list").write_text(sources)
        self._apt("get", "update")
        (self.folder / "updated").touch()

    def _packages(self, version: str) -> list[str]:
        """Return the packages of an image. From 7.x on it is split: binary (vmlinuz), modules, base (their lists)."""
        images = self._depends(f"linux-image-{architecture()}={version}", r"linux-image-\d")
        if not images:
            raise MirrorError(f"suite {self.name}: linux-image {version} depends on no image")
        image = images[0]
        return self._depends(image, r"linux-(?:base|binary|modules)-\d") or [image]

    def _depends(self, package: str, wanted: str) -> list[str]:
        return re.findall(rf"Depends: ({wanted}\S*)", self._apt("cache", "depends", package))

    def _apt(self, command: str, *arguments: str, cwd: Path | None = None) -> str:
        settings = {
            "Dir::Etc::SourceList": self.folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": self.folder / "lists",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "Acquire::Languages": "none",
            "Acquire::Check-Valid-Until": "false",  # a mirror may lag behind; its lists are signed all the same
            "APT::Update::Error-Mode": "any",
            "APT::Sandbox::User": getpass.getuser(),
        }
        options = [f"-o{name}={value}" for name, value in settings.items()]
        return _output([f"apt-{command}", "-qq", *options, *arguments], f"suite {self.name}", cwd)


def is_recent(path: Path) -> bool:
    """True if *path* was written at most a day ago."""
    return path.exists() and time.time() - path.stat().st_mtime < ASK_AGAIN_SECONDS


def newest(versions: Iterable[str]) -> str:
    """Return the highest version in Debian's order, in which 6.12.9~bpo12+1 is below 6.12.9."""
    return functools.reduce(lambda a, b: a if _is_above(a, b) else b, versions)


def _is_above(a: str, b: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", a, "gt", b]).returncode == 0


@functools.cache
def architecture() -> str:
    return _output(["dpkg", "--print-architecture"], "dpkg").strip()


def mirror() -> str:
    """Return the mirror to ask. MirrorError if neither the environment nor apt names one."""
    if chosen := os.environ.get("PPOBSERVE_MIRROR"):
        return chosen
    uris = re.findall(r"^'(.*)/dists/", _output(["apt-get", "update", "--print-uris"], "apt"), re.MULTILINE)
    for uri in uris:
        if "-security" not in uri:
            return str(uri)
    raise MirrorError("apt has no Debian mirror configured: set PPOBSERVE_MIRROR")


def unpack(folder: Path) -> None:
    """Unpack every package in *folder* into *folder*/root, and remove it."""
    root = folder / "root"
    for package in folder.glob("*.deb"):
        _output(["dpkg", "-x", str(package), str(root)], package.name)
        package.unlink()
    if (merged := root / "usr/lib/modules").is_dir():
        shutil.copytree(merged, root / "lib/modules", symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(merged)
    for modules in (root / "lib/modules").iterdir():
        vmlinuz = root / "boot" / f"vmlinuz-{modules.name}"
        if not vmlinuz.exists():
            vmlinuz.parent.mkdir(exist_ok=True)
            shutil.copy(modules / "vmlinuz", vmlinuz)
        _output(["depmod", "-b", str(root), modules.name], "depmod")


def _output(command: list[str], what: str, cwd: Path | None = None) -> str:
    """Return what *command* prints. MirrorError with its error if it fails."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    except FileNotFoundError:
        raise MirrorError(f"{command[0]} is not installed: guests need a Debian kernel, or a cached one") from None
    if done.returncode:
        said = re.findall(r"^E: (.*)", done.stderr, re.MULTILINE) or [f"exit status {done.returncode}"]
        raise MirrorError(f"{what}: {said[0]}")
    return done.stdout
