"""The one-shot view of ``ppobserve top``: a table of pools, under 80 columns unless more are asked for."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from ppobserve.model.plan import Plan
from ppobserve.model.rates import Row
from ppobserve.model.snapshot import State
from ppobserve.ui.pool_columns import BY_KEY, ONE_SHOT, Column

WIDTH = 79
COLUMNS = tuple(BY_KEY[key] for key in ONE_SHOT)


def header(plan: Plan, columns: Sequence[Column] = COLUMNS) -> str:
    """What is counted and how, then the headings."""
    return f"ppobserve: level {plan.level.value}, by {plan.rung.value}\n{headings(columns)}"


def headings(columns: Sequence[Column] = COLUMNS) -> str:
    """The line of column titles."""
    return " ".join(column.cell(column.title) for column in columns)


def table(rows: Iterable[Row], columns: Sequence[Column] = COLUMNS, *, filtered: bool = False) -> str:
    """A line for each pool; a sentence where there is none."""
    lines = [" ".join(column.cell(column.shown(row)) for column in columns).rstrip() for row in rows]
    nothing = "no pool fits the filter" if filtered else "no pool was used in this time"
    return "\n".join(lines) if lines else nothing


def footnotes(plan: Plan, rows: Iterable[Row], columns: Sequence[Column] = COLUMNS) -> str:
    """What the dashes and marks mean, where there are any."""
    shown = {column.key for column in columns}
    dashes = "refill" in plan.unavailable and shown & {"refills", "batch", "misses"}
    notes = [f"-: {plan.unavailable['refill']}"] if dashes else []
    if "pool" in shown and any(row.pool.state is State.DETACHED for row in rows):
        notes.append("!: destroyed by its driver, with pages still out")
    return "\n".join(textwrap.fill(note, WIDTH, subsequent_indent="   ") for note in notes)
