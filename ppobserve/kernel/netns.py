"""Network namespaces: which there are, and how to look from inside each."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

PROC = Path("/proc")
NAMED = Path("/run/netns")
OWN = Path("/proc/thread-self/ns/net")
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

Seen = TypeVar("Seen")


def namespaces(proc: Path = PROC, named: Path = NAMED) -> list[Path]:
    """One path into each namespace that a process is in or that ``ip netns`` named.

    One that only a socket or a mount elsewhere keeps alive is not found.
    """
    found: dict[int, Path] = {}
    for path in (proc / "self/ns/net", *proc.glob("[0-9]*/ns/net"), *named.glob("*")):
        try:
            found.setdefault(path.stat().st_ino, path)
        except OSError:
            continue  # the process has ended
    return list(found.values())


def visit(paths: Iterable[Path], look: Callable[[int], Seen]) -> list[Seen]:
    """What *look* sees in each namespace, given its inode number; those that are gone or closed to us are left out.

    In a thread of its own, so that nobody else is moved. Nothing may stay open: a socket keeps its namespace alive.
    """
    with ThreadPoolExecutor(1) as thread:
        return [seen for seen in thread.map(lambda path: _look_in(path, look), paths) if seen is not None]


def _look_in(path: Path, look: Callable[[int], Seen]) -> Seen | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        inode = os.fstat(descriptor).st_ino
        here = os.stat(OWN).st_ino == inode  # moving there would take CAP_SYS_ADMIN all the same
        return look(inode) if here or _libc.setns(descriptor, CLONE_NEWNET) == 0 else None
    finally:
        os.close(descriptor)
