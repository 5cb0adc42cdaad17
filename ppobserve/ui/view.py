"""What of all pools is looked at, in which order: a value, and one function that makes it so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ppobserve.model.group import Grouping
from ppobserve.model.rates import Interval, Row, busiest_first, group_rows
from ppobserve.model.snapshot import State
from ppobserve.ui.filters import Filter, parse_filter
from ppobserve.ui.pool_columns import BUSY, BY_KEY


@dataclass(frozen=True)
class View:
    """Which rows, and how."""

    sort: str = BUSY
    """A column's key, or BUSY."""
    reverse: bool = False
    filter: str = ""
    grouping: Grouping = Grouping.POOL
    zombies: bool = False
    """Only pools whose driver has destroyed them."""
    limit: int | None = None
    fits: Filter = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """UsageError when the filter is none."""
        object.__setattr__(self, "fits", parse_filter(self.filter))


def look(interval: Interval, view: View) -> tuple[Row, ...]:
    """The rows of *view*. A filter chooses pools, also where they are then added up."""
    chosen = [row for row in interval.rows if _meant(row, view)]
    if view.grouping is not Grouping.POOL:
        chosen = list(group_rows(interval, (row.key for row in chosen), view.grouping))
    return tuple(ordered(chosen, view.sort, view.reverse)[: view.limit])


def _meant(row: Row, view: View) -> bool:
    return (not view.zombies or row.pool.state is State.DETACHED) and view.fits(row)


def ordered(rows: Iterable[Row], sort: str, reverse: bool) -> Sequence[Row]:
    """Numbers from the highest, texts from A; the other way round if *reverse*. What has no value comes last."""
    if sort == BUSY:
        return busiest_first(rows)[:: -1 if reverse else 1]
    value = BY_KEY[sort].value
    listed = list(rows)
    known = [row for row in listed if value(row) not in (None, "")]
    unknown = [row for row in listed if value(row) in (None, "")]
    numbers = any(not isinstance(value(row), str) for row in known)
    known.sort(key=lambda row: _natural(value(row)), reverse=numbers is not reverse)
    return [*known, *unknown]


def _natural(value: str | float | None) -> tuple[float, str]:
    """Texts that are numbers are ordered as such: pool 9 before pool 10."""
    if isinstance(value, str):
        return (float(value), "") if value.isdecimal() else (float("inf"), value)
    return value or 0.0, ""
