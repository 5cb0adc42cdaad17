"""What one pool did a second, between two snapshots: the row that ``top`` shows."""

from __future__ import annotations

from dataclasses import dataclass

from ppobserve.model.series import Counter, Histogram, total
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State, delta


@dataclass(frozen=True)
class Row:
    """Rates of one pool, a second each; None where the plan doesn't count it."""

    pool: Pool
    refills: float | None
    pages_per_batch: float | None
    """Mean pages of a refill, empty ones included; 64 where the ring keeps up."""
    mismatches: float | None
    slow: float | None
    returned: float | None
    inflight: int | None
    """Pages, not a rate."""


def rows(new: Snapshot, old: Snapshot) -> tuple[Row, ...]:
    """A row for each pool, busiest first; ended pools only where one ended or was busy meanwhile."""
    seconds = max(new.time - old.time, 1e-9)
    made = [(sample, _row(sample, seconds)) for sample in delta(new, old).pools]
    shown = [row for sample, row in made if sample.pool.state is not State.ENDED or _activity(sample)]
    return tuple(sorted(shown, key=_busyness, reverse=True))


def _row(gained: PoolSample, seconds: float) -> Row:
    batches = gained.counters.get("refill_batch_pages")
    inflight = gained.gauges.get("inflight_pages")
    return Row(
        pool=gained.pool,
        refills=_rate(batches, seconds),
        pages_per_batch=batches.mean if isinstance(batches, Histogram) and batches.count else None,
        mismatches=_rate(gained.counters.get("numa_mismatch_pages"), seconds),
        slow=_rate(gained.counters.get("slow_refills"), seconds),
        returned=_rate(gained.counters.get("pages_returned"), seconds),
        inflight=None if inflight is None else int(inflight),
    )


def _rate(gained: Counter | None, seconds: float) -> float | None:
    return None if gained is None else total(gained) / seconds


def _activity(gained: PoolSample) -> int:
    return sum(map(total, gained.counters.values()))


def _busyness(row: Row) -> tuple[float, float]:
    """Mismatches are what one looks for, then activity."""
    return row.mismatches or 0.0, sum(filter(None, (row.refills, row.slow, row.returned)))
