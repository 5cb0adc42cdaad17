"""How far apart our counts and the kernel's may be, and what is compared at all."""

from __future__ import annotations

import pytest

from ppobserve.model.audit import AUDITED, audited
from ppobserve.model.features import PER_CPU_OFFSET
from ppobserve.model.plan import Level, Rung, make_plan
from ppobserve.model.series import Counters
from tests.unit.factories import KERNEL, counted, kernel

BY_NAME = {each.name: each for each in AUDITED}
LEFT = "recycle_ring_full+recycle_released_ref"
REFILL, RETURNED = BY_NAME["alloc_refill"], BY_NAME[LEFT]
STATS = {**dict.fromkeys((name for each in AUDITED for name in each.names), 0), "has_recycled": 1}


@pytest.mark.parametrize(
    ("begun", "now", "apart"),
    [
        ((0, 0), (0, 0), 0),
        ((0, 0), (-3, 2), 0),  # it moved while we looked
        ((0, 0), (-7, -5), 5),  # we missed five
        ((0, 0), (5, 11), 5),  # we made five up
        ((-101, -101), (-101, -101), 0),  # in use before we came
        ((-101, -97), (-103, -98), 0),
        ((-101, -97), (-113, -103), 2),
    ],
)
def test_apart(begun: tuple[int, int], now: tuple[int, int], apart: int) -> None:
    assert REFILL.apart(begun, now) == apart


def test_where_the_kernel_counts_a_bulk_once_more_than_its_count_is_right_and_less_is_not() -> None:
    assert RETURNED.apart((0, 0), (61, 61)) == 0
    assert RETURNED.apart((0, 0), (-61, -61)) == 61


@pytest.mark.parametrize(("ring_full", "referenced"), [(7, 5), (8, 4), (6, 6)])
def test_a_page_that_was_let_go_of_on_its_way_out_is_no_divergence(ring_full: int, referenced: int) -> None:
    """The kernel looked at it in the put, and we at the tracepoint: it is ring_full here, and released_ref there."""
    counters: Counters = {"pages_returned": {("ring_full",): ring_full, ("referenced",): referenced}}
    kernel = {**STATS, "recycle_ring_full": 7, "recycle_released_ref": 5}
    assert RETURNED.ahead(counters, kernel, kernel) == (0, 0)


def test_how_far_ahead_a_count_is_that_was_read_between_two_of_the_kernels() -> None:
    counters = counted(1)
    ours = REFILL.ours(counters)
    before, after = {**STATS, "alloc_refill": ours - 3}, {**STATS, "alloc_refill": ours + 5}
    assert REFILL.ahead(counters, before, after) == (-5, 3)


@pytest.mark.parametrize("name", BY_NAME)
def test_what_is_compared_when(name: str) -> None:
    each, moved = BY_NAME[name], {**STATS, "alloc_fast": 1}
    assert each.comparable(STATS, STATS)
    assert each.comparable(STATS, moved) is (name not in ("recycle_cached", "recycle_ring"))
    shared = {**STATS, "has_recycled": 0}
    assert each.comparable(shared, shared) is name.startswith("alloc")


@pytest.mark.parametrize("name", BY_NAME)
def test_each_looks_at_one_thing_that_we_count(name: str) -> None:
    """Twice the counts are twice the answer, and no answer is nothing."""
    once, twice = BY_NAME[name].ours(counted(1)), BY_NAME[name].ours(counted(2))
    assert 0 < 2 * once == twice


ALLOC = {"alloc_refill", "alloc_empty", "alloc_waive", "alloc_slow"}
RETURN = {LEFT}


@pytest.mark.parametrize(
    ("level", "rung", "names"),
    [
        (Level.LEAN, Rung.FENTRY, ALLOC),
        (Level.STANDARD, Rung.KPROBE, ALLOC | RETURN),
        (Level.FULL, Rung.FENTRY, set(BY_NAME)),
        (Level.FULL, Rung.TRACEPOINT, {"alloc_waive", "alloc_slow"} | RETURN),
    ],
)
def test_what_a_plan_can_be_asked(level: Level, rung: Rung, names: set[str]) -> None:
    features = kernel(variables={PER_CPU_OFFSET: 0xFFFFFFFF82000000})
    plan = make_plan(features, level, forced=rung)
    assert {each.name for each in audited(features, plan)} == names
    hidden = kernel(variables={PER_CPU_OFFSET: 0})
    assert {each.name for each in audited(hidden, plan)} == {name for name in names if name.startswith("alloc")}


def test_a_kernel_without_counters_is_asked_nothing() -> None:
    features = kernel(offsets={name: at for name, at in KERNEL.offsets.items() if not name.startswith("PP_ALLOC_F")})
    assert audited(features, make_plan(features, Level.FULL)) == ()
