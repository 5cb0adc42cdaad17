"""The screen: keys and clicks in, lines out. What it knows is in :class:`ppobserve.ui.board.Board`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from textual.widgets import Input

from ppobserve.errors import PpobserveError, UsageError
from ppobserve.model.group import Grouping
from ppobserve.model.snapshot import Snapshot
from ppobserve.source.base import Playable, Source
from ppobserve.ui import pace
from ppobserve.ui.pool_columns import BUSY, Column
from ppobserve.ui.screen import keys
from ppobserve.ui.screen.help import Help
from ppobserve.ui.screen.painted import Painted
from ppobserve.ui.screen.pool import PoolPage
from ppobserve.ui.screen.position import Position
from ppobserve.ui.screen.reading import beside
from ppobserve.ui.screen.table import PoolTable
from ppobserve.ui.screen.theme import DARK, LIGHT
from ppobserve.ui.view import View


class TopApp(Painted):
    """``ppobserve top`` on a terminal, for any source."""

    BINDINGS = keys.BINDINGS

    def __init__(
        self,
        source: Source,
        first: Snapshot,
        *,
        interval: float = 1.0,
        view: View | None = None,
        chosen: Sequence[Column] = (),
        note: str = "",
    ) -> None:
        super().__init__(source, first, interval, view or View(), chosen, note)
        self._wake = asyncio.Event()
        self._sought = self._arrived = 0
        """How often a place in the recording was asked for, and which of these is shown."""

    def on_mount(self) -> None:
        """Show the first snapshot, and go on reading."""
        self.screen.set_class(self.played is not None, "playing")
        self.query_one(PoolTable).focus()
        self.paint()
        self.run_worker(self._read_on())
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self.exit)

    async def _read_on(self) -> None:
        while True:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self.interval)
            self._wake.clear()
            if not self.paused:
                await self.read()

    async def read(self) -> None:
        """One more snapshot; where there is none, the reason, and what was there before. What was read before or while
        a place was sought does not follow what is shown there."""
        sought = self._sought
        try:
            snapshot = await beside(self.source.read)
        except PpobserveError as error:
            self.failure = error.what
        else:
            self.failure = ""
            if sought == self._sought == self._arrived:
                self.board.take(snapshot)
        self.paint()

    def on_resize(self) -> None:
        """Columns and panels for another size."""
        self.call_after_refresh(self.paint)

    def _look(self, **changes: object) -> None:
        """Another view of the same."""
        try:
            self.view, self.note = replace(self.view, **changes), ""  # type: ignore[arg-type]
        except UsageError as error:
            self.note = error.what
        self.paint()

    def on_pool_table_opened(self) -> None:
        """Enter, or a second click."""
        row = self.query_one(PoolTable).row
        self.opened = row.key if row else None
        self.query_one(PoolPage).scroll_home(animate=False)
        self.call_after_refresh(self.paint)

    def on_pool_table_moved(self) -> None:
        """The pool beside the table is another."""
        self._paint_pool()

    def on_pool_table_sort(self, message: PoolTable.Sort) -> None:
        """By that column; the other way round if it already was."""
        again = message.column == self.view.sort
        self._look(sort=message.column, reverse=again and not self.view.reverse)

    def on_input_changed(self, event: Input.Changed) -> None:
        """A filter shows what it does while it is typed."""
        self._look(filter=event.value)

    def on_input_submitted(self) -> None:
        """The filter stays, and the keys are the table's again."""
        self.query_one(Input).display = False
        self.screen.set_focus(self.query_one(PoolTable))
        self.paint()

    def on_position_seek(self, message: Position.Seek) -> None:
        """Go to a place in the recording."""
        if self.played:
            self._go_to(message.share * self.played.duration)

    def action_help(self) -> None:
        """All keys and columns."""
        self.push_screen(Help(self.played is not None))

    def action_filter(self) -> None:
        """Type a filter. At once: what is typed behind the slash must not be taken for keys."""
        line = self.query_one(Input)
        line.display = True
        self.screen.set_focus(line)
        self.paint()

    def action_sort(self, by: int) -> None:
        """The next column that is shown, or the one before."""
        shown = [BUSY, *(place.column.key for place in self.places(self.size.width))]
        place = shown.index(self.view.sort) if self.view.sort in shown else 0
        self._look(sort=shown[(place + by) % len(shown)], reverse=False)

    def action_reverse(self) -> None:
        """The other way round."""
        self._look(reverse=not self.view.reverse)

    def action_fold(self) -> None:
        """By pool, by netdev, by node."""
        kinds = [Grouping.POOL, Grouping.NETDEV, Grouping.NODE]
        self.opened = None
        self._look(grouping=kinds[(kinds.index(self.view.grouping) + 1) % len(kinds)])

    def action_zombies(self) -> None:
        """Only detached pools, or all."""
        self._look(zombies=not self.view.zombies)

    def action_pause(self) -> None:
        """Stop here, or go on."""
        if self.played:
            self.played.paused = not self.played.paused
        else:
            self.paused = not self.paused
            self._wake.set()
        self.paint()

    def action_pace(self, by: int) -> None:
        """Read more often, or less."""
        self.interval = (pace.lower if by > 0 else pace.higher)(pace.INTERVALS, self.interval)
        self._wake.set()
        self.paint()

    def action_speed(self, by: int) -> None:
        """Play faster, or slower."""
        if self.played:
            self.played.speed = (pace.higher if by > 0 else pace.lower)(pace.SPEEDS, self.played.speed)
            self.paint()

    def action_seek(self, by: int) -> None:
        """Ten seconds back, or on."""
        if self.played:
            self._go_to(self.played.position + by * pace.SEEK_SECONDS)

    def _go_to(self, position: float) -> None:
        assert self.played
        self.played.seek(position)
        self._sought += 1
        self.run_worker(self._jump(self.played, position, self._sought), exclusive=True, group="seek")

    async def _jump(self, played: Playable, position: float, sought: int) -> None:
        """Show a moment of the recording, with the rates that it had."""
        try:
            before, now = await beside(lambda: pace.moment(played, position, self.interval))
        except PpobserveError as error:
            self.failure = error.what
        else:
            self.failure = ""
            self.board.jump(before, now)
        self._arrived = sought
        self.paint()

    def action_colours(self) -> None:
        """Dark or light."""
        self.theme = (DARK if self.theme == LIGHT.name else LIGHT).name
        self.paint()

    def action_close(self) -> None:
        """Close what is open: the filter's line, the pool, then the filter itself."""
        if self.is_filtering:
            self.query_one(Input).value = ""
            self.on_input_submitted()
        elif self.opened:
            self.opened = None
            self.call_after_refresh(self.paint)
        elif self.view.filter:
            self.query_one(Input).value = ""
        self.query_one(PoolTable).focus()
        self.paint()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The footer offers what is of use: a way back only from somewhere."""
        if action == "filter":
            return not (self.opened or self.is_filtering or len(self.screen_stack) > 1)
        if action in ("sort", "fold", "zombies"):
            return not self.opened
        return action != "close" or bool(self.opened or self.view.filter or self.is_filtering)
