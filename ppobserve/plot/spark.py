"""Small SVG plots, as strings. No style in them: classes say what is what, so that a strict CSP holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby, pairwise
from math import isnan

HEIGHT = 100
Point = tuple[int, int]


def line(values: Sequence[float], label: str, *, top: float = 0.0, kind: str = "plot") -> str:
    """A line over its area, scaled to the highest value or *top*; where there is no value (nan) there is none."""
    highest = max([top, *(value for value in values if not isnan(value))]) or 1.0
    width = max(len(values) - 1, 1)
    paths = "".join(_path(points) for points in _stretches(values, highest))
    box = f'viewBox="0 0 {width} {HEIGHT}" preserveAspectRatio="none"'
    return (
        f'<svg class="{kind}" {box} role="img" aria-label="{escape(label)}">'
        f'<path class="base" d="M0 {HEIGHT}h{width}"/>{paths}</svg>'
    )


def peaks(values: Sequence[float], width: int) -> list[float]:
    """*width* points instead of so many, each the highest of those that it stands for: no spike gets lost."""
    size = -(-len(values) // width)
    groups = (values[start : start + size] for start in range(0, len(values), size))
    return [max((value for value in group if not isnan(value)), default=float("nan")) for group in groups]


def _stretches(values: Sequence[float], highest: float) -> Iterator[list[Point]]:
    """Runs of points without a gap, in the coordinates of the picture."""
    for missing, run in groupby(enumerate(values), lambda pair: isnan(pair[1])):
        if not missing:
            yield [(place, round(HEIGHT * (1 - max(value, 0) / highest))) for place, value in run]


def _path(points: Sequence[Point]) -> str:
    first, start = points[0]
    moves = "".join(f"l{x - left} {y - above}" for (left, above), (x, y) in pairwise(_corners(points))) or "h1"
    area = f'<path class="area" d="M{first} {HEIGHT}V{start}{moves}V{HEIGHT}z"/>'
    return f'{area}<path class="line" d="M{first} {start}{moves}"/>'


def _corners(points: Sequence[Point]) -> list[Point]:
    """Without those inside a level run, which say nothing: an idle hour is two points."""
    triples = zip(points, points[1:], points[2:], strict=False)
    inner = [here for before, here, after in triples if not before[1] == here[1] == after[1]]
    return [*points[:1], *inner, *points[1:][-1:]]


def bar(share: float) -> str:
    """A bar as long as *share* (0 to 1) of its place."""
    return (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar" width="{100 * share:.4g}" height="10"/></svg>'
    )
