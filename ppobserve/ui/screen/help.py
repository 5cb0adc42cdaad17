"""The page behind ``?``."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ppobserve.ui.paint import Line, Tone, line
from ppobserve.ui.pool_columns import COLUMNS
from ppobserve.ui.screen.theme import content

KEYS = {
    "↑ ↓ PgUp PgDn": "choose a pool (Home: stay on the first row)",
    "Enter, Esc": "open it, close it (or click on it)",
    "/": "filter: netdev=eth* mismatches>0 state=detached mlx5",
    "s  S  r": "sort by next, previous column; reverse (or click a heading)",
    "f": "add pools up by netdev, by node, or not",
    "z": "only zombies: destroyed by their driver, pages still out",
    "p": "pause, go on",
    "+  -": "read more often, less often",
    "c": "dark or light",
    "q": "quit",
}
PLAYED = {"← →": "ten seconds back, on (or click into the bar)", "<  >": "slower, faster"}
WORDS = (
    "Red is traffic between NUMA nodes; nothing else is red.",
    "Cost: of one CPU, as a daemon measures it; ~ by the events counted.",
)
NAMES = 15


def help_lines(playable: bool) -> list[Line]:
    """Every key, then every column."""
    keys = {**KEYS, **PLAYED} if playable else KEYS
    titles = {column.title: column.about for column in COLUMNS}
    return [
        line(("ppobserve top", Tone.STRONG), ("   Esc closes this", Tone.DIM)),
        [],
        *(line((name.rjust(NAMES), Tone.TITLE), f" {about}") for name, about in keys.items()),
        [],
        *(line((name.rjust(NAMES), Tone.TITLE), f" {about}") for name, about in titles.items()),
        [],
        *(line((words, Tone.DIM)) for words in WORDS),
    ]


class Help(ModalScreen[None]):
    """Closes on most keys that people try."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter,space", "dismiss", "Close", show=False)
    ]

    def __init__(self, playable: bool) -> None:
        super().__init__()
        self._playable = playable

    def compose(self) -> ComposeResult:
        """One text that scrolls."""
        with VerticalScroll(id="help"):
            yield Static(content(help_lines(self._playable), self.app.no_color))
