"""The two lines at the top of the screen: whose pools, how they are counted, and what that costs right now."""

from __future__ import annotations

from ppobserve.model.group import Grouping
from ppobserve.model.rates import MEASURING, Interval
from ppobserve.model.snapshot import State
from ppobserve.ui.format import clock, short
from ppobserve.ui.paint import Line, Tone, apart, fitted, line, width
from ppobserve.ui.pool_columns import BUSY
from ppobserve.ui.view import View

NARROW = 60
GAP = line("  ")


def head(interval: Interval, view: View, pace: str, room: int, measured: float | None = None) -> list[Line]:
    """Host, kernel, clock; level, rung, cost, and what the view leaves out. *pace* is "every 1 s", or "paused";
    *measured* is the cost, where it is."""
    new = interval.new
    host = line((new.host or "host", Tone.STRONG), f"  {new.kernel}")
    now = line(clock(new.time), (f"  {pace}", _pace_tone(pace)))
    taken = MEASURING if interval.broken == MEASURING else cost(interval, measured)
    parts = (f"level {new.plan.level.value} by {new.plan.rung.value}", taken)
    plan = line((", ".join(filter(None, parts)), Tone.DIM))
    totals = _totals(interval, view)
    # What it costs is not cut off where there is room for it at all.
    second = (
        apart(plan, totals, room) if width(plan) + width(totals) < room or room < NARROW else [*plan, *GAP, *totals]
    )
    return [apart(host, now, room), fitted(second, room)]


def _pace_tone(pace: str) -> Tone:
    return Tone.NOTE if pace.startswith("paused") else Tone.DIM


def cost(interval: Interval, measured: float | None = None) -> str:
    """What the programs take of one CPU: as measured, else, with ``~``, by what their events are expected to cost."""
    if measured is not None and not interval.broken:
        return f"{_percent(measured)} CPU"
    share = interval.expected_cost
    return "" if share is None else "idle" if not share else f"~{_percent(share)} CPU"


def _percent(share: float) -> str:
    return f"{short(share * 100)} %" if share >= 1e-4 else "<0.01 %"


def _totals(interval: Interval, view: View) -> Line:
    pools = sum(each.pool.state is not State.ENDED for each in interval.new.pools)
    dropped = sum(row.mismatches or 0 for row in interval.rows)
    order = [f"by {view.grouping.value}"] if view.grouping is not Grouping.POOL else []
    order += ["least busy first"] if view.sort == BUSY and view.reverse else []
    notes = [f"only {view.filter}"] if view.filter else []
    notes += ["only zombies"] if view.zombies else []
    return line(
        f"{pools} pool{'' if pools == 1 else 's'}",
        (f"  {short(dropped)} mismatches/s" if dropped else "", Tone.FAR),
        ("".join(f"  {each}" for each in order), Tone.DIM),
        ("".join(f"  {each}" for each in notes), Tone.NOTE),
    )
