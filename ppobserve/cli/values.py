"""Values of the command line, from text. Each refuses what makes no sense with an ArgumentTypeError, a sentence."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

_SUFFIXES = {"K": 10, "M": 20, "G": 30, "T": 40}


def whole(text: str, what: str = "") -> int:
    """A positive whole number, of *what* is counted."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"not a positive number{f' of {what}' if what else ''}: {text!r}")
    return int(text)


def size(text: str) -> int:
    """A positive number of bytes; the suffixes K, M, G, T are powers of 1024: ``10M`` is 10485760."""
    digits, power = (text[:-1], _SUFFIXES[text[-1].upper()]) if text[-1:].upper() in _SUFFIXES else (text, 0)
    return whole(digits) << power


def duration(text: str) -> float:
    """A positive number of seconds."""
    seconds = _number(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"not a positive number of seconds: {text!r}")
    return seconds


def seconds_between(low: float, high: float) -> Callable[[str], float]:
    """What parses a number of seconds, *low* and *high* among them."""

    def seconds(text: str) -> float:
        value = _number(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low:g} and {high:g} seconds")
        return value

    return seconds


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
