"""What the screen is made of, and how it is painted from what is known."""

from __future__ import annotations

import os
from collections.abc import Sequence

from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer, Input, Static

from ppobserve.model.snapshot import Snapshot
from ppobserve.source.base import Playable, Source
from ppobserve.source.sampling import is_playable
from ppobserve.ui import head, panels
from ppobserve.ui.board import Board
from ppobserve.ui.format import clock
from ppobserve.ui.paint import Tone, line
from ppobserve.ui.pool_columns import Column, Place, absent, fit
from ppobserve.ui.screen.pool import PoolPage
from ppobserve.ui.screen.position import Position
from ppobserve.ui.screen.table import PoolTable
from ppobserve.ui.screen.theme import THEMES, content, preferred
from ppobserve.ui.view import View

BESIDE = 160
"""Cells from which a pool is shown beside the table."""
SIDE = 80
"""Cells that it takes there."""
SUMMARY = 30
"""Lines that all pools together take below the table."""
LOW = 10
"""Lines below which everything but the table steps back."""
Key = tuple[str, ...]


class Painted(App[None]):
    """The state of the screen, and its picture."""

    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self, source: Source, first: Snapshot, interval: float, view: View, chosen: Sequence[Column], note: str
    ) -> None:
        for name in (
            "COLUMNS",
            "LINES",
        ):  # where they are exported they would be believed, whatever size the terminal has
            os.environ.pop(name, None)
        # Without colours nothing is painted in grey either: the terminal's own are left alone.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.board, self.view, self.interval = Board(first), view, interval
        self.paused, self.note, self.failure = False, note, ""
        self.opened: Key | None = None
        self._offered = (False, False, False)
        self.source, self.chosen = source, chosen
        self.played: Playable | None = source if is_playable(source) else None
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = preferred().name

    def compose(self) -> ComposeResult:
        """Two lines, the body, what needs saying, and the keys."""
        yield Static(id="head")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield PoolTable(self.board.history)
                yield Static(id="host")
            yield PoolPage()
        yield Position()
        yield Static(id="note")
        line = Input(id="filter", placeholder="netdev=eth*  mismatches>0  mlx5", compact=True)
        line.display = False
        yield line
        yield Footer()

    def paint(self) -> None:
        """Everything anew, from the board."""
        if not self.screen_stack:
            return
        main = self.screen_stack[0]
        main.set_class(self.size.height < LOW, "low")
        main.set_class(self.size.width >= BESIDE and not self.opened, "beside")
        main.set_class(self.opened is not None, "opened")
        self._paint_head()
        self._paint_table()
        self._paint_host()
        self._paint_pool()
        self._paint_note()
        self._paint_keys()
        if self.played:
            self.query_one(Position).show(
                self.played.position, self.played.duration, self.played.speed, self.played.paused
            )

    @property
    def is_filtering(self) -> bool:
        """Is a filter being typed?"""
        return bool(self.screen_stack[0].query_one(Input).display)

    def _paint_keys(self) -> None:
        """The footer makes itself anew when it is asked, which takes longer than all the rest: only if need be."""
        state = (self.opened is not None, bool(self.view.filter), self.is_filtering)
        if state != self._offered:
            self._offered = state
            self.refresh_bindings()

    def _paint_head(self) -> None:
        room, measured = self.size.width - 2, self.board.measured
        lines = head.head(self.board.interval, self.view, self._pace(), room, measured)
        self.query_one("#head", Static).update(content(lines, self.no_color))

    def _pace(self) -> str:
        if self.played:
            return "paused" if self.played.paused else "recorded"
        return "paused" if self.paused else f"every {self.interval:g} s"

    def places(self, room: int) -> Sequence[Place]:
        """The columns that fit."""
        rows = self.board.rows(self.view)
        return fit(self.board.interval.new.plan, room, self.chosen, absent(rows))

    def _paint_table(self) -> None:
        room = self.size.width - (SIDE if self.size.width >= BESIDE else 0) - 2
        rows = self.board.rows(self.view)
        nothing = "no pool has been used yet" if not self.board.interval.new.pools else "no pool fits"
        self.query_one(PoolTable).show(rows, self.places(room), self.view, nothing)

    def _paint_host(self) -> None:
        """All pools together, where the table leaves the room for it."""
        rows = len(self.query_one(PoolTable).rows)
        fits = self.size.width >= BESIDE and rows + SUMMARY + 5 < self.size.height and not self.opened
        total = self.board.total(self.view) if fits else None
        self.screen_stack[0].set_class(total is not None, "roomy")
        if total:
            lines = panels.summary(total, self.board.history, self.size.width - SIDE - 3)
            self.query_one("#host", Static).update(content(lines, self.no_color))

    def _paint_pool(self) -> None:
        row = self.query_one(PoolTable).row
        key = self.opened or (row.key if row and self.size.width >= BESIDE else None)
        if not key:
            self.query_one(PoolPage).nothing()
            return
        opened, time = self.board.opened(key, self.view), self.board.interval.new.time
        room = self.size.width - 3 if self.opened else SIDE - 4
        self.query_one(PoolPage).show(opened, self.board.history, room, self.size.height - 4, time)

    def _paint_note(self) -> None:
        note = self.failure and f"{self.failure}; shown is {clock(self.board.interval.new.time)}"
        noted, broken = self.board.noted, self.board.interval.broken
        note = note or self.note or (f"{noted}: rates begin anew" if noted and broken else noted)
        self.screen_stack[0].set_class(bool(note), "noted")
        self.query_one("#note", Static).update(content([line((note, Tone.NOTE))], self.no_color))
