"""Where snapshots come from: one protocol, whatever is behind it."""

from __future__ import annotations

from typing import Protocol

from ppobserve.model.snapshot import Snapshot


class Source(Protocol):
    """Anything that can be asked for all pools: live programs, a recording, another host's daemon."""

    def read(self) -> Snapshot:
        """All pools, now. HostError when they can't be read."""

    def close(self) -> None:
        """Let go of whatever is held; twice is harmless."""


class Playable(Source, Protocol):
    """A recording that is being played: ``read`` gives what is shown at the position reached by now."""

    speed: float
    """Seconds of the recording a second; 1 is as it happened."""
    paused: bool

    @property
    def position(self) -> float:
        """Seconds since the first snapshot; moves by itself while not paused, up to ``duration``."""

    @property
    def duration(self) -> float:
        """Seconds from the first snapshot to the last."""

    def seek(self, position: float) -> None:
        """Go there, or to the nearer end; the next ``read`` shows it."""

    def at(self, position: float) -> Snapshot:
        """What is shown at a position, from any thread; the one that is being played stays where it is."""
