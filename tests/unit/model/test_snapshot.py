"""What pools gained between two moments, while pools come and end."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

from hypothesis import given, settings

from ppobserve.model.series import add, subtract
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State, delta, ended_gains, gather_ended
from tests.unit.factories import Host, flat, histories, snapshot, snapshots


def gains(new: Snapshot, old: Snapshot) -> dict[tuple[str, ...], int]:
    return flat(reduce(add, (sample.counters for sample in delta(new, old).pools), {}))


@settings(max_examples=100)
@given(histories)
def test_the_gains_of_all_pools_add_up_to_the_gain_of_the_whole(history) -> None:
    for old, new in pairwise(snapshots(history, Host())):
        assert gains(new, old) == flat(subtract(new.counters(), old.counters()))


@settings(max_examples=100)
@given(histories)
def test_no_pool_and_no_group_ever_loses(history) -> None:
    for old, new in pairwise(snapshots(history, Host())):
        assert all(value > 0 for sample in delta(new, old).pools for value in flat(sample.counters).values())


@settings(max_examples=100)
@given(histories)
def test_the_whole_never_goes_down(history) -> None:
    for old, new in pairwise(snapshots(history, Host())):
        before, after = flat(old.counters()), flat(new.counters())
        assert all(after.get(key, 0) >= value for key, value in before.items())


@settings(max_examples=100)
@given(histories)
def test_gathered_ended_gains_hold_what_pools_counted_after_they_were_last_seen(history) -> None:
    """Last seen in their own series plus gathered: nothing is missing, nothing is there twice."""
    seen, ended, old = {}, {}, None
    for new in snapshots(history, Host()):
        ended = gather_ended(ended, ended_gains(new, old) if old else new.pools)
        seen |= {sample.pool.key: sample.counters for sample in new.pools if sample.pool.state is not State.ENDED}
        gathered = [sample.counters for sample in ended.values()]
        assert flat(reduce(add, [*seen.values(), *gathered], {})) == flat(new.counters())
        old = new


def held(pool: Pool, pages: int) -> PoolSample:
    return PoolSample(pool, {"pages_held": {(): pages}}, {"ring_pages": 5})


def test_a_pool_that_ended_leaves_its_gain_to_its_device() -> None:
    pool, group = Pool("7", "eth0", 1, 2), Pool("ended", "eth0", 1, 2, state=State.ENDED)
    gained = delta(snapshot(held(group, 19)), snapshot(held(pool, 13), held(group, 1)))
    assert [sample.counters for sample in gained.pools] == [{"pages_held": {(): 5}}]


def test_a_pool_whose_device_got_no_group_leaves_its_gain_to_the_rest() -> None:
    pool, rest = Pool("7", "eth0", 1, 2), Pool("ended", state=State.ENDED)
    gained = delta(snapshot(held(rest, 19)), snapshot(held(pool, 13), held(rest, 1)))
    assert [sample.counters for sample in gained.pools] == [{"pages_held": {(): 5}}]


def test_a_renamed_device_keeps_its_pool() -> None:
    gained = delta(snapshot(held(Pool("7", "wan0", 1, 2), 13)), snapshot(held(Pool("7", "eth0", 1, 2), 2)))
    assert gained.pools[0].counters == {"pages_held": {(): 11}}
    assert gained.pools[0].pool.netdev == "wan0"


def test_gauges_are_those_of_now() -> None:
    gained = delta(snapshot(held(Pool("7"), 13)), snapshot(held(Pool("7"), 13)))
    assert gained.pools[0].gauges == {"ring_pages": 5}


def test_groups_of_two_devices_are_told_apart() -> None:
    keys = {Pool("ended", ifindex=index, netns=netns, state=State.ENDED).key for index in (1, 2) for netns in (1, 2)}
    assert len(keys) == 4
