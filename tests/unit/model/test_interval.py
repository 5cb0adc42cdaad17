"""The time between two snapshots: what it tells, when it tells nothing, and what watching it cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ppobserve.model.group import Grouping
from ppobserve.model.plan import Level, Rung
from ppobserve.model.rates import between, group_rows, incomparable, rows
from ppobserve.model.series import Histogram
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State
from tests.unit.factories import ZERO, plan, snapshot


def seen(time: float, slow: int, pool: str = "7", **changes: object) -> Snapshot:
    return snapshot(
        PoolSample(Pool(pool, "eth0", 1, 2), {**ZERO, "slow_refills": {(): slow}}, {}), time=time, **changes
    )


def test_a_clock_that_goes_back_gives_no_rates() -> None:
    """The counters did go up, but nobody knows in how many seconds."""
    gone_back = between(seen(990, 13), seen(1000, 7))
    assert gone_back.broken == "the clock went back by 10 s"
    (row,) = gone_back.rows
    assert (row.slow, row.mismatches, row.pool.id) == (None, None, "7")
    assert gone_back.expected_cost is None


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (seen(1001, 8), ""),
        (seen(1001, 7), ""),
        (seen(1001, 6), "the counters were reset"),
        (snapshot(time=1001), "the counters were reset"),
        (seen(1001, 8, host="other"), "this is another host: other, 6.12.57-amd64"),
        (seen(1001, 8, kernel="7.3"), "this is another host: host, 7.3"),
        (seen(1001, 8, host=""), ""),
        (seen(1001, 8, plan=plan(Level.LEAN)), "counting goes on at level lean by fentry"),
        (seen(1001, 8, plan=plan(rung=Rung.KPROBE)), "counting goes on at level full by kprobe"),
    ],
)
def test_snapshots_that_do_not_follow_each_other_are_not_compared(new: Snapshot, why: str) -> None:
    assert incomparable(new, seen(1000, 7)) == why
    assert all(row.slow is None for row in rows(new, seen(1000, 7))) or not why


def test_the_cost_is_what_the_events_are_expected_to_take() -> None:
    counters = {**ZERO, "refill_batch_pages": Histogram.of([64] * 101), "pages_returned": {("numa",): 1009}}
    now = snapshot(PoolSample(Pool("7"), counters, {}), time=1002)
    costs = {hook.name: hook.cost_ns for hook in now.plan.hooks}
    nanoseconds = 101 * costs["refill"] + 1009 * costs["return"]
    assert between(now, seen(1000, 0, pool="7")).expected_cost == pytest.approx(nanoseconds / 1e9 / 2)


@pytest.mark.parametrize(
    ("seconds", "note"),
    [
        (3602.0, "the clock was set on by 3600.0 s"),
        (-58.0, "the clock was set back by 60.0 s"),
        (0.2, "the clock was set back by 1.8 s"),
        (1.1, ""),
        (2.0, ""),
    ],
)
def test_rates_are_of_the_time_that_passed_whatever_the_clock_was_set_to(seconds: float, note: str) -> None:
    """Two seconds, by a clock that nobody sets."""
    interval = between(seen(1000 + seconds, 13, uptime=502.0), seen(1000, 7, uptime=500.0))
    assert (interval.broken, interval.note, interval.seconds) == ("", note, 2.0)
    assert interval.rows[0].slow == 3.0


def test_a_host_that_was_started_anew_gives_no_rates() -> None:
    """Even where it has counted more meanwhile."""
    assert incomparable(seen(1900, 13, uptime=90.0), seen(1000, 7, uptime=500.0)) == "the host was restarted"
    assert incomparable(seen(900, 13, uptime=400.0), seen(1000, 7, uptime=500.0)) == "the clock went back by 100 s"
    assert incomparable(seen(1001, 13), seen(1000, 7, uptime=500.0)) == ""


def pools() -> tuple[PoolSample, ...]:
    """Two pools of one device, one of another, one of none, and an ended group."""
    remote = {("ring", "0", "1"): 11}
    each = {"slow_refills": {(): 3}}
    return (
        PoolSample(Pool("1", "eth0", 1, 2, nid=0, device_node=1), {**ZERO, **each}, {"inflight_pages": 5}, remote),
        PoolSample(Pool("2", "eth0", 1, 2, device_node=0), {**ZERO, **each}, {"inflight_pages": 7}, remote),
        PoolSample(Pool("3", "eth0", 9, 2, device_node=1), {**ZERO, **each}, {}),
        PoolSample(Pool("4"), {**ZERO, **each}, {}),
        PoolSample(Pool("ended", "eth0", 1, 2, state=State.ENDED), {**ZERO, **each}, {}),
    )


def by(grouping: Grouping) -> dict[str, tuple[float | None, int]]:
    interval = between(snapshot(*pools(), time=1001), snapshot(time=1000))
    keys = [row.key for row in interval.rows]
    return {
        row.pool.netdev or row.pool.id: (row.slow, len(row.members)) for row in group_rows(interval, keys, grouping)
    }


def test_pools_are_added_up_by_device_in_each_namespace() -> None:
    interval = between(snapshot(*pools(), time=1001), snapshot(time=1000))
    found = group_rows(interval, [row.key for row in interval.rows], Grouping.NETDEV)
    assert {(row.pool.netns, row.pool.netdev): row.slow for row in found} == {
        (1, "eth0"): 9,
        (9, "eth0"): 3,
        (0, ""): 3,
    }
    assert sum(row.slow or 0 for row in found) == 15
    assert next(row for row in found if row.pool.netns == 1).inflight == 12


def test_pools_are_added_up_by_the_node_that_they_want() -> None:
    """Its own node, else its consumer's, else its device's."""
    assert by(Grouping.NODE) == {"node 0": (3, 1), "node 1": (6, 2), "node unknown": (6, 2)}


def test_all_pools_are_one_host() -> None:
    assert by(Grouping.HOST) == {"host": (15, 5)}


def test_only_members_are_added_up() -> None:
    interval = between(snapshot(*pools(), time=1001), snapshot(time=1000))
    (row,) = group_rows(interval, [("1",)], Grouping.NETDEV)
    assert (row.slow, row.inflight, row.members) == (3, 5, (("1",),))


def test_a_row_knows_what_the_pool_keeps_and_where() -> None:
    gauges = {"cache_pages": 61.0, "ring_pages": 509.0}
    sample = PoolSample(Pool("7", nid=1), ZERO, gauges, {("ring", "0", "1"): 13, ("cache", "0", "1"): 4})
    (row,) = rows(snapshot(sample, time=1001), snapshot(sample, time=1000))
    assert (row.cache, row.ring, row.remote, row.node) == (61, 509, 17, 1)
    bare = replace(sample, remote={}, gauges={})
    (row,) = rows(snapshot(bare, time=1001), snapshot(bare, time=1000))
    assert (row.cache, row.ring, row.remote) == (None, None, None)
