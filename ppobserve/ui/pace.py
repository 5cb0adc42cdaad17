"""How often the screen reads, and how fast a recording is played: steps up and down."""

from __future__ import annotations

from collections.abc import Sequence

from ppobserve.model.snapshot import Snapshot
from ppobserve.source.base import Playable

INTERVALS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
SEEK_SECONDS = 10.0


def higher(steps: Sequence[float], now: float) -> float:
    """The next step above *now*, or *now* where there is none."""
    return next((step for step in steps if step > now), now)


def lower(steps: Sequence[float], now: float) -> float:
    """The next step below *now*, or *now* where there is none."""
    return next((step for step in reversed(steps) if step < now), now)


def moment(played: Playable, position: float, seconds: float) -> tuple[Snapshot, Snapshot]:
    """The snapshot at *position* and one that is at least *seconds* older, if the recording has it. Nothing is sought:
    others read the same source meanwhile."""
    position = min(max(position, 0.0), played.duration)
    now = before = played.at(position)
    back = seconds
    while before.time == now.time and position > 0:
        before = played.at(max(position - back, 0.0))
        if back >= position:
            break
        back *= 2
    return before, now
