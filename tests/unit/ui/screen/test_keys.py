"""Keys, clicks and sizes: what each does to the screen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual import events

from ppobserve.errors import ReadError, RemoteError
from ppobserve.model.group import Grouping
from ppobserve.model.snapshot import PoolSample, Snapshot, State
from ppobserve.source.recorded import open_recording
from ppobserve.ui.screen.position import Position
from ppobserve.ui.screen.table import PoolTable
from ppobserve.ui.screen.theme import DARK, LIGHT
from ppobserve.ui.view import View
from tests.unit.source.playing import Played
from tests.unit.ui.recorded import recorded
from tests.unit.ui.screen.conftest import Driven, Shown

ZOMBIE = Path(__file__).parents[3] / "data/recordings/zombie.jsonl.gz"
Drive = Callable[..., None]


def test_it_opens_with_the_busiest_pools_first(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        assert on.lines()[0].startswith(" web-17  7.3.4+deb13-amd64")
        assert "level full by fentry, ~" in on.lines()[1] and "% CPU" in on.lines()[1]
        assert "5 pools" in on.lines()[1] and "mismatches/s" in on.lines()[1]
        assert on.column("POOL") == ["7", "3", "4", "6", "5"]
        assert on.column("NETDEV") == ["ppv1", "eth0", "ppv0", "ppv1", "ppv0"]
        assert on.lines()[-1].split()[:4] == ["⏎", "open", "?", "help"]

    drive(steps)


def test_s_sorts_by_the_next_column_and_r_the_other_way_round(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("s")
        assert (on.app.view.sort, on.column("POOL")) == ("pool", ["3", "4", "5", "6", "7"])
        await on.press("r")
        assert on.column("POOL") == ["7", "6", "5", "4", "3"]
        await on.press("s", "s", "s")
        assert (on.app.view.sort, on.app.view.reverse) == ("batch", False)
        await on.press("S", "S", "S", "S")
        assert on.app.view == View()
        await on.press("S")
        assert on.app.view.sort == "inflight"

    drive(steps)


def test_a_click_on_a_heading_sorts_and_one_more_reverses(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        title = on.lines()[2].index("SLOW/s")
        await on.pilot.click(PoolTable, offset=(title - 1, 0))
        await on.pilot.pause()
        assert on.app.view == View("slow")
        assert "SLOW/s▾" in on.text()
        await on.pilot.click(PoolTable, offset=(title - 1, 0))
        await on.pilot.pause()
        assert on.app.view == View("slow", reverse=True)

    drive(steps)


def test_a_filter_works_while_it_is_typed(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("slash", *"ppv1")
        assert on.column("NETDEV") == ["ppv1", "ppv1"]
        assert "only ppv1" in on.text()
        await on.press("backspace", "0")
        assert on.column("NETDEV") == ["ppv0", "ppv0"]
        await on.press("enter", "s")
        assert on.app.view == View("pool", filter="ppv0"), "the keys are the table's again"
        await on.press("escape")
        assert len(on.column("POOL")) == 5

    drive(steps)


def test_what_is_typed_right_behind_the_slash_is_no_key(drive: Drive) -> None:
    """Keys that a terminal sends in one go, faster than the screen handles them: or /q would quit."""

    async def steps(on: Driven) -> None:
        for key, character in (("slash", "/"), ("q", "q"), ("slash", "/"), ("z", "z")):
            on.app.post_message(events.Key(key, character))
        await on.until(lambda: on.app.view.filter == "q/z")
        assert on.app.is_running and not on.app.view.zombies

    drive(steps)


def test_a_filter_that_is_none_says_so_and_the_last_one_stays(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("slash", *"slow>1")
        assert on.column("POOL") == ["7", "3"]
        await on.press("x")
        assert "filter: 'slow>1x' compares with '1x', which is no number" in on.text()
        assert on.column("POOL") == ["7", "3"]
        await on.press("backspace")
        assert "no number" not in on.text()
        await on.press("escape")
        assert len(on.column("POOL")) == 5

    drive(steps)


def test_a_filter_that_fits_nothing_says_so(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("slash", *"netdev=nothing", "enter")
        assert "no pool fits" in on.text()
        await on.press("enter", "down", "end")
        assert on.app.opened is None

    drive(steps)


def test_f_adds_the_pools_of_a_device_up(drive: Drive) -> None:
    """A veth's two pools, made one device's."""
    both = [replace(each, pools=tuple(map(_of_one_device, each.pools))) for each in recorded()[84:90]]

    async def steps(on: Driven) -> None:
        before = {each.pool.id: each for each in on.app.board.rows(View())}
        await on.press("f")
        assert on.app.view.grouping is Grouping.NETDEV
        assert sorted(on.column("POOL")) == ["1 pool", "1 pool", "1 pool", "2 pools"]
        row = next(row for row in on.app.board.rows(on.app.view) if len(row.members) == 2)
        alone = [before[key] for (key,) in row.members]
        assert sorted(each.pool.id for each in alone) == ["5", "7"]
        assert row.refills == pytest.approx(sum(each.refills or 0 for each in alone)) and all(
            each.refills for each in alone
        )
        assert row.inflight == sum(each.inflight or 0 for each in alone)
        await on.press("enter")
        assert "2 pools added up" in on.text()

    drive(steps, source=Shown(both))


def _of_one_device(sample: PoolSample) -> PoolSample:
    pool = sample.pool
    return replace(sample, pool=replace(pool, netns=1, ifindex=77)) if pool.id in ("5", "7") else sample


def test_f_adds_up_by_netdev_then_by_node(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("f")
        assert on.app.view.grouping is Grouping.NETDEV
        assert on.column("POOL") == ["1 pool"] * 5, "the veth pairs are in namespaces of their own"
        await on.press("f")
        assert sorted(on.column("NETDEV")) == ["node 0", "node 1"]
        assert sorted(on.column("POOL")) == ["1 pool", "4 pools"]
        await on.press("enter")
        assert "pools added up" in on.text() or "pool added up" in on.text()
        await on.press("escape", "f")
        assert on.app.view == View()

    drive(steps)


def test_z_shows_zombies_only(drive: Drive) -> None:
    """A pool that outlives its device, because a socket does not read."""
    shown = with_a_zombie()

    async def steps(on: Driven) -> None:
        states = {each.pool.state for each in on.app.board.rows(View())}
        assert State.DETACHED in states and State.LIVE in states
        await on.press("z")
        assert "only zombies" in on.text()
        (row,) = on.app.board.rows(on.app.view)
        assert row.pool.state is State.DETACHED and on.column("POOL")[0].startswith(row.pool.id)
        await on.press("enter")
        assert "destroyed, pages still out" in on.text()
        await on.press("escape", "z")
        assert {each.pool.state for each in on.app.board.rows(on.app.view)} == states

    drive(steps, source=Shown(shown), count=len(shown))


def with_a_zombie() -> list[Snapshot]:
    """And a pool that lives, for all others had ended by then."""
    (nic,) = (each for each in recorded()[84].pools if each.pool.netdev == "eth0")
    with closing(open_recording(ZOMBIE)) as recording:
        every = list(recording.snapshots(len(recording)))
    first = next(n for n, each in enumerate(every) if any(s.pool.state is State.DETACHED for s in each.pools))
    return [replace(each, pools=(*each.pools, nic)) for each in every[first : first + 3]]


def test_z_without_a_zombie_says_so(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("z")
        assert "only zombies" in on.text() and "no pool fits" in on.text()

    drive(steps)


def test_enter_opens_the_pool_of_the_cursor_and_escape_closes_it(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("down", "enter")
        for what in ("pool 3  eth0  virtio_net", "NAPI 8193 → CPU", "used on node", "page on 0", "pages of a refill",
                     "33-64", "ring_full", "ring ", "in flight"):  # fmt: skip
            assert what in on.text(), what
        assert "esc back" in on.lines()[-1]
        await on.press("escape")
        assert on.column("POOL")[0] == "7" and "esc back" not in on.lines()[-1]
        await on.press("enter")
        assert "pool 3 " in on.text(), "the cursor is where it was"
        await on.press("enter")
        assert on.app.opened is None

    drive(steps)


def test_the_cursor_stays_with_its_pool(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("down")
        table = on.app.query_one(PoolTable)
        assert table.row and table.row.pool.id == "3"
        await on.press("s", "r")
        assert table.row and table.row.pool.id == "3"
        await on.press("end")
        assert table.row and table.row.pool.id == "3"
        await on.press("home", "r")
        assert table.row and table.row.pool.id == "3", "the first row, whichever pool that is"
        await on.press("s")
        assert table.row == table.rows[0]

    drive(steps)


def test_a_click_goes_to_a_row_and_one_more_opens_it(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.pilot.click(PoolTable, offset=(10, 3))
        await on.pilot.pause()
        table = on.app.query_one(PoolTable)
        assert table.row and table.row.pool.id == "4"
        await on.pilot.click(PoolTable, offset=(10, 3))
        await on.pilot.pause()
        assert "pool 4  ppv0" in on.text()
        await on.press("escape")
        await on.pilot.click(PoolTable, offset=(10, 15))
        assert on.app.opened is None, "below the rows there is nothing"

    drive(steps)


def test_p_pauses_and_goes_on(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("p")
        assert on.lines()[0].endswith("paused")
        reads, on.app.interval = on.source.reads, 0.1
        await on.pilot.pause(0.5)
        assert on.source.reads == reads
        await on.press("p")
        await on.until(lambda: on.source.reads > reads + 1)
        assert on.lines()[0].endswith("every 0.1 s")

    drive(steps)


def test_plus_and_minus_change_the_interval(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        on.app.paused, on.app.interval = True, 1.0
        await on.press("plus")
        assert on.app.interval == 0.5
        await on.press("minus", "minus", "minus")
        assert on.app.interval == 5.0
        on.app.paused = False
        on.app.paint()
        assert on.lines()[0].endswith("every 5 s")

    drive(steps)


def test_a_question_mark_explains_every_key_and_column(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("question_mark")
        for what in ("zombies", "filter", "MISM/s", "dropped for being on the wrong node", "nothing else is red"):
            assert what in on.text(), what
        await on.press("escape")
        assert "nothing else is red" not in on.text()
        await on.press("question_mark", "q")
        assert on.app.is_running and "nothing else is red" not in on.text()

    drive(steps, size=(100, 60))


def test_c_changes_between_dark_and_light(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        assert on.app.theme == DARK.name
        await on.press("c")
        assert on.app.theme == LIGHT.name
        await on.press("c")
        assert on.app.theme == DARK.name

    drive(steps)


def test_q_quits(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("q")
        assert not on.app.is_running or on.app._exit

    drive(steps)


def test_a_source_that_fails_keeps_what_was_there_and_recovers(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        before = on.column("POOL")
        on.source.failure = RemoteError("cannot read http://h:1: connection refused", fix="do")
        await on.read()
        assert "cannot read http://h:1: connection refused; shown is " in on.text()
        assert on.column("POOL") == before
        on.source.failure = ReadError("pools ended faster than they could be read")
        await on.read()
        assert "pools ended faster" in on.text() and "refused" not in on.text()
        on.source.failure = None
        await on.read()
        assert "shown is" not in on.text()

    drive(steps)


def test_a_clock_that_goes_back_is_told(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        last = on.app.board.interval.new
        on.source.left = [replace(last, time=last.time - 7), replace(last, time=last.time - 6)]
        await on.read()
        assert "the clock went back by 7 s: rates begin anew" in on.text()
        assert set(on.column("MISM/s")) == {"-"}
        await on.read()
        assert "the clock went back" not in on.text()

    drive(steps)


def test_a_clock_that_is_set_on_is_told_and_rates_go_on(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        last = on.app.board.interval.new
        on.source.left = [
            replace(last, time=last.time + seconds, uptime=uptime)
            for seconds, uptime in ((1, 51.0), (3602, 52.0), (3603, 53.0))
        ]
        await on.read(2)
        assert "the clock was set on by 3600.0 s" in on.text() and "anew" not in on.text()
        assert set(on.column("MISM/s")) == {"0"}
        await on.read()
        assert "the clock was set" not in on.text()

    drive(steps)


def test_a_pool_that_dies_while_it_is_open_stays_as_it_was(drive: Drive) -> None:
    """Pool 6 ends between the 96th and the 97th snapshot."""

    async def steps(on: Driven) -> None:
        await on.press("slash", *"pool=6", "enter", "enter")
        assert "pool 6  ppv1" in on.text() and "it is gone" not in on.text()
        on.source.left = recorded()[96:98]
        await on.read()
        assert "it is gone; this was at " in on.text()
        assert "pool 6  ppv1" in on.text(), "what was last known of it"
        await on.press("escape", "escape")
        assert "6" not in on.column("POOL")

    drive(steps, first=90, count=6)


def test_a_pool_that_no_longer_fits_the_filter_is_not_gone(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("slash", *"mismatches>0", "enter", "enter")
        assert "pool 7  ppv1" in on.text()
        last = on.app.board.interval.new
        on.source.left = [replace(last, time=last.time + 1)]
        await on.read()
        assert "pool 7  ppv1" in on.text() and "it is gone" not in on.text()
        await on.press("escape")
        assert "no pool fits" in on.text()

    drive(steps)


def test_beside_a_table_without_rows_there_is_no_pool(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        assert "pool 7  ppv1" in on.text()
        await on.press("slash", *"netdev=nothing", "enter")
        assert "pool 7" not in on.text() and "returned because" not in on.text()
        assert "there is none" in on.text()
        await on.press("escape")
        assert "pool 7  ppv1" in on.text()

    drive(steps, size=(200, 60))


def test_a_host_without_pools(drive: Drive) -> None:
    empty = replace(recorded()[0], pools=())

    async def steps(on: Driven) -> None:
        assert "no pool has been used yet" in on.text()
        await on.press("enter", "down", "f", "s", "z")

    drive(steps, source=Shown([empty, replace(empty, time=empty.time + 1)]), count=1)


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (40, 12), (159, 40), (200, 60)])
def test_any_size_shows_something_and_survives_every_key(size: tuple[int, int], drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        if size >= (20, 5):
            assert on.column("MISM/s") and on.column("NETDEV")[0] == "ppv1"
        for key in ("down", "s", "f", "enter", "escape", "f", "z", "z", "question_mark", "escape", "slash", "e",
                    "escape", "p", "end", "enter", "c", "r", "home"):  # fmt: skip
            await on.press(key)
        assert on.app.is_running
        assert {len(line) <= size[0] for line in on.lines()} == {True}

    drive(steps, size=size)


def test_a_terminal_that_changes_its_size(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        assert "pages of a refill" not in on.text()
        await on.pilot.resize_terminal(200, 60)
        await on.pilot.pause()
        assert "pages of a refill" in on.text(), "the pool beside the table"
        assert "all 5 pools" in on.text()
        await on.press("down")
        assert "pool 3  eth0" in on.text()
        await on.pilot.resize_terminal(20, 5)
        await on.pilot.pause()
        assert on.column("MISM/s")
        await on.pilot.resize_terminal(80, 24)
        await on.pilot.pause()
        assert on.column("POOL") == ["7", "3", "4", "6", "5"]

    drive(steps)


def test_a_thousand_pools_scroll(drive: Drive) -> None:
    def many(place: int) -> Any:
        snapshot = recorded()[place]
        pool = snapshot.pools[0]
        pools = [
            replace(pool, pool=replace(pool.pool, id=str(number), netdev=f"eth{number}")) for number in range(1000)
        ]
        return replace(snapshot, pools=tuple(pools))

    async def steps(on: Driven) -> None:
        table = on.app.query_one(PoolTable)
        await on.press("s")
        assert on.column("POOL")[:2] == ["0", "1"]
        await on.press("end")
        assert on.column("POOL")[-1] == "999"
        await on.press("pageup")
        assert table.row and table.row.pool.id == str(999 - (table.size.height - 2))
        await on.press("home")
        assert on.column("POOL")[0] == "0"
        await on.press(*["down"] * 30)
        assert table.row and table.row.pool.id == "30" and "30" in on.column("POOL")

    drive(steps, source=Shown([many(50), many(51)]), count=2)


def test_a_recording_is_paused_sought_and_played_faster(drive: Drive) -> None:
    played = Played(recorded())

    async def steps(on: Driven) -> None:
        assert on.lines()[-2].startswith(" ▶ 00:00 ─") and on.lines()[-2].endswith("06:31  1x")
        played.now = 130.0
        await on.read()
        assert on.lines()[-2].startswith(" ▶ 02:10 ━")
        assert on.column("POOL"), "what was there at 130 s"
        await on.press("space")
        assert played.paused and on.lines()[-2].startswith(" ‖ 02:10") and on.lines()[0].endswith("paused")
        await on.press("right")
        await on.until(lambda: " ‖ 02:20" in on.text())
        assert played.position == pytest.approx(140)
        await on.press("left")
        await on.until(lambda: " ‖ 02:10" in on.text())
        await on.press("greater_than_sign", "greater_than_sign")
        assert played.speed == 4 and on.lines()[-2].endswith("4x")
        await on.press("less_than_sign")
        assert played.speed == 2
        await on.press("p")
        assert not played.paused and on.lines()[0].endswith("recorded")

    drive(steps, source=played)


def test_a_click_into_the_bar_seeks(drive: Drive) -> None:
    played = Played(recorded())
    played.paused = True

    async def steps(on: Driven) -> None:
        line = on.lines()[-2]
        middle = (line.index("─") + line.rindex("─")) // 2
        await on.pilot.click(Position, offset=(middle, 0))
        await on.until(lambda: "03:1" in on.lines()[-2])
        assert played.position == pytest.approx(played.duration / 2, rel=0.03)
        assert any(rate not in ("-", "0") for rate in on.column("MISM/s")), "with the rates that it had there"

    drive(steps, source=played)


class Slow(Played):
    """A recording on a slow disk: what is read at a position comes when the test lets it."""

    def __init__(self) -> None:
        super().__init__(recorded())
        self.paused = True
        self.seek(200.0)
        self.let, self.asked = threading.Event(), 0
        self.let.set()
        self.reads_at_once = False

    def read(self) -> Snapshot:
        return super().at(self.position) if self.reads_at_once else self.at(self.position)

    def at(self, position: float) -> Snapshot:
        found = super().at(position)
        self.asked += 1
        assert self.let.wait(30)
        return found


def test_what_was_read_before_a_place_was_sought_is_not_shown_there(drive: Drive) -> None:
    played = Slow()

    async def steps(on: Driven) -> None:
        played.let.clear()
        asked = played.asked
        reading = asyncio.ensure_future(on.app.read())
        await on.until(lambda: played.asked == asked + 1)
        await on.press("left", "left", "left")
        assert played.position == pytest.approx(170), "three keys are three times ten seconds"
        played.let.set()
        await reading
        await on.until(lambda: on.app.board.interval.new == Played.at(played, 170.0))
        assert "rates begin anew" not in on.text() and set(on.column("SLOW/s")) != {"-"}

    drive(steps, source=played)


def test_what_is_read_while_a_place_is_sought_waits_for_it(drive: Drive) -> None:
    played = Slow()

    async def steps(on: Driven) -> None:
        before, asked = on.app.board.interval, played.asked
        played.let.clear()
        await on.press("left")
        await on.until(lambda: played.asked == asked + 1)
        played.reads_at_once = True
        await on.app.read()
        assert on.app.board.interval is before and "rates begin anew" not in on.text()
        played.let.set()
        await on.until(lambda: on.app.board.interval is not before)
        assert on.app.board.interval.new == Played.at(played, 190.0)
        await on.read()
        assert "rates begin anew" not in on.text() and set(on.column("SLOW/s")) != {"-"}

    drive(steps, source=played)


def test_a_live_source_has_no_bar_and_seeks_nowhere(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        await on.press("left", "right", "greater_than_sign", "less_than_sign")
        assert "━" not in on.text() and "▶" not in on.text()

    drive(steps)


def test_what_was_said_when_it_was_opened_is_shown(drive: Drive) -> None:
    async def steps(on: Driven) -> None:
        assert "reading the daemon at http://127.0.0.1:10817" in on.text()
        await on.press("s")
        assert "reading the daemon" not in on.text(), "it has been seen"

    drive(steps, note="reading the daemon at http://127.0.0.1:10817")
