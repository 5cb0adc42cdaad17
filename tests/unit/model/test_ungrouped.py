"""Devices without a group: who keeps a series, under which name, and for how long."""

from __future__ import annotations

from dataclasses import replace

from ppobserve.model.series import total
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State
from ppobserve.model.ungrouped import Ungrouped
from tests.unit.factories import Host, counted, snapshot, snapshots

HELD = counted(1)["pages_held"][()]
"""Pages that a pool has held after one event."""


def held(shown: Snapshot) -> dict[str, int]:
    """Pages by device; those that count as without one have no name."""
    pages: dict[str, int] = {}
    for sample in shown.pools:
        name = sample.pool.netdev
        pages[name] = pages.get(name, 0) + total(sample.counters["pages_held"])
    return pages


def shown(ungrouped: Ungrouped, *history: tuple) -> list[dict[str, int]]:
    return [held(ungrouped.apply(each)) for each in snapshots(list(history), Host(groups=0))]


def one_pool(ifindex: int, before: int, after: int) -> list[tuple]:
    """It counts, is read, counts, and ends. There is no other."""
    return [("begin", ifindex), ("count", 0, counted(before)), ("read",), ("count", 0, counted(after)), ("end", 0)]


def test_what_was_shown_stays_with_the_device_and_the_rest_counts_as_without_one() -> None:
    first, second = shown(Ungrouped(1), *one_pool(3, 13, 5))
    assert first == {"eth3": 13 * HELD, "": 0}
    assert second == {"eth3": 13 * HELD, "": 5 * HELD}


def test_pools_that_come_later_add_to_it() -> None:
    *_, last = shown(Ungrouped(1), *one_pool(3, 13, 0), *one_pool(3, 7, 0))
    assert last == {"eth3": 20 * HELD, "": 0}


def test_a_device_with_a_group_is_left_to_it() -> None:
    history = [*one_pool(2, 13, 5), *one_pool(3, 7, 2)]
    ungrouped = Ungrouped(2)
    *_, last = (held(ungrouped.apply(each)) for each in snapshots(history, Host(groups=1)))
    assert last == {"eth2": 18 * HELD, "eth3": 7 * HELD, "": 2 * HELD}


def test_of_too_many_the_one_that_is_gone_longest_is_forgotten_and_nothing_moves_for_it() -> None:
    *_, last = shown(Ungrouped(1, most=2), *(each for ifindex in (1, 2, 3) for each in one_pool(ifindex, ifindex, 0)))
    assert last == {"eth2": 2 * HELD, "eth3": 3 * HELD, "": 0}


def test_none_is_forgotten_while_it_has_a_pool() -> None:
    stays = [("begin", 1), ("begin", 1), ("count", 0, counted(1)), ("read",), ("end", 0)]
    others = [("begin", 2), ("count", 1, counted(2)), ("read",), ("end", 1), ("read",)]
    *_, last = shown(Ungrouped(1, most=1), *stays, *others)
    assert last == {"eth1": HELD, "": 0}


def test_a_renamed_device_takes_it_along() -> None:
    host, ungrouped = Host(groups=0), Ungrouped(1)
    for each in snapshots([("begin", 3), ("begin", 3), ("count", 0, counted(1)), ("read",), ("end", 0)], host):
        ungrouped.apply(each)
    assert held(ungrouped.apply(snapshot(*map(renamed, host.snapshot().pools)))) == {"wan0": HELD, "": 0}


def renamed(sample: PoolSample) -> PoolSample:
    if sample.pool.state is State.ENDED:
        return sample
    return PoolSample(replace(sample.pool, netdev="wan0"), sample.counters, sample.gauges)


def test_a_pool_that_had_recycled_less_in_the_end_than_it_seemed_takes_nothing_from_the_others() -> None:
    ungrouped = Ungrouped(1)
    seemed = PoolSample(Pool("7", "eth3", ifindex=3), {"recycles": {("ring",): 1009}}, {})
    ungrouped.apply(snapshot(seemed, rest(0)))
    assert {each.pool.netdev: each.counters for each in ungrouped.apply(snapshot(rest(1000))).pools} == {
        "": {"recycles": {("ring",): 0}},
        "eth3": {"recycles": {("ring",): 1009}},
    }


def rest(recycled: int) -> PoolSample:
    return PoolSample(Pool("ended", state=State.ENDED), {"recycles": {("ring",): recycled}}, {})


def test_a_pool_that_the_kernel_listed_and_nobody_used_leaves_nothing() -> None:
    assert shown(Ungrouped(1), ("begin", 3), ("read",), ("end", 0))[-1] == {"": 0}
