"""Plots: where the line is, where there is none, and what a flat hour costs."""

from __future__ import annotations

import re
from math import isnan, nan
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from ppobserve.plot.spark import HEIGHT, bar, line, peaks

values = st.lists(st.one_of(st.just(nan), st.floats(-1e18, 1e18)), max_size=60)


def lines(svg: str) -> list[list[tuple[int, int]]]:
    """Every line's points, absolute."""
    found = []
    for path in re.findall(r'class="line" d="([^"]*)"', svg):
        points = [tuple(map(int, re.findall(r"-?\d+", path.split("l")[0].split("h")[0])))]
        for x, y in re.findall(r"l(-?\d+) (-?\d+)", path):
            points.append((points[-1][0] + int(x), points[-1][1] + int(y)))
        found.append(points)
    return found


def test_the_highest_is_at_the_top() -> None:
    assert lines(line([0, 1, 2, 4], "x")) == [[(0, HEIGHT), (1, 75), (2, 50), (3, 0)]]


def test_a_given_top_stays() -> None:
    assert lines(line([16, 32], "x", top=64)) == [[(0, 75), (1, 50)]]


def test_a_gap_is_a_gap() -> None:
    assert lines(line([1, 1, nan, nan, 1, nan], "x")) == [[(0, 0), (1, 0)], [(4, 0)]]


def test_a_flat_hour_is_two_points() -> None:
    assert lines(line([7.0] * 240, "x")) == [[(0, 0), (239, 0)]]


def test_nothing_and_zeros_are_drawable() -> None:
    assert lines(line([], "x")) == []
    assert lines(line([0, 0], "x")) == [[(0, HEIGHT), (1, HEIGHT)]]
    assert lines(line([-5, 0], "x")) == [[(0, HEIGHT), (1, HEIGHT)]]


@given(values)
def test_whatever_is_drawn_is_inside_and_xml(series: list[float]) -> None:
    svg = line(series, 'a <label> & "more"')
    assert ElementTree.fromstring(svg).get("aria-label") == 'a <label> & "more"'
    drawn = [point for points in lines(svg) for point in points]
    assert all(0 <= y <= HEIGHT and 0 <= x < max(len(series), 1) for x, y in drawn)
    assert len(lines(svg)) == sum(
        not isnan(value) and (place == 0 or isnan(series[place - 1])) for place, value in enumerate(series)
    )


def test_fewer_points_lose_no_spike() -> None:
    series = [0.0] * 240
    series[131] = 997.0
    assert max(peaks(series, 60)) == 997 and len(peaks(series, 60)) == 60
    assert all(map(isnan, peaks([nan] * 240, 60)))
    assert peaks([nan, 3.0], 1) == [3.0]


def test_a_bar_is_its_share() -> None:
    assert 'width="25"' in bar(0.25)
