"""One pool on a page: its identity, trends, histogram, reasons, node matrix and fill, as lines for any width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ppobserve.ui import detail
from ppobserve.ui.board import Opened
from ppobserve.ui.detail import Bar, Cell
from ppobserve.ui.format import short
from ppobserve.ui.history import History, chart
from ppobserve.ui.lines import trend_tone
from ppobserve.ui.paint import Line, Tone, bar, beside, fitted, line
from ppobserve.ui.pool_columns import COLUMNS, Column

NAME, NUMBER, GAP = 11, 7, 3
TALL = 34
"""Lines from which trends are more than one line high."""


def page(opened: Opened, history: History, room: int, height: int) -> list[Line]:
    """Everything about a pool, in *room* cells a line; more than *height* lines are scrolled."""
    half = max((room - GAP) // 2, 34)
    wide = room >= 2 * half + GAP
    left = stacked([_matrix(opened, half), _batches(opened, half), _remote(opened, half)])
    right = stacked([_returns(opened, half), _fills(opened, half), _facts(opened), *_paths(opened, half)])
    body = beside(left, right, half, GAP) if wide else stacked([left, right])
    whole = [*_head(opened), *_trends(opened, history, room, height), [], *body]
    return [fitted(each, room) for each in whole]


def summary(opened: Opened, history: History, room: int) -> list[Line]:
    """What a host as a whole does: trends, and what crosses nodes."""
    half = (room - GAP) // 2
    body = beside(_matrix(opened, half), stacked([_returns(opened, half)]), half, GAP)
    name = line((f"all {len(opened.row.members)} pools", Tone.STRONG))
    return [fitted(each, room) for each in [name, *_trends(opened, history, room, TALL), [], *body]]


def stacked(blocks: Iterable[Sequence[Line]]) -> list[Line]:
    """Blocks below each other, an empty line between two; empty blocks are left out."""
    lines: list[Line] = []
    for block in blocks:
        if block:
            lines += [[], *block] if lines else block
    return lines


def _head(opened: Opened) -> list[Line]:
    steps = [
        (f"{' → ' if place else ''}{text}", Tone.FAR if far else Tone.DIM)
        for place, (text, far) in enumerate(detail.route(opened))
    ]
    return [line((detail.headline(opened), Tone.STRONG)), line(*steps)]


def _title(text: str, unit: str, room: int) -> Line:
    return line((text, Tone.TITLE), (unit.rjust(room - len(text)), Tone.DIM))


def _trends(opened: Opened, history: History, room: int, height: int) -> list[Line]:
    """How the rates went, a chart each; the newest is at the right."""
    lines = 4 if height >= TALL else 1
    shown = [column for column in COLUMNS if column.trend and column.value(opened.row) is not None]
    blocks = [_trend(column, opened, history, room, lines) for column in shown]
    return [[], *stacked(blocks)] if lines > 1 else [each for block in blocks for each in block]


def _trend(column: Column, opened: Opened, history: History, room: int, lines: int) -> list[Line]:
    space = room - NAME - NUMBER - 1
    trend = history.trend(opened.row, column.key)[-space:]
    number = (column.shown(opened.row).rjust(NUMBER), _number_tone(column.value(opened.row), column.far))
    name = line((column.key.ljust(NAME), Tone.TITLE), number)
    peak = line(("peak".rjust(NAME), Tone.DIM), (short(max(filter(None, trend), default=0)).rjust(NUMBER), Tone.DIM))
    heads = [name, peak, *[fitted([], NAME + NUMBER)] * lines][:lines]
    tone = trend_tone(column, trend)
    return [[*head, (f" {text}", tone)] for head, text in zip(heads, chart(trend, space, lines), strict=True)]


def _batches(opened: Opened, room: int) -> list[Line]:
    bars = detail.batches(opened)
    if not bars:
        return [
            line(("pages of a refill", Tone.TITLE)),
            line(("not counted on this rung: see ppobserve check", Tone.DIM)),
        ]
    return [_title("pages of a refill", "refills/s   total", room), *_bars(bars, room, NAME - 4)]


def _returns(opened: Opened, room: int) -> list[Line]:
    return [_title("returned because", "pages/s   total", room), *_bars(detail.returns(opened), room, NAME)]


def _paths(opened: Opened, room: int) -> list[list[Line]]:
    found = {"allocated from": detail.paths(opened, "allocs"), "recycled into": detail.paths(opened, "recycles")}
    return [[_title(name, "pages/s   total", room), *_bars(bars, room, NAME)] for name, bars in found.items() if bars]


def _bars(bars: Iterable[Bar], room: int, name: int) -> list[Line]:
    """A name, a bar, the rate and the total in each line."""
    length = max(room - name - 2 * (NUMBER + 1) - 1, 4)
    return [
        line(
            each.name[:name].rjust(name) + " ",
            (bar(each.share, length), Tone.FAR if each.far else Tone.BAR),
            (each.text.rjust(NUMBER + 1), _number_tone(each.share, each.far)),
            (each.total.rjust(NUMBER + 1), Tone.DIM),
        )
        for each in bars
    ]


def _number_tone(value: object, far: bool) -> Tone:
    return Tone.DIM if not value else Tone.FAR if far else Tone.PLAIN


def _matrix(opened: Opened, room: int) -> list[Line]:
    """Page nodes downwards, wanted nodes to the right."""
    rows = detail.matrix(opened)
    if len(rows) < 2:
        return [_title("mismatches", "", room), line(("one node: no page can be far", Tone.DIM))]
    cell = max(min((room - NAME) // len(rows), NUMBER + 1), 5)
    wanted = ((" " + node[: cell - 1].center(cell - 1), Tone.DIM) for node in opened.nodes)
    head = line(("wanted on".rjust(NAME), Tone.DIM), *wanted)
    body = [line((f"page on {page}"[:NAME].rjust(NAME), Tone.DIM), *_cells(cells, cell)) for page, cells in rows]
    return [_title("mismatches", "pages/s", room), head, *body]


def _cells(cells: Iterable[Cell], size: int) -> list[tuple[str, Tone]]:
    spans = []
    for each in cells:
        tone = (Tone.FAR_CELL if each.share > 0.25 else Tone.FAR_CELL_LOW) if each.far else Tone.DIM
        spans += [(" ", Tone.PLAIN), (each.text.center(size - 1), tone)]
    return spans


def _remote(opened: Opened, room: int) -> list[Line]:
    bars = detail.remote(opened)
    return [_title("kept on another node", "pages", room), *_gauges(bars, room, 16)] if bars else []


def _fills(opened: Opened, room: int) -> list[Line]:
    bars = detail.fills(opened)
    return [_title("kept now", "pages", room), *_gauges(bars, room, NAME)] if bars else []


def _gauges(bars: Iterable[Bar], room: int, name: int) -> list[Line]:
    length = max(room - name - 14, 4)
    return [
        line(
            each.name[:name].rjust(name) + " ",
            (bar(each.share, length), Tone.FAR if each.far else Tone.BAR),
            (each.text.rjust(13), _number_tone(each.share, each.far)),
        )
        for each in bars
    ]


def _facts(opened: Opened) -> list[Line]:
    return [line((name.rjust(NAME) + " ", Tone.DIM), value) for name, value in detail.facts(opened)]
