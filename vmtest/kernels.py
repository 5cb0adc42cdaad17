"""Which kernel a guest boots: by role, or by series. ``scripts/kernels ROLE|SERIES`` prints the path of its vmlinuz.

A role is the kernel of a Debian suite, whatever its version is by now. The cache is outside the tree:
    CACHE/kernels/VERSION/root   boot/vmlinuz-RELEASE and lib/modules/RELEASE of a Debian version
    CACHE/kernels/names/NAME     the version that a role or series had when the mirror was last asked
    CACHE/kernels/apt/SUITE      package lists
The mirror is asked at most once a day. If it does not answer, the cached kernel serves.
    PPOBSERVE_CACHE   CACHE; default: ~/.cache/ppobserve
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vmtest.debian import MirrorError, Suite, is_recent, newest

ROLES = {
    "oldest": "bullseye",
    "oldstable": "bookworm",
    "stable": "trixie",
    "newest": "trixie-backports",
    "sid": "sid",
}
"""Role to suite. By code name: aliases such as "stable" lag behind on some mirrors."""
OTHER_SUITES = ("bookworm-backports",)
"""Where a series is looked for, too."""


class KernelMissing(Exception):
    """No kernel of that name can be had: a sentence that says why."""


@dataclass(frozen=True)
class Kernel:
    """A kernel to boot."""

    name: str
    """The role or series that was asked for."""
    version: str
    """Debian's, for example 6.12.117-1."""
    vmlinuz: Path

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def series_of(version: str) -> str:
    """Return 6.12 for 6.12.117-1."""
    return ".".join(version.split(".")[:2])


def find(name: str) -> Kernel:
    """Return the kernel of a role or series, fetched if it is not cached. KernelMissing if that is impossible."""
    if name not in ROLES and not re.fullmatch(r"\d+\.\d+", name):
        raise KernelMissing(f"{name} is no kernel: give a role ({', '.join(ROLES)}) or a series such as 6.12")
    if is_recent(_note(name)) and (cached := _cached(name)):
        return cached
    with _locked():
        if is_recent(_note(name)) and (cached := _cached(name)):
            return cached  # another process asked the mirror while this one waited
        return _look_up(name)


def version_of(name: str) -> str:
    """Return the version that a role or series has now, without fetching it. KernelMissing if there is none."""
    cached = _cached(name)
    if cached and is_recent(_note(name)):
        return cached.version
    try:
        with _locked():
            return _offered(name)[0]
    except MirrorError as error:
        if cached:
            return cached.version
        raise KernelMissing(f"no kernel {name}: {error}") from None


def _look_up(name: str) -> Kernel:
    try:
        version = _fetched(name)
    except MirrorError as error:
        if cached := _cached(name):
            print(f"kernels: {name} stays {cached.version}, which is cached: {error}", file=sys.stderr)
            return cached
        raise KernelMissing(f"no kernel {name}: {error}") from None
    _note(name).parent.mkdir(exist_ok=True)
    _note(name).write_text(version)
    return Kernel(name, version, _vmlinuz(version))


def _fetched(name: str) -> str:
    """Have the newest version that the mirror offers in the cache."""
    version, suite = _offered(name)
    if not _is_cached(version):
        _fetch(suite, version)
    return version


def _offered(name: str) -> tuple[str, Suite]:
    """Ask the mirror, suite by suite, for the newest version."""
    offered: dict[str, Suite] = {}
    errors = []
    for suite in (ROLES[name],) if name in ROLES else (*ROLES.values(), *OTHER_SUITES):
        asked = Suite(suite, cache() / "apt" / suite)
        try:
            offered |= {version: asked for version in asked.versions() if name in (*ROLES, series_of(version))}
        except MirrorError as error:
            errors.append(str(error))
    if not offered:
        raise MirrorError("; ".join(errors) or f"the mirror has no linux-image of that {_kind(name)}")
    version = newest(offered)
    return version, offered[version]


def _kind(name: str) -> str:
    return "role" if name in ROLES else "series"


def _fetch(suite: Suite, version: str) -> None:
    print(f"kernels: fetching linux-image {version} of {suite.name}", file=sys.stderr)
    for half in cache().glob(".half-*"):
        shutil.rmtree(half)
    half = Path(tempfile.mkdtemp(prefix=".half-", dir=cache()))
    try:
        suite.fetch(version, half)
        shutil.rmtree(cache() / version, ignore_errors=True)
        half.rename(cache() / version)  # the last step: a version that is there is whole
    finally:
        shutil.rmtree(half, ignore_errors=True)


def cache() -> Path:
    """Return the folder of all kernels."""
    base = (
        os.environ.get("PPOBSERVE_CACHE") or f"{os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'}/ppobserve"
    )
    return Path(base) / "kernels"


def _note(name: str) -> Path:
    return cache() / "names" / name


def _cached(name: str) -> Kernel | None:
    """Return the kernel that the name had last, or for a series the newest in the cache."""
    versions = [_note(name).read_text()] if _note(name).exists() else []
    if not versions or not _is_cached(versions[0]):
        versions = [each.name for each in cache().glob(f"{name}.*") if _is_cached(each.name)]
    return Kernel(name, version := newest(versions), _vmlinuz(version)) if versions else None


def _is_cached(version: str) -> bool:
    return any((cache() / version / "root/boot").glob("vmlinuz-*"))


def _vmlinuz(version: str) -> Path:
    (path,) = (cache() / version / "root/boot").glob("vmlinuz-*")
    return path


@contextmanager
def _locked() -> Iterator[None]:
    """One process at a time fetches; the others wait, and then find the kernel."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Print the path of a kernel's vmlinuz."""
    parser = argparse.ArgumentParser(prog="scripts/kernels", description="Fetch a Debian kernel for the guests.")
    parser.add_argument("name", metavar="ROLE|SERIES", help=f"{', '.join(ROLES)}, or a series such as 6.12")
    try:
        print(find(parser.parse_args().name).vmlinuz)
    except KernelMissing as missing:
        print(f"scripts/kernels: {missing}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
