"""The one-shot view of ``ppobserve top``: a table of pools, under 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ppobserve.model.plan import Plan
from ppobserve.model.rates import Row
from ppobserve.model.snapshot import State
from ppobserve.ui.format import clip, short

WIDTH = 79


@dataclass(frozen=True)
class Column:
    """A heading, its width, and the text of a row."""

    title: str
    width: int
    text: Callable[[Row], str]
    left: bool = False

    def cell(self, text: str) -> str:
        """*text*, padded or clipped to the column."""
        clipped = clip(text, self.width)
        return clipped.ljust(self.width) if self.left else clipped.rjust(self.width)


def _pool(row: Row) -> str:
    return f"{row.pool.id}{'!' if row.pool.state is State.DETACHED else ''}"


COLUMNS = (
    Column("POOL", 8, _pool, left=True),
    Column("NETDEV", 15, lambda row: row.pool.netdev or "-", left=True),
    Column("REFILL/s", 8, lambda row: short(row.refills)),
    Column("PG/BATCH", 8, lambda row: short(row.pages_per_batch)),
    Column("MISM/s", 7, lambda row: short(row.mismatches)),
    Column("SLOW/s", 7, lambda row: short(row.slow)),
    Column("RETURN/s", 8, lambda row: short(row.returned)),
    Column("INFLIGHT", 8, lambda row: short(row.inflight)),
)


def header(plan: Plan) -> str:
    """What is counted and how, then the headings."""
    return f"ppobserve: level {plan.level.value}, by {plan.rung.value}\n{headings()}"


def headings() -> str:
    """The line of column titles."""
    return " ".join(column.cell(column.title) for column in COLUMNS)


def table(rows: Iterable[Row]) -> str:
    """A line for each pool; a sentence where there is none."""
    lines = [" ".join(column.cell(column.text(row)) for column in COLUMNS).rstrip() for row in rows]
    return "\n".join(lines) if lines else "no pool was used meanwhile"


def footnotes(plan: Plan, rows: Iterable[Row]) -> str:
    """What the dashes and marks mean, where there are any."""
    notes = [f"-: {plan.unavailable['refill']}"] if "refill" in plan.unavailable else []
    if any(row.pool.state is State.DETACHED for row in rows):
        notes.append("!: destroyed by its driver, with pages still out")
    return "\n".join(textwrap.fill(note, WIDTH, subsequent_indent="   ") for note in notes)
