"""The table of pools as lines, for the screen: heading, and a row."""

from __future__ import annotations

from collections.abc import Sequence

from ppobserve.model.rates import Row
from ppobserve.ui.history import History, Trend, sparkline
from ppobserve.ui.paint import Line, Tone
from ppobserve.ui.pool_columns import Column, Place
from ppobserve.ui.view import View


def heading(places: Sequence[Place], view: View) -> Line:
    """The titles; the column that sorts is marked."""
    spans: Line = []
    for place in places:
        sorts = place.column.key == view.sort
        mark = ("▴" if view.reverse else "▾") if sorts else " "
        title = place.column.title + mark if place.column.left else place.column.title
        cell = place.column.cell(title, place.width) + (" " if place.column.left else mark)
        room = place.width + 1 + (place.trend + 1 if place.trend else 0)
        spans.append((cell.ljust(room), Tone.STRONG if sorts else Tone.TITLE))
    return spans


def row_line(row: Row, places: Sequence[Place], history: History) -> Line:
    """A pool. What is zero steps back, what crosses nodes stands out."""
    spans: Line = []
    for place in places:
        tone = _tone(place.column, row)
        spans += [(place.column.cell(place.column.shown(row), place.width), tone), (" ", Tone.PLAIN)]
        if place.trend:
            trend = history.trend(row, place.column.key)[-place.trend :]
            spans += [(sparkline(trend, place.trend), trend_tone(place.column, trend)), (" ", Tone.PLAIN)]
    return spans


def _tone(column: Column, row: Row) -> Tone:
    value = column.value(row)
    if column.far and value:
        return Tone.FAR
    return Tone.PLAIN if value or column.left or column.names else Tone.DIM


def trend_tone(column: Column, trend: Trend) -> Tone:
    """Red only where something crossed nodes."""
    if not any(trend):
        return Tone.DIM
    return Tone.FAR if column.far else Tone.BAR


def column_at(places: Sequence[Place], x: int) -> Column | None:
    """Whose heading is at cell *x*."""
    for place in places:
        x -= place.width + 1 + (place.trend + 1 if place.trend else 0)
        if x < 0:
            return place.column
    return None
