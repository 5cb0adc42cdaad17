"""What our programs cost: the kernel's statistics of them, sampled."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping

from ppobserve.kernel import bpf
from ppobserve.model.cost import Cost

WINDOW = 0.1
"""Seconds that statistics are on at a time. A run costs about 20 ns more meanwhile, of every program of the host."""


class Meter:
    """Adds up what programs take, from windows: what one saw stands for all the time since the one before."""

    def __init__(self) -> None:
        self._totals: dict[str, Cost] = {}
        self._until = time.monotonic()
        self._lock = threading.Lock()

    def totals(self) -> dict[str, Cost]:
        """Runs and seconds of every program that there ever was; they only go up."""
        with self._lock:
            return dict(self._totals)

    def measure(self, programs: Mapping[str, Iterable[int]], stop: threading.Event) -> float:
        """CPU seconds a second that *programs* take now: takes ``WINDOW`` seconds, less when *stop* is set.

        BpfError on a kernel that has no statistics (before 5.8).
        """
        window, seen = _window(programs, stop)
        with self._lock:
            now = time.monotonic()
            scale, self._until = (now - self._until) / window, now
            for name, cost in seen.items():
                self._totals[name] = self._totals.get(name, Cost()) + cost * scale
        return sum(cost.seconds for cost in seen.values()) / window


def _window(programs: Mapping[str, Iterable[int]], stop: threading.Event) -> tuple[float, dict[str, Cost]]:
    """How long it was, and what each program took in it."""
    statistics = bpf.enable_statistics()
    try:
        begin, before = time.monotonic(), _taken(programs)
        stop.wait(WINDOW)
        after, window = _taken(programs), time.monotonic() - begin
    finally:
        os.close(statistics)
    return window, {
        name: Cost(after[name].runs - before[name].runs, after[name].seconds - before[name].seconds)
        for name in programs
    }


def _taken(programs: Mapping[str, Iterable[int]]) -> dict[str, Cost]:
    return {name: sum(map(_statistics, fds), Cost()) for name, fds in programs.items()}


def _statistics(program: int) -> Cost:
    runs = bpf.program_statistics(program)
    return Cost(runs.runs, runs.nanoseconds / 1e9)
