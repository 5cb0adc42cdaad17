"""A recording, played: ``open_recording(path)``. In memory is where each snapshot is, and the one that is shown."""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from ppobserve.errors import RecordingError, UsageError
from ppobserve.model.document import SCHEMA
from ppobserve.model.recording import forward, from_line, oddities
from ppobserve.model.snapshot import Snapshot
from ppobserve.source.index import Index


def open_recording(path: Path, clock: Callable[[], float] = time.monotonic) -> Recorded:
    """The recording in *path*, with the older parts that were rotated away before it. It plays at once.

    RecordingError for a file that is none, is empty, or is of another schema.
    """
    with ExitStack() as files:
        index = Index()
        for part in parts(path):
            index.add(str(part), _open(part, files))
        if not index.times:
            raise _nothing(path, index)
        return Recorded(index, files.pop_all(), clock)


def parts(path: Path) -> list[Path]:
    """The files of a recording, oldest first: ``a.2.gz``, ``a.1.gz``, ``a.gz``. See ``recorder.rotated``."""
    rotated = re.compile(rf"{re.escape(path.stem)}\.([1-9][0-9]*){re.escape(path.suffix)}")
    try:
        names = sorted(os.listdir(path.parent))
    except OSError:
        names = []  # and opening the file itself says why
    numbers = {int(found[1]): name for name in names if (found := rotated.fullmatch(name))}
    return [*(path.with_name(numbers[number]) for number in sorted(numbers, reverse=True)), path]


def _open(path: Path, files: ExitStack) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe without a writer would have us wait
        files.callback(os.close, fd)
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise RecordingError(f"cannot play {path}: it is not a file", because="a recording is read at any place")
    return fd


def _nothing(path: Path, index: Index) -> RecordingError:
    """Why there is nothing to play."""
    if not index.problems:
        return RecordingError(f"{path} is empty: nothing was recorded into it")
    if index.schemas:
        return RecordingError(
            f"cannot play {path}: it is of schema {max(index.schemas)}",
            because=f"this ppobserve reads schema {SCHEMA}",
            fix="a ppobserve of the version that recorded it",
        )
    return RecordingError(
        f"{path} is not a recording, or nothing of it is left",
        because="\n  ".join(index.problems),
        fix=f"ppobserve record -o {path.name}  makes one",
    )


@dataclass(frozen=True)
class _Course:
    """How it is played: from a position on, since a moment of the clock. Replaced as a whole, so that any thread may
    ask where it is."""

    begin: float
    since: float
    speed: float = 1.0
    paused: bool = False

    def at(self, now: float) -> float:
        return self.begin + (0.0 if self.paused else (now - self.since) * self.speed)


class Recorded:
    """A recording that is played, as ``Playable`` says, and whose snapshots can be had by number, too.

    Where the clock was set while it was recorded, later snapshots are given the times that they would have had: time
    only goes up, as it passed. Any thread may read.
    """

    def __init__(self, index: Index, files: ExitStack, clock: Callable[[], float]) -> None:
        self._index, self._files, self._clock = index, files, clock
        self._times = forward(index.times, index.set_by)
        self._unreadable: dict[int, str] = {}
        self._shown: tuple[int, Snapshot] | None = None
        self._lock = threading.Lock()
        self._course = _Course(0.0, clock())

    def __len__(self) -> int:
        """How many snapshots there are."""
        return len(self._times)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the recording, as sentences: torn lines, gaps, clocks that were set."""
        return (*self._index.problems, *oddities(self._index.times, self._index.set_by), *self._unreadable.values())

    @property
    def duration(self) -> float:
        """Seconds from the first snapshot to the last."""
        return self._times[-1] - self._times[0]

    @property
    def position(self) -> float:
        """Seconds since the first snapshot; moves by itself while not paused, up to ``duration``."""
        return min(self._course.at(self._clock()), self.duration)

    def seek(self, position: float) -> None:
        """Go there, or to the nearer end; the next ``read`` shows it."""
        self._go_on(position)

    @property
    def speed(self) -> float:
        """Seconds of the recording a second; 1 is as it happened."""
        return self._course.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not (isfinite(speed) and speed > 0):
            raise UsageError(f"cannot play at speed {speed}: it must be more than 0")
        self._go_on(self.position, speed=speed)

    @property
    def paused(self) -> bool:
        """Does the position stand still?"""
        return self._course.paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._go_on(self.position, paused=paused)

    def _go_on(self, position: float, **changes: Any) -> None:
        """From there, and from now on."""
        begin = min(max(position, 0.0), self.duration)
        self._course = replace(self._course, begin=begin, since=self._clock(), **changes)

    def read(self) -> Snapshot:
        """What was the newest snapshot at the position reached by now; the same object until there is a newer one.

        ReadError when the disk refuses, RecordingError when no snapshot can be read.
        """
        return self.at(self.position)

    def at(self, position: float) -> Snapshot:
        """The same at any position, without going there."""
        number = max(bisect_right(self._times, self._times[0] + position) - 1, 0)
        for each in (*range(number, -1, -1), *range(number + 1, len(self))):
            if found := self.snapshot(each):
                return found
        raise RecordingError("no snapshot of the recording can be read", because=next(iter(self._unreadable.values())))

    def snapshot(self, number: int) -> Snapshot | None:
        """One of them, from 0; None for a line that turns out to be none, which is among ``problems`` from now on."""
        with self._lock:  # unpacking goes on from where the last one ended
            return self._snapshot(number)

    def _snapshot(self, number: int) -> Snapshot | None:
        if self._shown and self._shown[0] == number:
            return self._shown[1]
        if number in self._unreadable:
            return None
        try:
            found = replace(from_line(self._index.line(number)), time=self._times[number])
        except UsageError as error:
            self._unreadable[number] = f"snapshot {number + 1} of {len(self)} left out: {error.what}"
            return None
        self._shown = number, found
        return found

    def snapshots(self, most: int) -> Iterator[Snapshot]:
        """At most *most* of them, in order and evenly spread, the first and the last among them."""
        count = min(most, len(self))
        numbers = (round(place * (len(self) - 1) / max(count - 1, 1)) for place in range(count))
        return filter(None, map(self.snapshot, numbers))

    def close(self) -> None:
        """Let go of the files; twice is harmless."""
        self._files.close()
