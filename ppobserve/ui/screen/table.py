"""The table of pools: only the lines that are visible are ever made, however many pools there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ppobserve.model.rates import Row
from ppobserve.ui.history import History
from ppobserve.ui.lines import column_at, heading, row_line
from ppobserve.ui.paint import Line, Tone
from ppobserve.ui.pool_columns import Place
from ppobserve.ui.screen.theme import rich_styles
from ppobserve.ui.view import View

Key = tuple[str, ...]


class PoolTable(ScrollView, can_focus=True):
    """Rows below a heading that stays. The cursor stays with its pool; untouched, it stays on the first row."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--heading", "table--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "top", "First", show=False),
        Binding("end,G", "bottom", "Last", show=False),
        Binding("enter", "open", "open", key_display="⏎"),
    ]

    class Opened(Message):
        """A row was asked for: Enter, or a click on the row of the cursor."""

    class Moved(Message):
        """The cursor is on another row."""

    class Sort(Message):
        """A heading was clicked."""

        def __init__(self, column: str) -> None:
            self.column = column
            super().__init__()

    def __init__(self, history: History) -> None:
        super().__init__(id="table")
        self.rows: Sequence[Row] = ()
        self.nothing = ""
        self._places: Sequence[Place] = ()
        self._view, self._history = View(), history
        self._followed: Key | None = None
        self._cursor = 0

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self._cursor] if self.rows else None

    def show(self, rows: Sequence[Row], places: Sequence[Place], view: View, nothing: str) -> None:
        """Other rows, or the same with other numbers; *nothing* is said where there are none."""
        touched = max(len(rows), len(self.rows), 3) + 1
        self.rows, self._places, self._view, self.nothing = rows, places, view, nothing
        found = (place for place, row in enumerate(rows) if row.key == self._followed)
        self._cursor = next(found, min(self._cursor, max(len(rows) - 1, 0)) if self._followed else 0)
        self.virtual_size = Size(self.size.width, len(rows) + 1)
        self.refresh(Region(0, 0, self.size.width, min(touched, self.size.height)))

    def render_line(self, y: int) -> Strip:
        """One line of the window: the heading, a row, or nothing."""
        if y == 0:
            return self._strip(heading(self._places, self._view), "table--heading")
        place = y - 1 + self.scroll_offset.y
        if not self.rows and y == 2:
            return self._strip([(f" {self.nothing}", Tone.NOTE)])
        if place >= len(self.rows):
            return self._strip([])
        line = row_line(self.rows[place], self._places, self._history)
        return self._strip(line, "table--cursor" if place == self._cursor else "")

    def _strip(self, line: Line, component: str = "") -> Strip:
        base = self.get_component_rich_style(component) if component else self.rich_style
        styles = rich_styles(self.app.theme_variables, self.app.no_color)
        segments = [Segment(text, base + styles.get(tone, Style())) for text, tone in line]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def action_move(self, by: int) -> None:
        """The cursor up or down."""
        self._go(self._cursor + by)

    def action_page(self, by: int) -> None:
        """A window up or down."""
        self._go(self._cursor + by * max(self.size.height - 2, 1))

    def action_top(self) -> None:
        """To the first row, and stay there whichever pool that is."""
        self._go(0)
        self._followed = None

    def action_bottom(self) -> None:
        """To the last row."""
        self._go(len(self.rows) - 1)

    def action_open(self) -> None:
        """Open the row of the cursor."""
        if self.rows:
            self.post_message(self.Opened())

    def _go(self, place: int) -> None:
        if not self.rows:
            return
        self._cursor = min(max(place, 0), len(self.rows) - 1)
        self._followed = self.rows[self._cursor].key
        above, below = self.scroll_offset.y, self._cursor - max(self.size.height - 2, 0)
        self.scroll_to(y=max(min(above, self._cursor), below), animate=False)
        self.refresh()
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        """On a heading: sort. On a row: go there; on the row of the cursor: open it."""
        if event.y == 0:
            if column := column_at(self._places, event.x):
                self.post_message(self.Sort(column.key))
            return
        place = event.y - 1 + self.scroll_offset.y
        if place >= len(self.rows):
            return
        again = place == self._cursor and self._followed is not None
        self._go(place)
        if again:
            self.post_message(self.Opened())
