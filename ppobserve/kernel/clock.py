"""The kernel's own clocks, by which BPF programs and netlink stamp events.

A time namespace shifts CLOCK_MONOTONIC and CLOCK_BOOTTIME for its processes (time_namespaces(7); kernel commit
769071ac9f20, "ns: Introduce Time Namespace", 5.6). It shifts nothing that the kernel itself writes down. The shift of a
namespace is constant, so it is measured once.
"""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass

from ppobserve.kernel import bpf, programs
from ppobserve.kernel.programs import instruction

TRIES = 5
_MAP_LOOKUP_ELEM, _KTIME_GET_NS, _KTIME_GET_BOOT_NS = 1, 5, 125  # helpers; the last one since 5.8
_BOTH = struct.Struct("=QQ")


@dataclass(frozen=True)
class Clock:
    """The kernel's clocks, as this process reads them plus a shift in nanoseconds."""

    monotonic_shift: int = 0
    boottime_shift: int = 0

    def monotonic_ns(self) -> int:
        """Return what bpf_ktime_get_ns() returns now, in nanoseconds."""
        return time.monotonic_ns() + self.monotonic_shift

    def boottime(self) -> float:
        """Return the seconds since the host was started, suspended ones included."""
        return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) + self.boottime_shift) / 1e9


def measure() -> Clock:
    """Compare the kernel's clocks with those of this process. BpfError if the kernel refuses the program."""
    fds = [bpf.create_array(_BOTH.size)]
    try:
        fds.append(programs.load(programs.TYPE_RAW_TRACEPOINT, _reading(fds[0]), "clocks"))
        before, kernel, after = min((_look(*fds) for _ in range(TRIES)), key=lambda look: look[2][0] - look[0][0])
    finally:
        for fd in fds:
            os.close(fd)
    return Clock(*map(shift, before, kernel, after))


def shift(before: int, kernel: int, after: int) -> int:
    """Return how far the kernel's clock is ahead, if it was read between *before* and *after*; 0 if it may be equal."""
    return 0 if before <= kernel <= after else kernel - (before + after) // 2


Times = tuple[int, int]


def _look(array: int, program: int) -> tuple[Times, Times, Times]:
    """Return both clocks as this process reads them, as the kernel does right after, and as this process does then."""
    before = _own()
    bpf.test_run(program)
    after = _own()
    monotonic, boottime = _BOTH.unpack(bpf.look_up(array, _BOTH.size))
    return before, (monotonic, boottime), after


def _own() -> Times:
    return time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _reading(array: int) -> bytes:
    """Return a program that puts both clocks into the one element of *array*."""
    return b"".join(
        (
            instruction(0x62, dst=10, off=-4),  # the key on the stack: 0
            instruction(0xBF, dst=2, src=10),
            instruction(0x07, dst=2, imm=-4),
            instruction(0x18, dst=1, src=1, imm=array),
            instruction(0),  # upper half of the map's address
            instruction(0x85, imm=_MAP_LOOKUP_ELEM),
            instruction(0x15, off=5),  # no element: to the end
            instruction(0xBF, dst=6),
            instruction(0x85, imm=_KTIME_GET_NS),
            instruction(0x7B, dst=6),
            instruction(0x85, imm=_KTIME_GET_BOOT_NS),
            instruction(0x7B, dst=6, off=8),
            programs.returning(0),
        )
    )
