"""bpf(2): maps, test runs, and what the kernel says of an fd. Programs are loaded in ``kernel.programs``.

Source: the kernel's include/uapi/linux/bpf.h and Documentation/bpf/.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import resource
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ppobserve.errors import HostError

SYS_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}.get(platform.machine(), 280)

MAP_CREATE, MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM, PROG_LOAD, PROG_TEST_RUN, PROG_GET_FD_BY_ID = 0, 1, 2, 5, 10, 13
PROG_GET_NEXT_ID, OBJ_GET_INFO_BY_FD, RAW_TRACEPOINT_OPEN, MAP_FREEZE, LINK_CREATE = 11, 15, 17, 22, 28
ENABLE_STATS = 32
MAP_TYPE_ARRAY, MAP_TYPE_RINGBUF = 2, 27
TEST_XDP_LIVE_FRAMES = 2

_ATTR_BYTES = 144
# struct bpf_prog_info up to verified_insns, and where run_time_ns and run_cnt are in it.
_INFO_BYTES, _INFO_RUN_TIME = 224, 192
# struct bpf_link_info up to perf_event.kprobe.missed.
_LINK_BYTES, _LINK_MISSED = 56, 48
_libc = ctypes.CDLL(None, use_errno=True)


_STATISTICS = ("processed ", "verification time ", "stack depth ")
"""How lines begin that the verifier ends its log with, whatever it thinks of the program."""


class BpfError(HostError, OSError):
    """The kernel refused a bpf(2) command; ``errno`` says how and ``log`` holds what the verifier wrote."""

    def __init__(self, what: str, number: int, log: str = "") -> None:
        lines = [line for line in log.splitlines() if line.strip() and not line.startswith(_STATISTICS)]
        HostError.__init__(self, f"{what}: {os.strerror(number)}", because=lines[-1] if lines else "")
        self.errno, self.log = number, log


def bpf(command: int, attr: bytes, what: str) -> int:
    """One bpf(2) call. *attr* is ``union bpf_attr`` from its start; the rest is zero. Returns the fd or 0;
    BpfError, which says *what* could not be done, when the kernel refuses.
    """
    buffer = ctypes.create_string_buffer(attr, _ATTR_BYTES)
    result = _libc.syscall(SYS_BPF, command, buffer, _ATTR_BYTES)
    if result < 0 and ctypes.get_errno() == errno.EPERM and command in (MAP_CREATE, PROG_LOAD) and _lift_limit():
        result = _libc.syscall(SYS_BPF, command, buffer, _ATTR_BYTES)
    if result < 0:
        raise BpfError(what, ctypes.get_errno())
    return int(result)


def _lift_limit() -> bool:
    """Let this process lock memory without limit; was there a limit?

    Maps and programs of all of a user's processes counted as locked, and 64 KiB were soon full, before kernel commit
    3ac1f01b43b6 ("bpf: Eliminate rlimit-based memory accounting for bpf progs", 5.11).
    """
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        return False
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        return False
    return True


def create_array(value_bytes: int, entries: int = 1) -> int:
    """A new array map; returns its fd."""
    return create_map(MAP_TYPE_ARRAY, 4, value_bytes, entries)


def create_map(kind: int, key_bytes: int, value_bytes: int, entries: int, flags: int = 0) -> int:
    """A new map; returns its fd."""
    return bpf(MAP_CREATE, struct.pack("<5I", kind, key_bytes, value_bytes, entries, flags), "cannot create a BPF map")


def look_up(array: int, value_bytes: int, index: int = 0) -> bytes:
    """One element of an array map."""
    key, value = ctypes.c_uint32(index), ctypes.create_string_buffer(value_bytes)
    attr = struct.pack("<IIQQQ", array, 0, ctypes.addressof(key), ctypes.addressof(value), 0)
    bpf(MAP_LOOKUP_ELEM, attr, "cannot read a BPF map")
    return value.raw


def update(target: int, key: bytes, value: bytes) -> None:
    """Set one element of a map."""
    key_buffer, value_buffer = (
        ctypes.create_string_buffer(key, len(key)),
        ctypes.create_string_buffer(value, len(value)),
    )
    attr = struct.pack("<IIQQQ", target, 0, ctypes.addressof(key_buffer), ctypes.addressof(value_buffer), 0)
    bpf(MAP_UPDATE_ELEM, attr, "cannot write a BPF map")


def push(stack: int, value: bytes) -> None:
    """Put a value on top of a stack map, which has no keys."""
    buffer = ctypes.create_string_buffer(value, len(value))
    bpf(MAP_UPDATE_ELEM, struct.pack("<IIQQQ", stack, 0, 0, ctypes.addressof(buffer), 0), "cannot write a BPF map")


def freeze(target: int) -> None:
    """Make a map read-only for user space, for good; programs go on writing to it.

    BpfError before kernel commit 87df15de441b ("bpf: add syscall side map freeze support", 5.2).
    """
    bpf(MAP_FREEZE, struct.pack("<I", target), "cannot freeze a BPF map")


def has_ring_buffer() -> bool:
    """Does this kernel have ring buffers (kernel commit 457f44363a88, "bpf: Implement BPF ring buffer", 5.8)? Tried."""
    try:
        attr = struct.pack("<IIII", MAP_TYPE_RINGBUF, 0, 0, mmap.PAGESIZE)
        os.close(bpf(MAP_CREATE, attr, "cannot create a BPF ring buffer"))
    except BpfError:
        return False
    return True


def test_run(
    program: int, *, data: bytes = b"", context: bytes = b"", repeat: int = 0, flags: int = 0, batch: int = 0
) -> int:
    """Run a loaded program once, or *repeat* times over *data*; returns the program's (last) return value.

    Raw tracepoint programs take their arguments as *context*, up to twelve u64 (kernel commit 1b4d60ec162f, 5.10); XDP
    programs with ``TEST_XDP_LIVE_FRAMES`` send real frames from a page_pool (kernel commit b530e9e1063e, 5.18).
    BpfError when the kernel refuses.
    """
    data_buffer, context_buffer = (
        ctypes.create_string_buffer(data, len(data) or 1),
        ctypes.create_string_buffer(context, len(context) or 1),
    )
    attr = struct.pack(
        "<IIIIQQIIIIQQIIII",
        program,
        0,
        len(data),
        0,
        ctypes.addressof(data_buffer) if data else 0,
        0,
        repeat,
        0,
        len(context),
        0,
        ctypes.addressof(context_buffer) if context else 0,
        0,
        flags,
        0,
        batch,
        0,
    )
    attr_buffer = ctypes.create_string_buffer(attr, _ATTR_BYTES)
    if _libc.syscall(SYS_BPF, PROG_TEST_RUN, attr_buffer, 80) < 0:
        raise BpfError("cannot run the BPF program", ctypes.get_errno())
    return int(struct.unpack_from("<I", attr_buffer, 4)[0])


def u64s(values: Sequence[int]) -> bytes:
    """Arguments of a raw tracepoint program, as *context* for :func:`test_run`."""
    return struct.pack(f"<{len(values)}Q", *values)


def program_ids() -> set[int]:
    """The ids of every BPF program on this host. Needs root."""
    ids, last = set[int](), 0
    while True:
        attr = ctypes.create_string_buffer(struct.pack("<II", last, 0), _ATTR_BYTES)
        if _libc.syscall(SYS_BPF, PROG_GET_NEXT_ID, attr, _ATTR_BYTES) < 0:
            return ids
        last = struct.unpack_from("<I", attr, 4)[0]
        ids.add(last)


@dataclass(frozen=True)
class Runs:
    """How often a program ran while statistics were on, for how long, and how often ever it was skipped.

    The kernel skips a program that would interrupt itself on one CPU, and counts that since commit 9ed9e9ba2337
    ("bpf: Count the number of times recursion was prevented", 5.12).
    """

    runs: int
    nanoseconds: int
    misses: int


def enable_statistics() -> int:
    """Have the kernel count runs and run time of every program, until the returned fd is closed.

    Costs about 20 ns a run (kernel commit d46edd671a14, "bpf: Sharing bpf runtime stats with BPF_ENABLE_STATS", 5.8).
    """
    return bpf(ENABLE_STATS, struct.pack("<I", 0), "cannot turn on BPF run statistics")


def program_statistics(program: int) -> Runs:
    """The statistics of a loaded program: run_time_ns, run_cnt, recursion_misses of ``struct bpf_prog_info``."""
    info = ctypes.create_string_buffer(_INFO_BYTES)
    attr = struct.pack("<IIQ", program, _INFO_BYTES, ctypes.addressof(info))
    bpf(OBJ_GET_INFO_BY_FD, attr, "cannot ask for a program's statistics")
    nanoseconds, runs, misses = struct.unpack_from("<QQQ", info, _INFO_RUN_TIME)
    return Runs(runs, nanoseconds, misses)


def probe_misses(link: int) -> int:
    """How often ever the kernel did not run the kprobe or kretprobe of a perf link: one ran on that CPU already, or too
    many calls of the function had not returned.

    0 before kernel commit 3acf8ace6823 ("bpf: Add missed value to kprobe perf link info", 6.7), and of what is no link.
    """
    info = ctypes.create_string_buffer(_LINK_BYTES)
    try:
        bpf(OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", link, _LINK_BYTES, ctypes.addressof(info)), "cannot ask a link")
    except BpfError:
        return 0
    return int(struct.unpack_from("<Q", info, _LINK_MISSED)[0])
