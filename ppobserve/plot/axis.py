"""Where an axis has its ticks, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True)
class Axis:
    """The values that an axis shows, from its low to its high end, and its ticks."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    """Value and label."""

    def share(self, value: float) -> float:
        """Where on the axis a value is: 0 at the low end, 1 at the high one."""
        return (value - self.low) / (self.high - self.low)


def value_axis(values: Sequence[float], *, most: int = 5) -> Axis:
    """From zero, or below it, to a round number that no value is above: ``0, 20k, 40k, 60k``."""
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    step = _round_step((high - low) / (most - 1) or 1.0)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return Axis(first * step, last * step, tuple((n * step, _label(n * step, step)) for n in range(first, last + 1)))


def time_axis(low: float, high: float, *, most: int = 7) -> Axis:
    """Seconds, at the full seconds, minutes or hours of a clock that began at 0: ``0:00, 0:30, 1:00``."""
    span = max(high - low, 1e-3)
    days = 86400 * ceil(span / most / 86400)
    step = next((each for each in _SECONDS if span / each <= most), days)
    ticks = range(ceil(low / step), floor((low + span) / step + 1e-9) + 1)
    return Axis(low, low + span, tuple((n * step, clock(n * step)) for n in ticks))


def clock(seconds: float) -> str:
    """``0:05`` minutes and seconds, ``1:00:05`` with hours; a minus before what is earlier than 0."""
    minutes, rest = divmod(int(abs(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if seconds <= -1 else ""
    return f"{sign}{hours}:{minutes:02}:{rest:02}" if hours else f"{sign}{minutes}:{rest:02}"


def short(value: float) -> str:
    """A value with three digits: ``0``, ``0.25``, ``12.5``, ``940``, ``1.25k``, ``15.7M``."""
    size, prefix = next(((size, prefix) for size, prefix in _PREFIXES if abs(value) >= size * 0.9995), (1.0, ""))
    scaled = value / size
    decimals = max(0, min(6, 2 - floor(log10(abs(scaled) * 1.0005)))) if scaled else 0
    text = f"{scaled:.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + prefix


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... and of 0.5, 0.2, 0.1, ..."""
    power = 10.0 ** floor(log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _label(value: float, step: float) -> str:
    """A tick: all of an axis with as many decimals as its step needs, in its own unit."""
    size, prefix = next(((size, prefix) for size, prefix in _PREFIXES if abs(value) >= size), (1.0, ""))
    decimals = max(0, -floor(log10(step / size) + 1e-9))
    text = f"{value / size:.{min(decimals, 6)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + prefix
