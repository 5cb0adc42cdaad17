"""Which pools are shown, in which order: filters, sorts, folds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ppobserve.errors import UsageError
from ppobserve.model.group import Grouping
from ppobserve.model.rates import Interval, between
from ppobserve.model.snapshot import Pool, PoolSample, State
from ppobserve.ui.filters import parse_filter
from ppobserve.ui.pool_columns import BUSY, COLUMNS
from ppobserve.ui.view import View, look
from tests.unit.factories import ZERO, snapshot

SECONDS = 2.0


def pool(name: str, netdev: str, slow: int, mismatched: int = 0, **more: object) -> PoolSample:
    counters = {**ZERO, "slow_refills": {(): slow}, "numa_mismatch_pages": {("0", "1"): mismatched}}
    return PoolSample(Pool(name, netdev, 1, 2, **more), counters, {"inflight_pages": 64})  # type: ignore[arg-type]


def interval() -> Interval:
    pools = (
        pool("9", "eth0", 10, driver="mlx5_core"),
        pool("10", "eth1", 2000, 6),
        pool("11", "veth0", 30, state=State.DETACHED),
        pool("12", "", 0),
    )
    return between(snapshot(*pools, time=1000 + SECONDS), snapshot(time=1000))


def ids(**view: object) -> list[str]:
    return [row.pool.id for row in look(interval(), View(**view))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {"9", "10", "11", "12"}),
        ("netdev=eth*", {"9", "10"}),
        ("netdev=eth", set()),
        ("netdev!=eth*", {"11", "12"}),
        ("netdev=", {"12"}),
        ("netdev=eth[1-9]", {"10"}),
        ("mismatches>0", {"10"}),
        ("slow>=5 slow<1k", {"9", "11"}),
        ("slow<=0", {"12"}),
        ("state=detached", {"11"}),
        ("pool=1?", {"10", "11", "12"}),
        ("MLX", {"9"}),
        ("eth", {"9", "10", "11"}),
        ("eth slow>1", {"9", "10", "11"}),
        ("slow=1000", {"10"}),
        ("refills=0", {"9", "10", "11", "12"}),
    ],
)
def test_filters(text: str, found: set[str]) -> None:
    assert set(ids(filter=text)) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("netdv=eth0", "filter: there is no column 'netdv'\n  try: netdev"),
        ("slow>much", "filter: 'slow>much' compares with 'much', which is no number"),
        ("slow>", "which is no number"),
    ],
)
def test_a_filter_that_is_none_says_why(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_filter(text)
    assert said in str(caught.value)
    with pytest.raises(UsageError):
        View(filter=text)


def test_what_is_not_counted_fits_no_comparison() -> None:
    bare = Interval(*(replace(each) for each in (interval().new, interval().gained)), SECONDS, "the clock went back")
    assert look(bare, View(filter="slow>0")) == look(bare, View(filter="slow<1")) == ()


@pytest.mark.parametrize(
    ("sort", "reverse", "order"),
    [
        (BUSY, False, ["10", "11", "9", "12"]),
        (BUSY, True, ["12", "9", "11", "10"]),
        ("slow", False, ["10", "11", "9", "12"]),
        ("slow", True, ["12", "9", "11", "10"]),
        ("pool", False, ["9", "10", "11", "12"]),
        ("netdev", False, ["9", "10", "11", "12"]),
        ("netdev", True, ["11", "10", "9", "12"]),
        ("driver", False, ["9", "10", "11", "12"]),
    ],
)
def test_sorts(sort: str, reverse: bool, order: list[str]) -> None:
    """Names from A, numbers from the highest; what has none is always last."""
    assert ids(sort=sort, reverse=reverse) == order


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.key)
@pytest.mark.parametrize("reverse", [False, True])
def test_every_column_sorts_and_loses_none(column: object, reverse: bool) -> None:
    assert sorted(ids(sort=column.key, reverse=reverse)) == ["10", "11", "12", "9"]  # type: ignore[attr-defined]


def test_zombies_and_limit() -> None:
    assert ids(zombies=True) == ["11"]
    assert ids(limit=2) == ["10", "11"]
    assert ids(zombies=True, filter="eth1") == []


def test_a_filter_chooses_the_pools_that_are_added_up() -> None:
    (row,) = look(interval(), View(grouping=Grouping.NETDEV, filter="slow>5"))
    assert (row.slow, set(row.members)) == (2030 / SECONDS, {("10",), ("11",)})
