"""How far the kernel's clocks are from those of a process in a time namespace."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from itertools import cycle

import pytest

from ppobserve.kernel import bpf, clock, programs
from ppobserve.kernel.clock import Clock, measure, shift

DAY = 86_400 * 10**9


@pytest.mark.parametrize(
    ("before", "kernel", "after", "found"),
    [(100, 100, 100, 0), (100, 117, 131, 0), (100, 131, 131, 0), (100, 99, 131, -16), (200, 1200, 400, 900)],
)
def test_clocks_are_apart_only_where_the_time_of_a_reading_does_not_explain_it(
    before: int, kernel: int, after: int, found: int
) -> None:
    assert shift(before, kernel, after) == found


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A kernel whose clocks are a day, and three, ahead. Every other look takes half a second."""
    stamped: list[bytes] = []
    slow = cycle((0.5, 0.0))

    def run(program: int) -> int:
        time.sleep(next(slow))
        monotonic, boottime = time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        stamped.append(struct.pack("=QQ", monotonic + DAY, boottime + 3 * DAY))
        return 0

    monkeypatch.setattr(bpf, "create_array", lambda size: 101)
    monkeypatch.setattr(programs, "load", lambda kind, code, name: 103)
    monkeypatch.setattr(bpf, "test_run", run)
    monkeypatch.setattr(bpf, "look_up", lambda array, size: stamped[-1])
    closed: list[int] = []
    monkeypatch.setattr(clock.os, "close", closed.append)
    yield stamped
    assert closed == [101, 103]


def test_the_quickest_look_tells_the_shift(kernel: list[bytes]) -> None:
    measured = measure()
    assert len(kernel) == clock.TRIES
    assert abs(measured.monotonic_shift - DAY) < 10**8
    assert abs(measured.boottime_shift - 3 * DAY) < 10**8


def test_the_kernels_time_is_ours_and_the_shift() -> None:
    shifted = Clock(-DAY, 5 * 10**9)
    assert abs(shifted.monotonic_ns() - time.monotonic_ns() + DAY) < 10**9
    assert 4 < shifted.boottime() - time.clock_gettime(time.CLOCK_BOOTTIME) < 6
