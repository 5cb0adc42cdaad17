"""Other user spaces: root file systems of Debian suites, each with its own Python and BCC.

``scripts/userspace SUITE`` prints the path of one; with a command it runs that in there, on this kernel.
The cache is outside the tree. What is there is whole, and is used without asking the network:
    CACHE/userspaces/SUITE-HASH/root   the suite's packages, and the test tools of pyproject.toml
    CACHE/userspaces/SUITE-HASH/made   the names of what it was made of, of which HASH is
Remove a directory to have it made of today's packages. PPOBSERVE_CACHE and PPOBSERVE_MIRROR are those of kernels.py.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vmtest import chroot, kernels
from vmtest.debian import KEYRING, MirrorError, mirror
from vmtest.guest import TOP, TREE

SUITES = {"trixie": "Debian 13", "sid": "Debian sid"}
TOO_OLD = {"bullseye": "Debian 11"}
"""Suites whose Python is older than ppobserve needs."""
PACKAGES = (
    *("python3-bpfcc", "python3-prometheus-client", "python3-yaml", "iproute2"),  # what ppobserve depends on
    *("ethtool", "kmod", "mount"),  # what its tests and a guest need more
)
TOOLS = ("hypothesis", "jsonschema", "pytest", "rich", "shtab", "textual")
"""Of the test tools, what tests/unit and tests/live import. From pip, so that each suite has the same ones."""
# A mirror may lag behind, and its release file expire. What it has is signed all the same.
APT_OPTIONS = ('APT::Install-Recommends "false"', 'Acquire::Check-Valid-Until "false"')
LAST_LINES = 5
DIGITS = 8


class UserspaceMissing(Exception):
    """No root file system of that suite can be had: a sentence that says why."""


@dataclass(frozen=True)
class Userspace:
    """A root file system, and what its name is."""

    suite: str
    root: Path

    @property
    def name(self) -> str:
        """Debian's name of the suite."""
        return (SUITES | TOO_OLD)[self.suite]

    @property
    def python(self) -> str:
        """The version of its python3, for example 3.13."""
        return (self.root / "usr/bin/python3").readlink().name.removeprefix("python")

    @property
    def bcc(self) -> str:
        """The version of its BCC, for example 0.31."""
        status = (self.root / "var/lib/dpkg/status").read_text()
        (version,) = re.findall(r"^Package: python3-bpfcc\n(?:.+\n)*?Version: (\d+\.\d+)", status, re.MULTILINE)
        return str(version)


def find(suite: str) -> Userspace:
    """Return the user space of a suite, made if it is not cached. UserspaceMissing if that is impossible."""
    if suite not in SUITES | TOO_OLD:
        raise UserspaceMissing(f"{suite} is no user space: give one of {', '.join(SUITES | TOO_OLD)}")
    made_of = [*PACKAGES, *(tools() if suite in SUITES else ())]
    folder = cached(suite, made_of, lambda folder: _make(Userspace(suite, folder / "root")))
    return Userspace(suite, folder / "root")


def cached(name: str, made_of: Sequence[str], make: Callable[[Path], None]) -> Path:
    """Return a directory of the cache, made by *make* if there is none. One of something else, and of others, stays."""
    text = "\n".join((*made_of, ""))
    folder = kernels.cache().parent / "userspaces" / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:DIGITS]}"
    if not folder.exists():
        with locked(folder.parent):
            if not folder.exists():  # another process may have made it while this one waited
                _put(folder, text, make)
    return folder


def _put(folder: Path, text: str, make: Callable[[Path], None]) -> None:
    """Make it. To put it where it is looked for is the last step, so what is there is whole."""
    half = folder.parent / f".half-{folder.name}"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    try:
        make(half)
        (half / "made").write_text(text)
        half.rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def requirements() -> list[str]:
    """Return what ppobserve depends on, by pyproject.toml."""
    return _listed("dependencies")


def tools() -> list[str]:
    """Return the requirements of the test tools, by pyproject.toml."""
    return [line for line in _listed("test") if re.split(r"[<>=~! ]", line)[0] in TOOLS]


def _listed(name: str) -> list[str]:
    """A list of strings in pyproject.toml. Python 3.10 has no parser of TOML, and ppobserve need not be installed."""
    listed = re.search(rf"^{name} = \[(.*?)\]$", (TOP / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert listed, name
    return [line.partition(";")[0].strip() for line in re.findall(r'"([^"]+)"', listed[1])]


def _make(userspace: Userspace) -> None:
    if os.geteuid() != 0:
        raise UserspaceMissing(f"no user space {userspace.suite}: only root can make one")
    print(f"userspaces: making {userspace.name} from packages", file=sys.stderr)
    _debootstrap(userspace)
    if userspace.suite in SUITES:
        packages = userspace.root / f"usr/local/lib/python{userspace.python}/dist-packages"
        _install(tools(), packages, userspace.python)
        run(
            "chroot",
            str(userspace.root),
            "python3",
            "-m",
            "compileall",
            "-q",
            f"/{packages.relative_to(userspace.root)}",
        )
    for mounted in (TREE, "lib/modules"):
        (userspace.root / mounted).mkdir(parents=True, exist_ok=True)


def _debootstrap(userspace: Userspace) -> None:
    """In namespaces of its own: nothing stays mounted, or running, if this process is killed."""
    try:
        source = f"deb [signed-by={KEYRING}] {mirror()} {userspace.suite} main"
    except MirrorError as error:
        raise UserspaceMissing(f"no user space {userspace.suite}: {error}") from None
    options = [f"--aptopt={option}" for option in APT_OPTIONS]
    how = ["--quiet", "--mode=root", "--variant=apt", f"--include={','.join(PACKAGES)}", *options]
    run(*chroot.NAMESPACES, "mmdebstrap", *how, userspace.suite, str(userspace.root), source)


def _install(requirements: list[str], packages: Path, python: str) -> None:
    """Have pip of this environment install them for another version of Python."""
    other = ["--target", str(packages), "--python-version", python, "--only-binary=:all:", "--no-compile"]
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
    ]
    run(*pip, *other, *requirements)


def run(*command: str) -> None:
    """UserspaceMissing with its last words if it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        raise UserspaceMissing(f"{command[0]} is not installed: scripts/setup test does that") from None
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-LAST_LINES:])
        raise UserspaceMissing(f"{' '.join(command)}: exit status {done.returncode}\n{said}")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time makes them."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Print the path of a root, or run a command there."""
    parser = argparse.ArgumentParser(prog="scripts/userspace", description="Another Debian suite's Python and BCC.")
    parser.add_argument("suite", metavar="SUITE", help=", ".join(SUITES | TOO_OLD))
    parser.add_argument("command", nargs="?", help="for its shell, from the top of the tree (default: print its path)")
    args = parser.parse_args()
    try:
        root = find(args.suite).root
    except UserspaceMissing as missing:
        print(f"scripts/userspace: {missing}", file=sys.stderr)
        return 1
    if not args.command:
        print(root)
        return 0
    return subprocess.run(chroot.command(root, args.command)).returncode


if __name__ == "__main__":
    sys.exit(main())
