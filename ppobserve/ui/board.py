"""What the screen knows: the last interval, how rates went before, and a recording's position. No terminal in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ppobserve.model.cost import Metering
from ppobserve.model.group import Grouping, grouped
from ppobserve.model.rates import Interval, Row, begun, between, group_rows
from ppobserve.model.snapshot import PoolSample, Snapshot
from ppobserve.ui.history import History
from ppobserve.ui.view import View, look


@dataclass(frozen=True)
class Opened:
    """A pool, or a group, that is looked at closely."""

    row: Row
    now: PoolSample
    """Counters since it was first seen."""
    gained: PoolSample
    """Counters since the last snapshot."""
    seconds: float | None
    """In which they were counted; None: there are no rates."""
    nodes: tuple[str, ...]
    """Every node that this host's counters name."""


class Board:
    """Takes snapshots, one after another, and tells what to show."""

    def __init__(self, first: Snapshot) -> None:
        self.interval = begun(first)
        self._metering = Metering()
        self._metering.note(first.costs, 0.0)
        self.history = History()
        self._looked: tuple[Interval, View, tuple[Row, ...]] = (self.interval, View(), self.interval.rows)
        self._members: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {}
        self.noted = ""
        """What was odd about the last snapshot; empty when nothing was."""

    def take(self, snapshot: Snapshot) -> bool:
        """Show this one from now on. False when it shows nothing new."""
        last = self.interval.new
        if snapshot.time == last.time:
            return False
        self.interval = between(snapshot, last)
        self.noted = self.interval.broken or self.interval.note
        if self.interval.broken:
            self.history.forget()
            self._metering = Metering()
        self._metering.note(snapshot.costs, self.interval.seconds)
        self.history.note(self.interval.rows)
        return True

    def jump(self, before: Snapshot, snapshot: Snapshot) -> None:
        """Show a moment that does not follow the one that was shown, with the rates since *before*."""
        self.history.forget()
        self.interval, self.noted, self._metering = between(snapshot, before), "", Metering()
        self._metering.note(snapshot.costs, 0.0)
        self.history.note(self.interval.rows)

    @property
    def measured(self) -> float | None:
        """What the programs took of a CPU by measurement; None where nobody measured lately."""
        return self._metering.share

    @property
    def _seconds(self) -> float | None:
        return None if self.interval.broken else self.interval.seconds

    def rows(self, view: View) -> tuple[Row, ...]:
        """The rows of a view. They are made once for each interval and view, however often they are asked for."""
        if self._looked[0] is not self.interval or self._looked[1] != view:
            self._looked = self.interval, view, look(self.interval, view)
        return self._looked[2]

    def opened(self, key: tuple[str, ...], view: View) -> Opened | None:
        """What there is to tell about a row; None when it is gone, not when the view leaves it out at the moment."""
        row = next((row for row in self.rows(view) if row.key == key), None) or self._left_out(key, view)
        if not row:
            return None
        self._members = {key: row.members}
        members = row.members or (key,)
        now, gained = (_added_up(each, members, view) for each in (self.interval.new, self.interval.gained))
        return Opened(row, now, gained, self._seconds, _nodes(self.interval.new))

    def _left_out(self, key: tuple[str, ...], view: View) -> Row | None:
        """A row that does not fit the view now; a group of the pools that it had when it last did."""
        found = group_rows(self.interval, self._members.get(key) or (key,), view.grouping)
        row = next((row for row in found if row.key == key), None)
        return replace(row, members=()) if row and view.grouping is Grouping.POOL else row

    def total(self, view: View) -> Opened | None:
        """All pools of a view, added up; None where there are none."""
        rows = look(self.interval, replace(view, grouping=Grouping.POOL))
        keys = tuple(row.key for row in rows)
        totals = group_rows(self.interval, keys, Grouping.HOST)
        if not totals:
            return None
        view = replace(view, grouping=Grouping.HOST)
        now, gained = (_added_up(each, keys, view) for each in (self.interval.new, self.interval.gained))
        return Opened(totals[0], now, gained, self._seconds, _nodes(self.interval.new))


def _added_up(snapshot: Snapshot, members: tuple[tuple[str, ...], ...], view: View) -> PoolSample:
    (group,) = grouped((each for each in snapshot.pools if each.pool.key in members), view.grouping)
    return group.sample


def _nodes(snapshot: Snapshot) -> tuple[str, ...]:
    cells = (each.counters.get("numa_mismatch_pages", {}) for each in snapshot.pools)
    labels = {label for cell in cells if isinstance(cell, dict) for key in cell for label in key}
    remote = {label for each in snapshot.pools for _, *nodes in each.remote for label in nodes}
    return tuple(sorted(labels | remote, key=lambda label: (not label.isdecimal(), label.zfill(4))))
