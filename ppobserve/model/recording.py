"""What a recording is made of: a snapshot's document a line; and what its times tell about how it was recorded."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from statistics import median

from ppobserve.errors import UsageError
from ppobserve.model.clock import set_sentence
from ppobserve.model.document import from_document, to_document
from ppobserve.model.snapshot import Snapshot

# How documents begin and end, so that most of a file need not be parsed to know which lines are whole, and of when.
BEGINNING = b'{"schema":'
_HEAD = re.compile(rb'{"schema": ?(\d+), ?"time": ?([-+.0-9eE]+),(?: ?"uptime": ?([-+.0-9eE]+),)?')
_ENDS = (b"}]}", b'"pools":[]}', b'"pools": []}')
_GAP = 3.0
"""So many usual intervals without a snapshot are a gap, and this many seconds more."""


@dataclass(frozen=True)
class Head:
    """Of which schema a line is, its time in seconds since the epoch, and since the host was started."""

    schema: int
    time: float
    uptime: float | None = None


def to_line(snapshot: Snapshot) -> bytes:
    """A snapshot as a line of a recording, which stands for itself: no other line is needed to read it."""
    return json.dumps(to_document(snapshot), separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> Snapshot:
    """The snapshot back. UsageError for a line that is none."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise UsageError(f"{type(document).__name__} is no snapshot")
    return from_document(document)


def head(line: bytes) -> Head | None:
    """What a whole line says about itself; None for one that is torn, or no snapshot of any schema."""
    found = _HEAD.match(line) if line.endswith(_ENDS) else None
    try:
        said = Head(int(found[1]), float(found[2]), float(found[3]) if found[3] else None) if found else _parsed(line)
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):  # no number, no key, a nest
        return None
    return said if isfinite(said.time) and isfinite(said.uptime or 0) else None


def _parsed(line: bytes) -> Head:
    """The same by parsing it: its keys may have been put into another order."""
    document = json.loads(line)
    uptime = document.get("uptime")
    return Head(int(document["schema"]), float(document["time"]), None if uptime is None else float(uptime))


SetBy = Mapping[int, float]
"""By the number of a snapshot, from 0: seconds that the clock was set on by just before it, negative for back."""


@dataclass(frozen=True)
class Step:
    """Between a snapshot and the next one of a recording something is odd."""

    before: int
    """The number of the earlier snapshot, from 0."""
    gap: float
    """Seconds that nothing was recorded for; 0 where that was no longer than usual."""
    clock: float
    """Seconds that the clock was set on by, negative for back."""


def forward(times: Sequence[float], set_by: SetBy) -> array[float]:
    """*times* as they would have been if nobody had set the clock; where it went back and nobody knows by how much, as
    if a usual interval had passed."""
    usual, moved = usual_interval(times), 0.0
    shown = array("d", times[:1])
    for number, (earlier, later) in enumerate(pairwise(times), 1):
        if number in set_by:
            moved -= set_by[number]
        elif later <= earlier:
            moved += earlier - later + usual
        shown.append(later + moved)
    return shown


def usual_interval(times: Sequence[float]) -> float:
    """The median of the seconds between two snapshots; 0 where there are no two."""
    forward = [later - earlier for earlier, later in pairwise(times) if later > earlier]
    return median(forward) if forward else 0.0


def steps(times: Sequence[float], set_by: SetBy) -> Iterator[Step]:
    """Gaps, and clocks that were set."""
    limit = _GAP * usual_interval(times) + _GAP
    for number, (earlier, later) in enumerate(pairwise(times), 1):
        clock = set_by.get(number) or min(later - earlier, 0.0)
        gap = later - earlier - clock
        if clock or later == earlier or gap > limit:
            yield Step(number - 1, gap if gap > limit else 0.0, clock)


def oddities(times: Sequence[float], set_by: SetBy, most: int = 10) -> list[str]:
    """Gaps and clocks that were set, as sentences; *most* of them, and how many more there are."""
    shown = forward(times, set_by)
    found = [text for step in steps(times, set_by) for text in _sentences(step, shown[step.before] - shown[0])]
    more = [f"{len(found) - most} more gaps or steps of the clock"] if len(found) > most else []
    return found[:most] + more


def _sentences(step: Step, position: float) -> Iterator[str]:
    if step.gap:
        yield f"at {clock(position)}: nothing was recorded for {step.gap:.0f} s"
    if step.clock or not step.gap:
        way = "back" if step.clock > 0 else "on"
        yield f"at {clock(position)}: {set_sentence(step.clock)}; times after it are moved {way}"


def clock(seconds: float) -> str:
    """A position as ``1:05:09`` or ``5:09``: hours, minutes, seconds."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
