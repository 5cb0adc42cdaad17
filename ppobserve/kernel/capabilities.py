"""Capabilities of the calling thread: which it has, and giving them up for good. capabilities(7), capget(2)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from ppobserve.errors import HostError

USER_NAMESPACE = Path("/proc/self/ns/user")
BITS = {"NET_ADMIN": 12, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "SYS_RESOURCE": 24, "SYSLOG": 34, "PERFMON": 38, "BPF": 39}
"""include/uapi/linux/capability.h; those that we ever want."""

PROFILE = Path("/proc/self/attr/current")

_VERSION_3 = 0x20080522
_PR_GET_SECCOMP, _PR_CAPBSET_READ, _PR_SET_NO_NEW_PRIVS = 21, 23, 38
_INITIAL_USER_NAMESPACE = 0xEFFFFFFD
"""Its inode number, on every kernel (PROC_USER_INIT_INO)."""
_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def effective() -> int:
    """The thread's effective set, a bit each; by capget(2), since /proc may not be mounted. HostError when refused."""
    sets = (_Sets * 2)()
    if _libc.capget(ctypes.byref(_Header(_VERSION_3, 0)), sets):
        raise HostError(f"cannot tell which capabilities this process has: {os.strerror(ctypes.get_errno())}")
    return int(sets[0].effective | sets[1].effective << 32)


def held(names: Iterable[str]) -> dict[str, bool]:
    """Those of *names* that this kernel has: True if the thread has it, too."""
    mine = effective()
    known = (name for name in names if _libc.prctl(_PR_CAPBSET_READ, BITS[name], 0, 0, 0) >= 0)
    return {name: bool(mine >> BITS[name] & 1) for name in known}


def in_user_namespace(path: Path = USER_NAMESPACE) -> bool:
    """True if this process is in another user namespace than the initial one; False if that is unknown."""
    try:
        return path.stat().st_ino != _INITIAL_USER_NAMESPACE
    except OSError:
        return False


def is_filtered() -> bool:
    """True if a seccomp filter restricts this process, as container runtimes have it by default."""
    return int(_libc.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0)) > 0


def profile(path: Path = PROFILE) -> str:
    """The security profile (AppArmor) or context (SELinux) of this process; empty if it has none."""
    try:
        said = path.read_bytes().decode(errors="replace").strip("\0\n ")
    except OSError:  # EINVAL: no security module has one
        return ""
    return "" if said == "unconfined" else said


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
