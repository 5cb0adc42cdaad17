"""What the screen knows, snapshot by snapshot: time that goes back, pools that end, places in a recording."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ppobserve.model.cost import Cost, Metering
from ppobserve.model.group import Grouping
from ppobserve.model.series import Histogram, Series
from ppobserve.ui import detail
from ppobserve.ui.board import Board
from ppobserve.ui.head import head
from ppobserve.ui.pace import INTERVALS, SPEEDS, higher, lower, moment
from ppobserve.ui.view import View
from tests.unit.source.playing import Played
from tests.unit.ui.recorded import recorded

USUAL = View()


def watched(until: int) -> Board:
    board = Board(recorded()[0])
    for each in recorded()[1:until]:
        assert board.take(each)
    return board


def _counted(place: int) -> Series:
    """Mismatched pages of the NIC's pool."""
    (pool,) = (each for each in recorded()[place].pools if each.pool.netdev == "eth0")
    counted = pool.counters["numa_mismatch_pages"]
    assert not isinstance(counted, Histogram)
    return counted


def test_the_first_snapshot_has_pools_and_no_rates() -> None:
    """Nor zeros, which would say that nothing happens."""
    board = Board(recorded()[60])
    assert len(board.rows(USUAL)) == 5
    assert {(row.slow, row.mismatches, row.refills) for row in board.rows(USUAL)} == {(None, None, None)}
    assert {row.inflight is None for row in board.rows(USUAL)} == {False}
    opened = board.opened(board.rows(USUAL)[0].key, USUAL)
    assert opened and opened.seconds is None
    assert {bar.text for bar in detail.returns(opened)} == {"-"}
    assert board.noted == ""
    assert two_lines(board)[1].startswith("level full by fentry, measuring  ")
    board.take(recorded()[61])
    assert "measuring" not in two_lines(board)[1]


def two_lines(board: Board) -> list[str]:
    lines = head(board.interval, USUAL, "every 1 s", 78, board.measured)
    return ["".join(text for text, _ in each) for each in lines]


def test_a_cost_that_was_measured_is_shown_instead_of_the_estimate() -> None:
    """The daemon measures every third snapshot here. What a second costs is told by two measurements."""
    totals = [5.0, 5.0, 5.03, 5.03, 5.03, 5.09, 5.09, *[5.09] * 20]
    first, *rest = (
        replace(recorded()[60], time=1000.0 + place, costs={"return": Cost(1, seconds)})
        for place, seconds in enumerate(totals)
    )
    board, shown = Board(first), []
    for each in rest:
        board.take(each)
        shown.append(board.measured)
    assert shown[:6] == [None, None, None, None, pytest.approx(0.02), pytest.approx(0.02)]
    assert shown[-1] is None, "measured too long ago"


def test_the_head_shows_it_without_a_tilde() -> None:
    board = watched(90)
    estimated = two_lines(board)[1]
    assert "fentry, ~" in estimated
    board._metering.share = 0.0123
    assert two_lines(board)[1].startswith("level full by fentry, 1.23 % CPU")


def test_a_cost_that_begins_anew_is_not_measured_yet() -> None:
    metering = Metering()
    for seconds in (5.0, 5.1, 5.2):
        metering.note({"return": Cost(1, seconds)}, 10.0)
    assert metering.share == pytest.approx(0.01)
    metering.note({"return": Cost(1, 0.1)}, 10.0)
    assert metering.share is None
    metering.note({}, 10.0)
    assert metering.share is None


def test_the_same_snapshot_again_is_no_news() -> None:
    board = watched(60)
    shown = board.interval
    assert not board.take(recorded()[59])
    assert board.interval is shown


def test_rates_and_trends_come_from_what_was_taken() -> None:
    board = watched(100)
    (nic,) = board.rows(View(filter="netdev=eth0"))
    before, now = (sum(_counted(place).values()) for place in (98, 99))
    assert nic.mismatches == pytest.approx((now - before) / (recorded()[99].time - recorded()[98].time))
    trend = board.history.trend(nic, "mismatches")
    assert len(trend) == 99 and trend[-1] == nic.mismatches
    assert sum(rate or 0 for rate in trend) > 100


def test_a_clock_that_goes_back_begins_anew_and_says_so_once() -> None:
    board = watched(60)
    board.take(replace(recorded()[60], time=recorded()[59].time - 30))
    assert board.noted == "the clock went back by 30 s"
    row = board.rows(USUAL)[0]
    assert row.mismatches is None
    assert list(board.history.trend(row, "mismatches")) == [None]
    board.take(replace(recorded()[61], time=recorded()[59].time - 28))
    assert board.noted == ""
    assert board.rows(USUAL)[0].mismatches is not None


def test_a_pool_that_ends_while_it_is_open_is_gone() -> None:
    """Pool 6 ends between the 96th and the 97th snapshot."""
    board = watched(96)
    opened = board.opened(("6",), USUAL)
    assert opened and opened.row.pool.netdev == "ppv1"
    board.take(recorded()[96])
    assert board.opened(("6",), USUAL) is None
    assert any(row.pool.id == "ended" for row in board.rows(USUAL))


@pytest.mark.parametrize("changes", [{"filter": "mismatches>0"}, {"zombies": True}, {"limit": 1}])
def test_a_pool_that_the_view_leaves_out_is_not_gone(changes: dict[str, Any]) -> None:
    board, view = watched(90), View(**changes)
    shown = {row.key for row in board.rows(view)}
    (quiet, *_) = (row for row in board.rows(USUAL) if row.key not in shown)
    opened = board.opened(quiet.key, view)
    assert opened and opened.row == quiet


def test_a_group_that_the_view_leaves_out_keeps_its_pools() -> None:
    """The filter lets only some of a node's pools in, and then none."""
    board, view = watched(90), View(filter="mismatches>0", grouping=Grouping.NODE)
    (row,) = board.rows(view)
    opened = board.opened(row.key, view)
    assert opened and opened.row == row
    still = replace(board.interval.new, time=board.interval.new.time + 1)
    assert board.take(still) and board.rows(view) == ()
    opened = board.opened(row.key, view)
    assert opened and (opened.row.members, opened.row.mismatches) == (row.members, 0)
    assert board.take(replace(still, time=still.time + 1, pools=()))
    assert board.opened(row.key, view) is None


def test_a_group_is_opened_as_the_sum_of_its_pools() -> None:
    board = watched(90)
    view = View(grouping=Grouping.NODE)
    for row in board.rows(view):
        opened = board.opened(row.key, view)
        assert opened and opened.row == row
        pools = [each for each in board.interval.new.pools if each.pool.key in row.members]
        assert opened.now.gauges.get("ring_pages", 0) == sum(each.gauges.get("ring_pages", 0) for each in pools)
    assert sum(len(row.members) for row in board.rows(view)) == 5


def test_all_pools_are_added_up() -> None:
    board = watched(90)
    total = board.total(USUAL)
    assert total and total.row.mismatches == pytest.approx(sum(row.mismatches or 0 for row in board.rows(USUAL)))
    assert total.nodes == ("0", "1")


def test_a_place_in_a_recording_has_the_rates_that_it_had() -> None:
    """The snapshot there, and the one before it; the recording is not moved, for the screen reads it meanwhile."""
    played = Played(recorded())
    played.paused = True
    played.seek(11.0)
    at = recorded()[70].time - recorded()[0].time + 0.01
    before, now = moment(played, at, 1.0)
    assert (before, now) == (recorded()[69], recorded()[70])
    assert played.position == 11.0
    board = watched(100)
    board.jump(before, now)
    assert {row.pool.id: row.mismatches for row in board.rows(USUAL)} == {
        row.pool.id: row.mismatches for row in watched(71).rows(USUAL)
    }
    assert board.noted == ""


@pytest.mark.parametrize(("position", "time"), [(-5.0, 0), (0.0, 0), (1e9, -1)])
def test_the_ends_of_a_recording(position: float, time: int) -> None:
    before, now = moment(Played(recorded()), position, 1.0)
    assert now is recorded()[time]
    assert before.time <= now.time


def test_steps_up_and_down() -> None:
    assert (higher(INTERVALS, 1.0), lower(INTERVALS, 1.0)) == (2.0, 0.5)
    assert (higher(INTERVALS, 0.3), lower(INTERVALS, 0.3)) == (0.5, 0.2)
    assert (higher(SPEEDS, 64.0), lower(SPEEDS, 0.25)) == (64.0, 0.25)
