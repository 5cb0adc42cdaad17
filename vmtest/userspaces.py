"""Other user spaces: root file systems of Debian suites, each with its own Python and BCC.

``scripts/userspace SUITE`` prints the path of one; with a command it runs that in there, on this kernel.
The cache is outside the tree. What is there is whole, and is used without asking the network:
    CACHE/userspaces/SUITE/root   the suite's packages, and the test tools of pyproject.toml
    CACHE/userspaces/SUITE/made   what it was made of: a root of something else is made again
Remove a directory to have it made of today's packages. PPOBSERVE_CACHE and PPOBSERVE_MIRROR are those of kernels.py.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path

from vmtest import chroot, kernels
from vmtest.debian import KEYRING, MirrorError, mirror
from vmtest.guest import TREE

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
    folder = kernels.cache().parent / "userspaces"
    if not _is_made(folder / suite, suite):
        if os.geteuid() != 0:
            raise UserspaceMissing(f"no user space {suite}: only root can make one")
        with _locked(folder):
            if not _is_made(folder / suite, suite):  # another process may have made it while this one waited
                _replace(folder, suite)
    return Userspace(suite, folder / suite / "root")


def _is_made(folder: Path, suite: str) -> bool:
    made = folder / "made"
    return made.exists() and made.read_text() == _made_of(suite)


def _made_of(suite: str) -> str:
    return "\n".join((*PACKAGES, *(_requirements() if suite in SUITES else ()), ""))


def _requirements() -> list[str]:
    """Of the requirements in pyproject.toml, those of the test tools."""
    listed = [line.partition(";") for line in requires("ppobserve") or ()]
    return sorted(
        tool.strip()
        for tool, _, marker in listed
        if 'extra == "test"' in marker.replace("'", '"') and re.split(r"[<>=~! ]", tool)[0] in TOOLS
    )


def _replace(folder: Path, suite: str) -> None:
    """Make a root, and put it where it is looked for: the last step, so what is there is whole."""
    for half in folder.glob(f".half-{suite}-*"):
        shutil.rmtree(half)
    half = Path(tempfile.mkdtemp(prefix=f".half-{suite}-", dir=folder))
    try:
        _make(Userspace(suite, half / "root"))
        (half / "made").write_text(_made_of(suite))
        shutil.rmtree(folder / suite, ignore_errors=True)
        half.chmod(0o755)
        half.rename(folder / suite)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _make(userspace: Userspace) -> None:
    print(f"userspaces: making {userspace.name} from packages", file=sys.stderr)
    _debootstrap(userspace)
    if userspace.suite in SUITES:
        packages = userspace.root / f"usr/local/lib/python{userspace.python}/dist-packages"
        _install(_requirements(), packages, userspace.python)
        _run(
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
    _run(*chroot.NAMESPACES, "mmdebstrap", *how, userspace.suite, str(userspace.root), source)


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
    _run(*pip, *other, *requirements)


def _run(*command: str) -> None:
    """UserspaceMissing with its last words if it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        raise UserspaceMissing(f"{command[0]} is not installed: scripts/setup test does that") from None
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-LAST_LINES:])
        raise UserspaceMissing(f"{' '.join(command)}: exit status {done.returncode}\n{said}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
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
