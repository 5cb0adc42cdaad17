"""One pool closely, beside the table or in its place."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from ppobserve.ui.board import Opened
from ppobserve.ui.format import clock
from ppobserve.ui.history import History
from ppobserve.ui.paint import Line, Tone, line
from ppobserve.ui.panels import page
from ppobserve.ui.screen.theme import content

NOTHING = "a pool of the table is shown here, and there is none"


class PoolPage(VerticalScroll, can_focus=True):
    """Shows a pool. When the pool is gone, what was last known of it stays."""

    def __init__(self) -> None:
        super().__init__(id="pool")
        self._text = Static(id="pool-text")
        self._last: list[Line] = []
        self._seen = 0.0

    def compose(self) -> ComposeResult:
        """One text that scrolls."""
        yield self._text

    def show(self, opened: Opened | None, history: History, room: int, height: int, time: float) -> None:
        """The pool at *time*, or None when there is no such pool any more."""
        gone: list[Line] = []
        if opened:
            self._last, self._seen = page(opened, history, room, height), time
        elif self._last:
            gone = [line((f"it is gone; this was at {clock(self._seen)}", Tone.NOTE)), []]
        self._text.update(content([*gone, *self._last], self.app.no_color))

    def nothing(self) -> None:
        """There is no pool to look at."""
        self._last = []
        self._text.update(content([line((NOTHING, Tone.DIM))], self.app.no_color))
