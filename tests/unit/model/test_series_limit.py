"""A cap on series is never passed, and what it adds up loses nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.model.cardinality import Cardinality, Group, fold
from ppobserve.model.series_limit import Cap
from ppobserve.model.snapshot import Pool, PoolSample
from tests.unit.factories import counted, flat


def group(name: str, events: int, **gauges: float) -> Group:
    return Group(("4026531840", "eth0", name, "", "drv"), counted(events), {"inflight_pages": events, **gauges})


ONE = group("2", 1).series + 1
"""Series of one pool, with the one that says what it is."""


def cap(pools: int) -> Cap:
    """Room for so many pools beside what is folded."""
    return Cap((pools + 1) * ONE, Cardinality.POOL)


def held(groups: tuple[Group, ...]) -> dict[str, int]:
    return {each.labels[2]: each.counters["pages_held"][()] for each in groups}  # type: ignore[index]


def test_what_fits_is_left_alone() -> None:
    limit = cap(2)
    groups = [group(name, 1) for name in "235"]
    assert limit.apply(groups) == tuple(groups)
    assert limit.folded == 0


def test_whoever_comes_last_is_added_up_and_stays_so() -> None:
    limit, unit = cap(1), counted(1)["pages_held"][()]  # type: ignore[index]
    assert held(limit.apply([group("2", 3), group("3", 5), group("5", 7)])) == {"2": 3 * unit, "folded": 12 * unit}
    assert limit.folded == 2
    later = limit.apply([group("3", 11), group("5", 7)])
    assert held(later) == {"folded": 18 * unit}
    newer = limit.apply([group("3", 11), group("7", 13)])
    assert held(newer) == {"7": 13 * unit, "folded": 18 * unit}
    assert newer[-1].labels == ("", "folded", "folded", "", "")
    assert newer[-1].gauges == {"inflight_pages": 11}


def test_a_pool_that_grows_past_the_cap_leaves_its_series_and_loses_nothing() -> None:
    limit = cap(1)
    assert set(held(limit.apply([group("2", 1), group("3", 1)]))) == {"2", "3"}
    grown = Group(group("3", 3).labels, {**counted(3), "allocs": {(f"{n}",): 0 for n in range(ONE)}}, {})
    after = limit.apply([group("2", 2), grown])
    assert sum(each.series + 1 for each in after) <= limit.most
    assert held(after) == {"folded": counted(1 + 2)["pages_held"][()]}  # type: ignore[index]


def test_the_whole_host_is_never_too_much() -> None:
    (whole,) = fold([PoolSample(Pool("2"), counted(3), {})], Cardinality.NODE)
    assert Cap(1, Cardinality.NODE).apply([whole]) == (whole,)


def test_a_device_keeps_the_age_of_its_oldest_zombie() -> None:
    aged = [PoolSample(Pool(name), {}, {"pool_detached_seconds": age}) for name, age in (("2", 7.0), ("3", 611.0))]
    (whole,) = fold([*aged, PoolSample(Pool("5"), {}, {})], Cardinality.NETDEV)
    assert whole.gauges == {"pool_detached_seconds": 611.0}


steps = st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(0, 5), st.booleans()), max_size=30)


@given(steps, st.integers(0, 4))
def test_never_more_series_and_nothing_goes_down(history, pools: int) -> None:
    limit, alive, last, ever = cap(pools), {}, {}, 0
    born: dict[str, int] = {}
    for name, gained, ends in history:
        key = f"{name}{born.setdefault(name, 0)}"
        alive[key] = alive.get(key, 0) + gained
        ever += gained
        shown = limit.apply([group(each, events) for each, events in alive.items()])
        assert sum(each.series + 1 for each in shown) <= limit.most
        now = held(shown)
        assert all(now.get(each, value) >= value for each, value in last.items())
        last |= now
        assert sum(last.values()) == ever * counted(1)["pages_held"][()]  # type: ignore[index]
        if ends:
            del alive[key]
            born[name] += 1


def test_the_sum_is_of_every_counter() -> None:
    (folded,) = cap(0).apply([group("2", 3), group("3", 5)])
    assert flat(folded.counters) == flat(counted(8))


@pytest.mark.parametrize("cardinality", [Cardinality.POOL, Cardinality.NETDEV])
def test_what_is_folded_has_the_labels_of_the_rest(cardinality: Cardinality) -> None:
    limit = Cap(0, cardinality)
    samples = [PoolSample(Pool(str(n), f"eth{n}", 4026531840, n + 1), counted(1), {}) for n in range(3)]
    (only,) = limit.apply(fold(samples, cardinality))
    assert only.labels == {"pool": ("", "folded", "folded", "", ""), "netdev": ("", "folded", "")}[cardinality.value]
