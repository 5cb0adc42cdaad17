"""Numbers as short strings."""

from __future__ import annotations

import time

_UNITS = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k"))


def short(value: float | None) -> str:
    """At most six characters: ``0.25``, ``12.5``, ``9999``, ``15.7k``, ``1.25M``; ``-`` for what is not counted."""
    if value is None:
        return "-"
    for size, unit in _UNITS:
        if abs(value) >= size:
            scaled = value / (1e3 if unit == "k" else size)
            return f"{_digits(scaled)}{unit}"
    return _digits(value) if abs(value) < 1000 else f"{value:.0f}"


def _digits(value: float) -> str:
    """Three significant digits, and no zeros that say nothing."""
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def clip(text: str, width: int) -> str:
    """*text*, or its beginning and an ellipsis."""
    text = printable(text)
    return text if len(text) <= width else text[: width - 1] + "…"


def printable(text: str) -> str:
    """Only what prints: whoever may name a device, or write a file that we read, must not steer our terminal."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def clock(seconds: float) -> str:
    """The time of day at *seconds* since the epoch, here."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))
