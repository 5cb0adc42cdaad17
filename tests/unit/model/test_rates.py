"""The rows of ``top``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ppobserve.model.plan import Level, Rung
from ppobserve.model.rates import rows
from ppobserve.model.series import Counters, Histogram
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State
from tests.unit.factories import ZERO, plan, snapshot

ENDED = Pool("ended", "eth0", 1, 2, state=State.ENDED)


def seen(pool: Pool | str, time: float = 1000, **counters: object) -> Snapshot:
    pool = Pool(pool) if isinstance(pool, str) else pool
    return snapshot(PoolSample(pool, {**ZERO, **counters}, {"inflight_pages": 67}), time=time)  # type: ignore[dict-item]


def test_rates_are_a_second_each_and_in_flight_is_pages() -> None:
    new = seen(
        "7",
        1002,
        refill_batch_pages=Histogram.of([64] * 12 + [0]),
        numa_mismatch_pages={("0", "1"): 7, ("1", "0"): 4},
        slow_refills={(): 5},
        pages_returned={("numa",): 11, ("other",): 6},
    )
    (row,) = rows(new, seen("7"))
    assert (row.refills, row.mismatches, row.slow, row.returned, row.inflight) == (6.5, 5.5, 2.5, 8.5, 67)
    assert row.pages_per_batch == pytest.approx(64 * 12 / 13)


def test_without_a_refill_there_is_no_mean_batch() -> None:
    (row,) = rows(seen("7", 1001), seen("7"))
    assert (row.refills, row.pages_per_batch) == (0, None)


def test_what_the_plan_does_not_count_is_none_and_not_zero() -> None:
    uncounted: Counters = {"pages_returned": {("other",): 13}}
    new = snapshot(PoolSample(Pool("7"), uncounted, {}), plan=plan(Level.LEAN, Rung.TRACEPOINT), time=1001)
    (row,) = rows(new, replace(new, pools=(), time=1000))
    assert (row.refills, row.mismatches, row.slow, row.inflight) == (None, None, None, None)
    assert row.returned == 13


def test_mismatches_come_first_then_the_busiest() -> None:
    new = Snapshot(
        1001,
        plan(),
        (
            *seen("idle").pools,
            *seen("busy", slow_refills={(): 997}).pools,
            *seen("wrong", numa_mismatch_pages={("0", "1"): 3}).pools,
        ),
    )
    assert [row.pool.id for row in rows(new, seen("other"))] == ["wrong", "busy", "idle"]


def test_ended_pools_show_only_where_they_did_something_meanwhile() -> None:
    old = seen(ENDED, pages_held={(): 13})
    assert rows(replace(old, time=1001), old) == ()
    (row,) = rows(seen(ENDED, 1001, slow_refills={(): 3}, pages_held={(): 13}), old)
    assert (row.pool.id, row.slow) == ("ended", 3)


def test_two_readings_at_one_clock_tick_do_not_divide_by_zero() -> None:
    (row,) = rows(seen("7"), seen("7"))
    assert row.refills == 0
