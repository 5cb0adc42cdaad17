"""How long it was between two moments, whatever was done to the clock meanwhile."""

from __future__ import annotations

from typing import Protocol

SLACK = 1.0
"""Seconds that two clocks may differ by because they were not read in the same instant."""


class Stamped(Protocol):
    """A moment, by two clocks."""

    @property
    def time(self) -> float:
        """Seconds since the epoch, by a clock that can be set."""

    @property
    def uptime(self) -> float | None:
        """Seconds since the host was started, by a clock that can't; None where nobody noted it."""


def passed(new: Stamped, old: Stamped) -> float:
    """Seconds from *old* to *new*; negative where nothing but a clock that was set back tells."""
    seconds = _up(new, old)
    return new.time - old.time if seconds is None else seconds


def set_by(new: Stamped, old: Stamped) -> float:
    """Seconds that the clock was set on by meanwhile, negative for back; 0 where it was not, or nobody knows."""
    seconds = _up(new, old)
    step = 0.0 if seconds is None else new.time - old.time - seconds
    return step if abs(step) > SLACK else 0.0


def started_anew(new: Stamped, old: Stamped) -> bool:
    """Was the host started between the two?"""
    return None not in (new.uptime, old.uptime) and _up(new, old) is None


def set_sentence(step: float) -> str:
    """What was done to the clock, without a dot."""
    return f"the clock was set {'on' if step > 0 else 'back'} by {abs(step):.1f} s"


def _up(new: Stamped, old: Stamped) -> float | None:
    if new.uptime is None or old.uptime is None or new.uptime < old.uptime:
        return None
    return new.uptime - old.uptime
