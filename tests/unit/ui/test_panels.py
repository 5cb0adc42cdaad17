"""One pool on a page, all pools in two lines at the top: what is in there, for any width."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppobserve.model.group import Grouping
from ppobserve.model.plan import Level, Rung
from ppobserve.model.rates import between
from ppobserve.model.series import Histogram
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot
from ppobserve.ui import detail
from ppobserve.ui.board import Board, Opened
from ppobserve.ui.head import cost, head
from ppobserve.ui.paint import Line, Tone, apart, bar, beside, fitted, line, width
from ppobserve.ui.panels import page, summary
from ppobserve.ui.view import View
from tests.unit.export.samples import moment
from tests.unit.factories import ZERO, plan, snapshot

USUAL = View()
FAR = {Tone.FAR, Tone.FAR_CELL, Tone.FAR_CELL_LOW}


def board(*pools: PoolSample, **changes: object) -> Board:
    """What the pools counted in two seconds."""
    shown = Board(snapshot(time=1e9 - 2, **changes))
    shown.take(snapshot(*pools or moment().pools, **changes))
    return shown


def opened(key: str = "23", *pools: PoolSample, view: View = USUAL, **changes: object) -> Opened:
    found = board(*pools, **changes).opened((key,), view)
    assert found
    return found


def words(lines: list[Line]) -> str:
    return "\n".join("".join(text for text, _ in each) for each in lines)


def text(key: str = "23", *pools: PoolSample, room: int = 78, **changes: object) -> str:
    return words(page(opened(key, *pools, **changes), board(*pools, **changes).history, room, 24))


@given(st.integers(20, 260), st.integers(3, 70), st.sampled_from(["23", "29", "3-f4240"]))
@settings(max_examples=20)
def test_a_page_has_its_width_and_lines_without_breaks(room: int, height: int, key: str) -> None:
    shown = board()
    found = shown.opened((key,), View())
    assert found
    lines = page(found, shown.history, room, height)
    assert {width(each) for each in lines} <= {room}
    assert not any("\n" in part for each in lines for part, _ in each)


def test_80_by_24_shows_what_matters_without_scrolling() -> None:
    first = "\n".join(text(room=77).split("\n")[:21])
    for what in ("pool 23  eth0", "mismatches", "page on 0", "pages of a refill", "33-64", "returned because", "numa",
                 "ring_full", "cache", "ring ", "in flight", "NAPI 8193"):  # fmt: skip
        assert what in first, what


def test_batches_are_a_bar_for_each_bucket() -> None:
    counters = {**ZERO, "refill_batch_pages": Histogram((7, 1, 0, 0, 0, 2, 0, 14), 738)}
    bars = detail.batches(opened("1", PoolSample(Pool("1"), counters, {})))
    assert [each.name for each in bars] == ["0", "1", "2", "3-4", "5-8", "9-16", "17-32", "33-64"]
    assert [(each.text, each.total, each.share) for each in bars][-1] == ("7", "14", 1)
    assert bars[0].share == 0.5


def test_on_a_rung_without_refills_it_says_so() -> None:
    uncounted = {"pages_returned": {("numa",): 4}, "slow_refills": {(): 1}}
    shown = text("1", PoolSample(Pool("1"), uncounted, {}), plan=plan(rung=Rung.TRACEPOINT))
    assert "not counted on this rung" in shown
    assert "33-64" not in shown


def test_the_matrix_has_a_cell_for_each_pair_of_nodes() -> None:
    counters = {**ZERO, "numa_mismatch_pages": {("0", "1"): 404, ("1", "0"): 0}}
    rows = detail.matrix(opened("1", PoolSample(Pool("1"), counters, {})))
    assert [(page, [(cell.text, cell.far) for cell in cells]) for page, cells in rows] == [
        ("0", [("·", False), ("202", True)]),
        ("1", [("0", False), ("·", False)]),
    ]


@pytest.mark.parametrize("nodes", [2, 8, 16])
def test_the_matrix_of_many_nodes_keeps_every_cell(nodes: int) -> None:
    names = [str(node) for node in range(nodes)]
    cells = {(page, wanted): 2 for page in names for wanted in names if page != wanted}
    shown = text("1", PoolSample(Pool("1"), {**ZERO, "numa_mismatch_pages": cells}, {}), room=240)
    for name in names:
        (row,) = (each for each in shown.split("\n") if f"page on {name} " in each)
        assert row[:120].count(" 1 ") >= nodes - 1


def test_one_node_has_no_matrix() -> None:
    shown = text("1", PoolSample(Pool("1"), {**ZERO, "numa_mismatch_pages": {}}, {}))
    assert "one node: no page can be far" in shown


def reds(found: Opened) -> set[str]:
    lines = page(found, board().history, 78, 24)
    return {text.strip() for each in lines for text, tone in each if tone in FAR and text.strip()}


def test_nothing_is_red_but_what_crosses_nodes() -> None:
    calm = {**ZERO, "pages_returned": {("ring_full",): 1000, ("numa",): 0}, "slow_refills": {(): 100}}
    assert reds(opened("1", PoolSample(Pool("1"), calm, {"inflight_pages": -3}))) == set()
    far = {**ZERO, "pages_returned": {("ring_full",): 1000, ("numa",): 202}, "numa_mismatch_pages": {("0", "1"): 202}}
    assert reds(opened("1", PoolSample(Pool("1"), far, {}))) >= {"101"}


def test_the_route_from_the_device_to_the_memory() -> None:
    pool = Pool("1", napi=8193, queue=3, consumer_cpu=17, device_node=0, nid=0)
    found = opened("1", PoolSample(pool, ZERO, {}, {("ring", "0", "1"): 5}))
    assert detail.route(found) == [
        ("device on node 0", False),
        ("queue 3", False),
        ("NAPI 8193", False),
        ("CPU 17", False),
        ("used on node 1", True),
        ("wants pages of node 0", True),
    ]
    near = opened("1", PoolSample(replace(pool, nid=-1), ZERO, {}, {("ring", "1", "0"): 0}))
    assert [step for step, far in detail.route(near) if far] == []
    assert detail.route(opened("1", PoolSample(Pool("1"), ZERO, {}))) == []


def test_fill_and_remote_pages() -> None:
    assert [(each.name, each.text) for each in detail.fills(opened())] == [
        ("cache", "61 of 128"),
        ("ring", "509 of 1024"),
    ]
    assert [(each.name, each.text, each.far) for each in detail.remote(opened())] == [
        ("cache on 1 for 0", "53", True),
        ("ring on 1 for 0", "499", True),
    ]
    assert "cache on 1 for 0" in text() and "499" in text()


def test_a_detached_pool_and_a_group_say_what_they_are() -> None:
    assert "destroyed, pages still out" in text("29")
    group = opened("4026531840/2", view=View(grouping=Grouping.NETDEV))
    assert detail.headline(group) == "eth0: 3 pools added up"
    assert sum(each.share > 0 for each in detail.returns(group)) == 7


def test_names_from_the_kernel_cannot_steer_the_terminal() -> None:
    shown = text("1", PoolSample(Pool("1", "\x1b[2J", driver="a\nb", device="\x07"), ZERO, {}))
    assert "?[2J" in shown and "a?b" in shown
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_all_pools_together() -> None:
    shown = board()
    total = shown.total(View())
    assert total and "all 5 pools" not in words(summary(total, shown.history, 118))
    assert f"all {len(total.row.members)} pools" in words(summary(total, shown.history, 118))
    assert shown.total(View(filter="netdev=nothing")) is None


def two_lines(room: int = 78, view: View = USUAL, pace: str = "every 1 s") -> list[str]:
    return words(head(board().interval, view, pace, room)).split("\n")


def test_the_head_says_whose_how_and_at_which_cost() -> None:
    host, counted = two_lines()
    assert host.startswith("host  6.12.57-amd64 ") and host.endswith("  every 1 s")
    assert counted.startswith("level full by fentry, ~0.02 % CPU")
    assert counted.endswith("  3 pools  142 mismatches/s")


def test_the_head_says_what_is_left_out() -> None:
    view = View(filter="netdev=eth*", zombies=True, grouping=Grouping.NODE)
    assert two_lines(120, view)[1].endswith("by node  only netdev=eth*  only zombies")


@pytest.mark.parametrize("room", [1, 18, 40, 78, 200])
def test_the_head_has_any_width(room: int) -> None:
    assert {len(each) for each in two_lines(room)} == {room}


def test_a_long_filter_does_not_hide_the_cost() -> None:
    (_, counted) = two_lines(78, View(filter="netdev=eth* mismatches>0 slow>0 driver=mlx5_core"))
    assert counted.startswith("level full by fentry, ~0.02 % CPU  3 pools  142 mismatches/s  only netdev")


def test_the_cost_of_nothing() -> None:
    quiet = between(snapshot(time=2), snapshot(time=1))
    assert cost(quiet) == "idle"
    assert cost(between(snapshot(time=1), snapshot(time=2))) == ""
    bare = replace(plan(), hooks=tuple(replace(hook, cost_ns=0) for hook in plan().hooks))
    assert cost(between(snapshot(time=2, plan=bare), snapshot(time=1, plan=bare))) == "", "of a fleet nobody knows it"
    (_, counted) = head(between(snapshot(time=1), snapshot(time=2)), USUAL, "", 78)
    assert words([counted]).startswith("level full by fentry  ")
    busy = Snapshot(1001, plan(Level.LEAN), (PoolSample(Pool("1"), {**ZERO, "slow_refills": {(): 10**6}}, {}),))
    assert cost(between(busy, Snapshot(1000, plan(Level.LEAN)))).endswith(" % CPU")


def test_bars_and_lines() -> None:
    assert (bar(1, 4), bar(0.5, 4), bar(0, 4), bar(1e-9, 4)) == ("████", "██  ", "    ", "▏   ")
    assert words([fitted(line("abc"), 2), fitted(line("abc"), 5)]) == "ab\nabc  "
    assert words(beside([line("a")], [line("b"), line("c")], 3)) == "a     b\n      c"
    assert words([apart(line("left"), line("right"), 12)]) == "left   right"
    assert words([apart(line("left"), line("right"), 8)]) == "le right"
