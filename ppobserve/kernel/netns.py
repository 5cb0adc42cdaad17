"""Network namespaces: which there are, and how to look from inside each."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

PROC = Path("/proc")
NAMED = Path("/run/netns")
OWN = Path("/proc/thread-self")
PID_NAMESPACE = Path("/proc/self/ns/pid")
_INITIAL_PID_NAMESPACE = 0xEFFFFFFC
"""Its inode number, on every kernel (PROC_PID_INIT_INO)."""
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Namespaces:
    """Network namespaces that were found."""

    paths: tuple[Path, ...] = ()
    """One path into each that this process may open."""
    closed: frozenset[str] = frozenset()
    """Those of processes that this process may not trace, each by its :func:`_identity`."""


@dataclass(frozen=True)
class Visit(Generic[Seen]):
    """What was seen from inside network namespaces."""

    seen: list[Seen]
    """What each showed."""
    unreadable: int
    """Namespaces that this process may not enter."""


def namespaces(proc: Path = PROC, named: Path = NAMED) -> Namespaces:
    """Each namespace that a process is in or that ``ip netns`` named.

    One that only a socket or a mount elsewhere keeps alive is not found.
    """
    found: dict[int, Path] = {}
    closed = set[str]()
    processes = (process / "ns/net" for process in proc.glob("[0-9]*"))  # glob would leave closed ones out
    for path in (proc / "self/ns/net", *processes, *named.glob("*")):
        try:
            found.setdefault(path.stat().st_ino, path)
        except PermissionError:
            closed.add(_identity_of(path))
        except OSError:
            continue  # the process has ended
    return Namespaces(tuple(found.values()), frozenset(filter(None, closed)))


def _identity_of(path: Path) -> str:
    """The identity of the namespace that *path* leads into, found without entering it."""
    return _identity(path.parent.parent) if path.parts[-2:] == ("ns", "net") else str(path)


def _identity(process: Path) -> str:
    """What tells the namespace of a process from others; empty if the process has ended.

    ``ns/net`` takes the right to trace the process, ``net/dev`` does not. Each namespace has a file of its own there
    (fs/proc/proc_net.c).
    """
    try:
        return str((process / "net/dev").stat().st_ino)
    except PermissionError:
        return str(process)
    except OSError:
        return ""


def sees_all_processes(path: Path = PID_NAMESPACE) -> bool:
    """True if /proc shows the processes of the whole host, or that is unknown; False in a PID namespace."""
    try:
        return path.stat().st_ino == _INITIAL_PID_NAMESPACE
    except OSError:
        return True


def visit(found: Namespaces, look: Callable[[int], Seen]) -> Visit[Seen]:
    """What *look* sees in each namespace, given its inode number. Those that are gone are left out.

    In a thread of its own, so that nobody else is moved. Nothing may stay open: a socket keeps its namespace alive.
    """
    with ThreadPoolExecutor(1) as thread:
        looks = list(thread.map(lambda path: _look_in(path, look), found.paths))
    entered = {each.identity for each in looks if each.seen is not None}
    refused = {each.identity for each in looks if each.refused}
    seen = [each.seen for each in looks if each.seen is not None]
    return Visit(seen, len((found.closed | refused) - entered))


@dataclass(frozen=True)
class _Look(Generic[Seen]):
    """One namespace, entered or not."""

    identity: str = ""
    seen: Seen | None = None
    refused: bool = False


def _look_in(path: Path, look: Callable[[int], Seen]) -> _Look[Seen]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        return _Look(_identity_of(path), refused=True)
    except OSError:
        return _Look()
    try:
        inode = os.fstat(descriptor).st_ino
        if _is_here(inode) or _libc.setns(descriptor, CLONE_NEWNET) == 0:
            return _Look(_identity(OWN), look(inode))
        return _Look(_identity_of(path), refused=ctypes.get_errno() == errno.EPERM)
    finally:
        os.close(descriptor)


def _is_here(inode: int) -> bool:
    """True if the calling thread is in that namespace: moving there would take CAP_SYS_ADMIN all the same."""
    try:
        return (OWN / "ns/net").stat().st_ino == inode
    except OSError:
        return False
