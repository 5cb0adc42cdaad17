"""Lines of text whose parts have a meaning: plain values, which the screen turns into colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

from ppobserve.ui.format import printable


class Tone(str, Enum):
    """What a piece of text means. FAR is traffic between nodes, and the only thing that is ever red."""

    PLAIN = "plain"
    STRONG = "strong"
    TITLE = "title"
    DIM = "dim"
    BAR = "bar"
    FAR = "far"
    FAR_CELL = "far-cell"
    FAR_CELL_LOW = "far-cell-low"
    NOTE = "note"
    """Something that whoever looks should know: paused, a daemon that is down."""


Span = tuple[str, Tone]
Line = list[Span]

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def line(*spans: Span | str) -> Line:
    """A line; a bare text has no special meaning."""
    made = ((span, Tone.PLAIN) if isinstance(span, str) else span for span in spans)
    return [(printable(text), tone) for text, tone in made if text]


def width(spans: Iterable[Span]) -> int:
    """Cells that a line takes."""
    return sum(len(text) for text, _ in spans)


def fitted(spans: Line, room: int) -> Line:
    """The line in exactly *room* cells: cut, or filled with spaces."""
    kept: Line = []
    for text, tone in spans:
        kept.append((text[:room], tone))
        room -= len(text[:room])
    return [*kept, (" " * room, Tone.PLAIN)] if room else kept


def beside(left: Sequence[Line], right: Sequence[Line], room: int, gap: int = 3) -> list[Line]:
    """Two blocks of lines next to each other; the left one in *room* cells."""
    count = max(len(left), len(right))
    lefts, rights = [*left, *[[]] * (count - len(left))], [*right, *[[]] * (count - len(right))]
    return [[*fitted(one, room), (" " * gap, Tone.PLAIN), *other] for one, other in zip(lefts, rights, strict=True)]


def apart(left: Line, right: Line, room: int) -> Line:
    """One line: *left* at its beginning and *right* at its end; the left one is cut where both don't fit."""
    left_room = max(room - width(right) - 1, 0)
    return fitted([*fitted(left, left_room), (" ", Tone.PLAIN), *right], room)


def bar(share: float, room: int) -> str:
    """A bar of *room* cells at a share of 1; anything above 0 shows."""
    eighths = max(round(share * room * 8), 1 if share > 0 else 0)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(room)
