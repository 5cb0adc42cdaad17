"""One snapshot after another, at an interval: as time goes by, or as fast as a recording can be read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TypeGuard

from ppobserve.model.snapshot import Snapshot
from ppobserve.source.base import Playable, Source


def is_playable(source: Source) -> TypeGuard[Playable]:
    """Is it a recording that is being played?"""
    return hasattr(source, "seek")


def samples(source: Source, interval: float) -> Iterator[Snapshot]:
    """A snapshot now, and one *interval* seconds after another. A recording gives those of its own time from its
    beginning, without waiting, and ends."""
    return _recorded(source, interval) if is_playable(source) else _live(source, interval)


def _live(source: Source, interval: float) -> Iterator[Snapshot]:
    while True:
        yield source.read()
        time.sleep(interval)


def _recorded(source: Playable, interval: float) -> Iterator[Snapshot]:
    source.paused = True
    position, last = 0.0, float("-inf")
    while True:
        source.seek(position)
        snapshot = source.read()
        if snapshot.time != last:
            yield snapshot
        if position >= source.duration:
            return
        position, last = min(position + interval, source.duration), snapshot.time
