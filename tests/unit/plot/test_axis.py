"""Ticks: round, few, told apart, and all values between the ends."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.plot.axis import clock, short, time_axis, value_axis

values = st.lists(st.floats(-1e12, 1e12, allow_nan=False).filter(lambda value: value == 0 or abs(value) > 1e-3))


@given(values)
def test_every_value_is_on_the_axis_and_so_is_zero(shown: list[float]) -> None:
    axis = value_axis(shown)
    for value in (*shown, 0.0):
        assert -1e-6 <= axis.share(value) <= 1 + 1e-6


@given(values)
def test_ticks_are_few_even_and_told_apart(shown: list[float]) -> None:
    ticks = value_axis(shown).ticks
    assert 2 <= len(ticks) <= 7
    labels = [label for _, label in ticks]
    assert len(set(labels)) == len(labels)
    apart = [later[0] - earlier[0] for earlier, later in pairwise(ticks)]
    assert max(apart) == pytest.approx(min(apart))


@pytest.mark.parametrize(
    ("shown", "labels"),
    [
        ([], "0 1"),
        ([0, 0], "0 1"),
        ([64], "0 20 40 60 80"),
        ([0.8], "0 0.2 0.4 0.6 0.8"),
        ([149_000], "0 50k 100k 150k"),
        ([2.3e6], "0 1M 2M 3M"),
        ([-50, 250], "-100 0 100 200 300"),
        ([1234, 2500], "0 1k 2k 3k"),
        ([900, 1100], "0 500 1k 1.5k"),
        ([-7], "-8 -6 -4 -2 0"),
    ],
)
def test_labels_of_values(shown: list[float], labels: str) -> None:
    assert " ".join(label for _, label in value_axis(shown).ticks) == labels


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 1, "0:00 0:01"),
        (0, 6.5, "0:00 0:01 0:02 0:03 0:04 0:05 0:06"),
        (0, 299, "0:00 1:00 2:00 3:00 4:00"),
        (0, 3600, "0:00 10:00 20:00 30:00 40:00 50:00 1:00:00"),
        (0, 86400, "0:00 6:00:00 12:00:00 18:00:00 24:00:00"),
        (0, 0, "0:00"),
        (-30, 0, "-0:30 -0:25 -0:20 -0:15 -0:10 -0:05 0:00"),
    ],
)
def test_labels_of_times(low: float, high: float, labels: str) -> None:
    assert " ".join(label for _, label in time_axis(low, high).ticks) == labels


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_times_have_few_ticks_inside(low: float, span: float) -> None:
    axis = time_axis(low, low + span)
    assert len(axis.ticks) <= 8
    assert all(-1e-6 <= axis.share(value) <= 1 + 1e-6 for value, _ in axis.ticks)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"), (0.25, "0.25"), (1, "1"), (12.345, "12.3"), (123.4, "123"), (999.6, "1k"), (1250, "1.25k"),
        (15_700_000, "15.7M"), (-2048, "-2.05k"), (1e12, "1T"), (9.996, "10"), (0.001, "0.001"),
    ],
)  # fmt: skip
def test_short_numbers(value: float, said: str) -> None:
    assert short(value) == said


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (65.9, "1:05"), (3605, "1:00:05"), (-90, "-1:30")])
def test_clock(seconds: float, said: str) -> None:
    assert clock(seconds) == said
