"""Capabilities of the calling thread: which it has, and giving them up for good. capabilities(7), capget(2)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from ppobserve.errors import HostError

STATUS = Path("/proc/thread-self/status")
BITS = {"SYS_PTRACE": 19, "SYS_ADMIN": 21, "SYS_RESOURCE": 24, "SYSLOG": 34, "PERFMON": 38, "BPF": 39}
"""include/uapi/linux/capability.h; those that we ever want."""

_VERSION_3 = 0x20080522
_PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def effective(status: Path = STATUS) -> int:
    """The thread's effective set, a bit each. HostError when its status does not tell."""
    for line in status.read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    raise HostError(f"cannot tell which capabilities we have: {status} has no line CapEff")


def keep(names: Iterable[str]) -> None:
    """Give up every capability but these, and the right to get any by another program.

    Only the calling thread does; threads that it starts afterwards have what it has then. One that we lack is not got.
    HostError when the kernel refuses.
    """
    kept = effective() & sum(1 << BITS[name] for name in names)
    sets = (_Sets * 2)(*(_Sets(word, word, 0) for word in (kept & 0xFFFFFFFF, kept >> 32)))
    for result in (
        _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        _libc.capset(ctypes.byref(_Header(_VERSION_3, 0)), sets),
    ):
        if result:
            raise HostError(f"cannot give up capabilities: {os.strerror(ctypes.get_errno())}")
