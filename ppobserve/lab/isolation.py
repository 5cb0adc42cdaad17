"""What a child of the lab does before anything else: die with its parent, and leave the host's network.

All that the lab makes lives in namespaces that no file and no other process holds, so the kernel removes it when the
children end, in whatever way they end.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ppobserve.errors import LabError
from ppobserve.lab.remedy import remedy

PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread of *parent* that started it ends (prctl(2))."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel was asked
        sys.exit()


@contextmanager
def own_network() -> Iterator[None]:
    """Have the calling thread be in a network namespace of its own for a while. LabError when refused."""
    with open("/proc/thread-self/ns/net") as before:
        leave_network()
        try:
            yield
        finally:
            _libc.setns(before.fileno(), CLONE_NEWNET)


def leave_network() -> int:
    """Move to a network namespace of our own, without a name; returns its inode number. LabError when refused."""
    if _libc.unshare(CLONE_NEWNET) < 0:
        why = os.strerror(ctypes.get_errno())
        because, fix = remedy("SYS_ADMIN")
        raise LabError(
            f"cannot make a network namespace: {why}", because=because or "a container may forbid it", fix=fix
        )
    _without_ipv6()
    return os.stat("/proc/self/ns/net").st_ino


def _without_ipv6() -> None:
    # Neighbour and multicast discovery would send packets of its own through the pair, at times of its own.
    for scope in ("all", "default"):
        with suppress(OSError):  # a kernel without IPv6, or a read-only /proc/sys: only quieter is lost
            Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1")
