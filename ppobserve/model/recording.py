"""What a recording is made of: a snapshot's document a line; and what its times tell about how it was recorded."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from statistics import median

from ppobserve.errors import UsageError
from ppobserve.model.document import from_document, to_document
from ppobserve.model.snapshot import Snapshot

# How documents begin and end, so that most of a file need not be parsed to know which lines are whole, and of when.
BEGINNING = b'{"schema":'
_HEAD = re.compile(rb'{"schema": ?(\d+), ?"time": ?([-+.0-9eE]+),')
_ENDS = (b"}]}", b'"pools":[]}', b'"pools": []}')
_GAP = 3.0
"""So many usual intervals without a snapshot are a gap, and this many seconds more."""


@dataclass(frozen=True)
class Head:
    """Of which schema a line is, and its time in seconds since the epoch."""

    schema: int
    time: float


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
        schema, time = (int(found[1]), float(found[2])) if found else _parsed_head(line)
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):  # no number, no key, a nest
        return None
    return Head(schema, time) if isfinite(time) else None


def _parsed_head(line: bytes) -> tuple[int, float]:
    """The same by parsing it: its keys may have been put into another order."""
    document = json.loads(line)
    return int(document["schema"]), float(document["time"])


@dataclass(frozen=True)
class Step:
    """Between a snapshot and the next one of a recording something is odd: seconds that are missing, or went back."""

    before: int
    """The number of the earlier snapshot, from 0."""
    seconds: float
    """Positive: a gap. Negative: the clock was set back."""


def forward(times: Sequence[float]) -> array[float]:
    """*times* as they were while they only go up; where the clock was set back, as if a usual interval had passed."""
    usual, ahead = usual_interval(times), 0.0
    shown = array("d", times[:1])
    for earlier, later in pairwise(times):
        if later <= earlier:
            ahead += earlier - later + usual
        shown.append(later + ahead)
    return shown


def usual_interval(times: Sequence[float]) -> float:
    """The median of the seconds between two snapshots; 0 where there are no two."""
    forward = [later - earlier for earlier, later in pairwise(times) if later > earlier]
    return median(forward) if forward else 0.0


def steps(times: Sequence[float]) -> Iterator[Step]:
    """Gaps, and clocks that were set back."""
    limit = _GAP * usual_interval(times) + _GAP
    for before, (earlier, later) in enumerate(pairwise(times)):
        if later <= earlier or later - earlier > limit:
            yield Step(before, later - earlier)


def oddities(times: Sequence[float], most: int = 10) -> list[str]:
    """Gaps and clocks that were set back, as sentences; *most* of them, and how many more there are."""
    shown, found = forward(times), list(steps(times))
    more = [f"{len(found) - most} more gaps or steps of the clock"] if len(found) > most else []
    return [_sentence(step, shown[step.before] - shown[0]) for step in found[:most]] + more


def _sentence(step: Step, position: float) -> str:
    if step.seconds > 0:
        return f"at {clock(position)}: nothing was recorded for {step.seconds:.0f} s"
    return f"at {clock(position)}: the clock was set back by {-step.seconds:.1f} s; times after it are moved on"


def clock(seconds: float) -> str:
    """A position as ``1:05:09`` or ``5:09``: hours, minutes, seconds."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
