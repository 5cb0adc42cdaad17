"""What pools did a second, between two snapshots: the rows that ``top`` shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ppobserve.model.clock import passed, set_by, set_sentence, started_anew
from ppobserve.model.group import Grouping, grouped, wanted_node
from ppobserve.model.hooks import SPECS
from ppobserve.model.series import Counter, Histogram, total
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State, delta


@dataclass(frozen=True)
class Row:
    """Rates of one pool, or of several added up, a second each; None where the plan doesn't count it."""

    pool: Pool
    refills: float | None
    pages_per_batch: float | None
    """Mean pages of a refill, empty ones included; 64 where the ring keeps up."""
    mismatches: float | None
    slow: float | None
    returned: float | None
    inflight: int | None
    """Pages, not a rate; so are cache, ring and remote."""
    misses: float | None = None
    held: float | None = None
    cache: int | None = None
    ring: int | None = None
    remote: int | None = None
    """Pages on another node than the consumer's; None where nobody looked, as on a host of one node."""
    node: int = -1
    """Where the pool wants its pages; -1: not known."""
    members: tuple[tuple[str, ...], ...] = ()
    """Keys of the pools that were added up; empty for a row of one pool."""

    @property
    def key(self) -> tuple[str, ...]:
        """Tells this row from any other at another moment."""
        return self.pool.key


@dataclass(frozen=True)
class Interval:
    """The time between two snapshots."""

    new: Snapshot
    gained: Snapshot
    """*new*, with counters that say what each pool gained."""
    seconds: float
    broken: str = ""
    """Why there are no rates; empty when there are."""
    note: str = ""
    """What else was odd; empty when nothing was."""

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row for each pool, busiest first; ended pools only where one ended or was busy meanwhile."""
        shown = (each for each in self.gained.pools if each.pool.state is not State.ENDED or _activity(each))
        return busiest_first(_row(each, self) for each in shown)

    @cached_property
    def expected_cost(self) -> float | None:
        """CPU seconds a second that the programs took, by what their events are expected to cost; None: no rates,
        or nothing is expected of a plan's hooks."""
        if self.broken or not any(hook.cost_ns for hook in self.new.plan.hooks):
            return None
        gained = _totals(self.gained)
        hooks = (hook for hook in self.new.plan.hooks if hook.name in SPECS)
        spent = (hook.cost_ns * gained.get(SPECS[hook.name].runs, 0) for hook in hooks)
        return sum(spent) / self.seconds / 1e9


def between(new: Snapshot, old: Snapshot) -> Interval:
    """What happened from *old* to *new*; nothing, where the two can't be compared."""
    broken, step = incomparable(new, old), set_by(new, old)
    seconds = max(passed(new, old), 1e-9)
    return Interval(new, delta(new, new if broken else old), seconds, broken, set_sentence(step) if step else "")


MEASURING = "measuring"
"""Why there are no rates before there is a second snapshot."""


def begun(first: Snapshot) -> Interval:
    """What a first snapshot tells: pools, and no rates."""
    return Interval(first, delta(first, first), 1e-9, MEASURING)


def incomparable(new: Snapshot, old: Snapshot) -> str:
    """Why the difference of two snapshots tells nothing, as a sentence without its dot; empty when it does."""
    if (seconds := passed(new, old)) < 0:
        return f"the clock went back by {-seconds:.3g} s"
    if "" not in (new.host, old.host) and (new.host, new.kernel) != (old.host, old.kernel):
        return f"this is another host: {new.host}, {new.kernel}"
    if started_anew(new, old):
        return "the host was restarted"
    if (new.plan.level, new.plan.rung) != (old.plan.level, old.plan.rung):
        return f"counting goes on at level {new.plan.level.value} by {new.plan.rung.value}"
    now = _totals(new)
    if any(now.get(name, 0) < events for name, events in _totals(old).items()):
        return "the counters were reset"
    return ""


def rows(new: Snapshot, old: Snapshot) -> tuple[Row, ...]:
    """A row for each pool, busiest first; ended pools only where one ended or was busy meanwhile."""
    return between(new, old).rows


def group_rows(interval: Interval, members: Iterable[tuple[str, ...]], grouping: Grouping) -> tuple[Row, ...]:
    """The pools that have one of these keys, added up, busiest group first."""
    wanted = frozenset(members)
    groups = grouped((each for each in interval.gained.pools if each.pool.key in wanted), grouping)
    return busiest_first(_row(group.sample, interval, group.members) for group in groups)


def busiest_first(made: Iterable[Row]) -> tuple[Row, ...]:
    """Mismatches are what one looks for, then activity."""
    return tuple(sorted(made, key=busyness, reverse=True))


def busyness(row: Row) -> tuple[float, float]:
    """Sorts rows: the higher, the busier."""
    return row.mismatches or 0.0, sum(filter(None, (row.refills, row.slow, row.returned)))


def _totals(snapshot: Snapshot) -> dict[str, int]:
    """Events of all pools by counter, whatever their labels."""
    totals: dict[str, int] = {}
    for sample in snapshot.pools:
        for name, counter in sample.counters.items():
            totals[name] = totals.get(name, 0) + total(counter)
    return totals


def _row(gained: PoolSample, interval: Interval, members: tuple[tuple[str, ...], ...] = ()) -> Row:
    seconds = None if interval.broken else interval.seconds
    counters, gauges = gained.counters, gained.gauges
    batches = counters.get("refill_batch_pages")
    return Row(
        pool=gained.pool,
        refills=_rate(batches, seconds),
        pages_per_batch=batches.mean if isinstance(batches, Histogram) and batches.count else None,
        mismatches=_rate(counters.get("numa_mismatch_pages"), seconds),
        slow=_rate(counters.get("slow_refills"), seconds),
        returned=_rate(counters.get("pages_returned"), seconds),
        inflight=_pages(gauges.get("inflight_pages")),
        misses=_rate(counters.get("refill_misses"), seconds),
        held=_rate(counters.get("pages_held"), seconds),
        cache=_pages(gauges.get("cache_pages")),
        ring=_pages(gauges.get("ring_pages")),
        remote=sum(gained.remote.values()) if gained.remote else None,
        node=wanted_node(gained),
        members=members,
    )


def _rate(gained: Counter | None, seconds: float | None) -> float | None:
    return None if gained is None or seconds is None else total(gained) / seconds


def _pages(gauge: float | None) -> int | None:
    return None if gauge is None else int(gauge)


def _activity(gained: PoolSample) -> int:
    return sum(map(total, gained.counters.values()))
