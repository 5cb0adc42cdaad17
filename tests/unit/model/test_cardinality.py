"""Fewer series say less, and never something else."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.model.cardinality import Cardinality, fold, label_names
from ppobserve.model.series import add, add_series
from ppobserve.model.snapshot import Pool, PoolSample, State
from tests.unit.factories import flat, remotes, some_counters

pools = st.builds(
    Pool,
    st.sampled_from(["2", "3", "5"]),
    st.sampled_from(["", "eth0", "eth1"]),
    st.sampled_from([0, 4026531840]),
    st.sampled_from([0, 2, 3]),
    st.integers(0, 2),
    driver=st.sampled_from(["", "veth"]),
    state=st.sampled_from(State),
)
gauges = st.dictionaries(st.sampled_from(["inflight_pages", "ring_pages"]), st.integers(0, 1024))
samples = st.lists(st.builds(PoolSample, pools, some_counters, gauges, remotes), max_size=7)


@given(samples, st.sampled_from(Cardinality))
def test_totals_stay(samples, cardinality: Cardinality) -> None:
    groups = fold(samples, cardinality)
    assert flat(reduce(add, (group.counters for group in groups), {})) == flat(
        reduce(add, (sample.counters for sample in samples), {})
    )
    for name in ("inflight_pages", "ring_pages"):
        assert sum(g.gauges.get(name, 0) for g in groups) == sum(s.gauges.get(name, 0) for s in samples)
    remote_of = [reduce(add_series, (each.remote for each in of), {}) for of in (groups, samples)]
    assert remote_of[0] == remote_of[1]


@given(samples, st.sampled_from(Cardinality))
def test_no_two_series_have_the_same_labels(samples, cardinality: Cardinality) -> None:
    labels = [group.labels for group in fold(samples, cardinality)]
    assert len(labels) == len(set(labels))
    assert all(len(values) == len(label_names(cardinality)) for values in labels)


@given(samples)
def test_each_cardinality_folds_the_one_before_it(samples) -> None:
    pool, netdev, node = (len(fold(samples, cardinality)) for cardinality in Cardinality)
    assert pool >= netdev >= node
    assert node == bool(samples)


@pytest.mark.parametrize(
    ("cardinality", "names"),
    [
        (Cardinality.POOL, ("netns", "netdev", "pool", "napi", "driver")),
        (Cardinality.NETDEV, ("netns", "netdev", "driver")),
        (Cardinality.NODE, ()),
    ],
)
def test_label_names(cardinality: Cardinality, names: tuple[str, ...]) -> None:
    assert label_names(cardinality) == names


def test_what_the_kernel_does_not_say_is_empty() -> None:
    (group,) = fold([PoolSample(Pool("3"), {}, {})], Cardinality.POOL)
    assert dict(zip(label_names(Cardinality.POOL), group.labels, strict=True)) == {
        "netns": "", "netdev": "", "pool": "3", "napi": "", "driver": "",
    }  # fmt: skip


def test_pools_without_a_device_stay_together_when_they_end() -> None:
    """Before 6.4 a driver's pools do not tell their device: their counts must not move to another series."""
    live = PoolSample(Pool("3", driver="mlx5_core"), {"pages_held": {(): 13}}, {})
    ended = PoolSample(Pool("ended", state=State.ENDED), {"pages_held": {(): 17}}, {})
    (group,) = fold([live, ended], Cardinality.NETDEV)
    assert (group.labels, group.counters) == (("", "", ""), {"pages_held": {(): 30}})
