"""How rates went, and the blocks that show it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ppobserve.model.rates import Row
from ppobserve.model.snapshot import Pool
from ppobserve.ui.history import BLOCKS, History, chart, sparkline


def row(name: str, slow: float | None, members: tuple[tuple[str, ...], ...] = ()) -> Row:
    return Row(Pool(name), None, None, 0.0, slow, None, None, members=members)


def test_the_newest_is_last_and_the_oldest_is_forgotten() -> None:
    history = History(length=3)
    for rate in (1.0, 2.0, 3.0, 5.0):
        history.note([row("7", rate)])
    assert list(history.trend(row("7", 0), "slow")) == [2, 3, 5]
    assert list(history.trend(row("7", 0), "refills")) == [None, None, None]
    assert list(history.trend(row("8", 0), "slow")) == []


def test_a_pool_that_is_gone_takes_its_history_with_it() -> None:
    history = History()
    history.note([row("7", 1.0)])
    history.note([row("8", 1.0)])
    history.note([row("7", 9.0)])
    assert list(history.trend(row("7", 0), "slow")) == [9]


def test_a_group_is_its_pools_added_up_the_newest_under_the_newest() -> None:
    history = History()
    history.note([row("7", 1.0)])
    history.note([row("7", 2.0), row("8", 10.0)])
    history.note([row("7", None), row("8", 20.0)])
    assert list(history.trend(row("g", 0, (("7",), ("8",), ("9",))), "slow")) == [1, 12, 20]


def test_forgetting() -> None:
    history = History()
    history.note([row("7", 1.0)])
    history.forget()
    assert list(history.trend(row("7", 0), "slow")) == []


def test_a_line_of_blocks() -> None:
    assert sparkline([0, 1, 4, 8, None], 7) == "  ▁▂▄█ "
    assert sparkline([1, 2, 3], 2) == "▅█"
    assert sparkline([0, 0], 2) == "▁▁"
    assert sparkline([0.001, 1000], 2) == "▂█", "what is not zero is seen to be"
    assert sparkline([], 3) == "   "
    assert sparkline([1], 0) == ""


def test_a_chart_is_the_line_in_more_detail() -> None:
    assert chart([0, 8, 16, 4], 5, 2) == ["   █ ", " ▁██▄"]


rates = st.lists(st.none() | st.floats(0, 1e18), max_size=40)


@given(rates, st.integers(0, 60), st.integers(1, 6))
def test_a_chart_has_its_size_whatever_it_shows(trend: list[float | None], room: int, height: int) -> None:
    lines = chart(trend, room, height)
    assert [len(line) for line in lines] == [room] * height
    assert set("".join(lines)) <= set(BLOCKS)
