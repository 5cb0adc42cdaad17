"""Counts and histograms: what is added can be taken away again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ppobserve.model.series import BOUNDS, Histogram, add, subtract, total
from tests.unit.factories import flat, histograms, some_counters, whole_counters


@given(some_counters, some_counters)
def test_subtract_undoes_add(mine, theirs) -> None:
    assert flat(subtract(add(mine, theirs), theirs)) == flat(mine)


@given(some_counters, some_counters, some_counters)
def test_the_order_of_a_sum_does_not_matter(one, two, three) -> None:
    assert flat(add(add(one, two), three)) == flat(add(three, add(two, one)))


@given(whole_counters, some_counters)
def test_a_total_of_a_sum_is_the_sum_of_totals(mine, theirs) -> None:
    summed = add(mine, theirs)
    assert {name: total(counter) for name, counter in summed.items()} == {
        name: total(mine.get(name)) + total(theirs.get(name)) for name in mine
    }


@given(some_counters)
def test_a_pool_never_seen_before_gained_all_it_has(counters) -> None:
    assert subtract(counters, {}) == counters


def test_a_gain_drops_what_the_newer_side_no_longer_counts() -> None:
    assert subtract({}, {"pages_held": {(): 7}}) == {}


@given(histograms)
def test_cumulated_buckets_rise_to_the_count(histogram: Histogram) -> None:
    cumulated = histogram.cumulated()
    assert list(cumulated) == sorted(cumulated)
    assert cumulated[-1] == histogram.count
    assert cumulated[0] + histogram.filled == histogram.count


@given(st.lists(st.integers(0, BOUNDS[-1])))
def test_a_histogram_of_observations_holds_each_of_them(pages: list[int]) -> None:
    histogram = Histogram.of(pages)
    assert (histogram.count, histogram.sum) == (len(pages), sum(pages))
    for bound, below in zip(BOUNDS, histogram.cumulated(), strict=True):
        assert below == sum(batch <= bound for batch in pages)


@given(st.lists(st.integers(0, 64)), st.lists(st.integers(0, 64)))
def test_histograms_add_like_their_observations(one: list[int], two: list[int]) -> None:
    assert Histogram.of(one) + Histogram.of(two) == Histogram.of(one + two)
    assert Histogram.of(one + two) - Histogram.of(two) == Histogram.of(one)


def test_the_mean_batch() -> None:
    assert Histogram.of([64, 64, 0]).mean == 128 / 3
    assert Histogram().mean == 0


def test_a_counter_that_is_not_there_totals_nothing() -> None:
    assert total(None) == 0
