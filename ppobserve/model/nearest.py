"""The name that a mistyped one was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, names: Iterable[str], cutoff: float = 0.65) -> str:
    """The most similar of *names*, compared without case and an option's dashes; empty if none is similar."""
    plain = {_plain(name): name for name in names}
    close = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=cutoff)
    return plain[close[0]] if close else ""


def question(word: str, names: Iterable[str]) -> str:
    """The end of a sentence about a wrong *word*: ``; did you mean 'check'?``; empty if no name is similar."""
    found = nearest(word, names)
    return f"; did you mean {found!r}?" if found else ""


def _plain(name: str) -> str:
    return name.lower().lstrip("-")
