"""Tables of fixed columns, for any kind of row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ppobserve.ui.format import clip

Each = TypeVar("Each")


@dataclass(frozen=True)
class Column(Generic[Each]):
    """A heading, its width, and the text of a row."""

    title: str
    width: int
    text: Callable[[Each], str]
    left: bool = False

    def cell(self, text: str) -> str:
        """*text*, padded or clipped to the column."""
        clipped = clip(text, self.width)
        return clipped.ljust(self.width) if self.left else clipped.rjust(self.width)


def headings(columns: Iterable[Column[Each]]) -> str:
    """The line of titles."""
    return " ".join(column.cell(column.title) for column in columns).rstrip()


def line(columns: Iterable[Column[Each]], row: Each) -> str:
    """The line of a row."""
    return " ".join(column.cell(column.text(row)) for column in columns).rstrip()


def fitted(columns: Sequence[Column[Each]], rows: Sequence[Each]) -> list[Column[Each]]:
    """The columns, each as wide as its widest cell: nothing is clipped."""
    widths = [max([len(column.title), *(len(column.text(row)) for row in rows)]) for column in columns]
    return [
        Column(column.title, width, column.text, column.left) for column, width in zip(columns, widths, strict=True)
    ]
