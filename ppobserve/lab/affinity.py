"""On which CPU the traffic is made: where a pool is consumed decides which pages are local to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ppobserve.errors import UsageError


def first() -> int:
    """Return the lowest CPU that the calling thread may run on: CPU 0 may be offline, or another's."""
    return min(os.sched_getaffinity(0))


def pin(cpu: int) -> None:
    """Keep the calling thread on *cpu*. UsageError when there is no such CPU, or when it is not ours to use."""
    try:
        os.sched_setaffinity(0, {cpu})
    except (OSError, OverflowError, ValueError) as error:
        because = "it does not exist, is offline, or lies outside this process's cpuset"
        raise UsageError(f"cannot run on CPU {cpu}", because=because, fix="lscpu --extended=CPU,NODE,ONLINE") from error


@contextmanager
def pinned(cpu: int | None) -> Iterator[None]:
    """Keep the calling thread on *cpu* for the time of the block; None leaves it alone. UsageError as for pin()."""
    before = os.sched_getaffinity(0)
    try:
        if cpu is not None:
            pin(cpu)
        yield
    finally:
        os.sched_setaffinity(0, before)


def check(cpu: int | None) -> None:
    """UsageError when the calling thread could not run on *cpu*; None is any CPU, and always right."""
    with pinned(cpu):
        pass
