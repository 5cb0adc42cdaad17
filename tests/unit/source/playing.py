"""A recording for the tests: played by a clock that the test moves."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from ppobserve.model.snapshot import Snapshot
from tests.unit.export.samples import moment


class Played:
    """Fulfils ``Playable``. ``now`` is the test's clock, in seconds."""

    def __init__(self, shown: Sequence[float | Snapshot]) -> None:
        self.shown = [replace(moment(), time=each) if not isinstance(each, Snapshot) else each for each in shown]
        self.now, self._speed, self._paused = 0.0, 1.0, False
        self._from, self._since = 0.0, 0.0
        self.closed = 0

    @property
    def duration(self) -> float:
        return self.shown[-1].time - self.shown[0].time

    @property
    def position(self) -> float:
        moved = 0.0 if self._paused else (self.now - self._since) * self._speed
        return min(self._from + moved, self.duration)

    def seek(self, position: float) -> None:
        self._from, self._since = min(max(position, 0.0), self.duration), self.now

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self.seek(self.position)
        self._speed = speed

    @property
    def paused(self) -> bool:
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self.seek(self.position)
        self._paused = paused

    def read(self) -> Snapshot:
        return self.at(self.position)

    def at(self, position: float) -> Snapshot:
        times = [each.time for each in self.shown]
        return self.shown[bisect_right(times, times[0] + position) - 1]

    def close(self) -> None:
        self.closed += 1
