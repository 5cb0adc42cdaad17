"""Charts: lines over time, areas on top of each other, bars, and a matrix of cells.

svg = lines("Refills", seconds, [Series("eth0", rates)], unit="a second")
page = f"<style>{STYLE}</style>{svg}"      # or standalone(svg), a file of its own
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ppobserve.plot.axis import Axis, short, time_axis, value_axis
from ppobserve.plot.svg import FONT, STYLES, element, number, picture, text, width_of

WIDTH, HEIGHT = 460.0, 220.0
_LEFT, _RIGHT, _BOTTOM = 46.0, 8.0, 22.0
_LINE = FONT + 5.0
_SWATCH = 16.0
FAR = "far"
"""The look of a series, bar or cell that means traffic between nodes."""


@dataclass(frozen=True)
class Series:
    """A name and a value for each moment; None where there is none, which leaves a gap."""

    name: str
    values: Sequence[float | None]
    look: str = ""
    """``FAR``, or empty for the next colour that is free."""


@dataclass(frozen=True)
class _Frame:
    """The rectangle between the axes, and what its edges stand for."""

    x: Axis
    y: Axis
    top: float

    @property
    def bottom(self) -> float:
        return HEIGHT - _BOTTOM

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A point's coordinates."""
        return (
            _LEFT + self.x.share(x) * (WIDTH - _LEFT - _RIGHT),
            self.bottom - self.y.share(y) * (self.bottom - self.top),
        )


def lines(
    title: str, xs: Sequence[float], series: Sequence[Series], *, unit: str = "", over: Axis | None = None
) -> str:
    """A line for each series over *xs*, in rising order: seconds, or what *over* is the axis of. A value between two
    gaps is a dot."""
    values = [value for each in series for value in each.values if value is not None]
    legend, top = _legend(title, unit, series)
    frame = _Frame(over or (time_axis(xs[0], xs[-1]) if xs else time_axis(0, 1)), value_axis(values), top)
    drawn = "".join(_line(frame, xs, each.values, look) for each, look in _looks(series))
    return picture(title, _described(series, unit), WIDTH, HEIGHT, legend + _axes(frame) + drawn + _nothing(values))


def areas(title: str, xs: Sequence[float], series: Sequence[Series], *, unit: str = "") -> str:
    """The same, each on top of the one before it: what parts add up to. A gap counts as 0."""
    floors: list[list[float]] = [[0.0] * len(xs)]
    for each in series:
        floors.append([low + (value or 0.0) for low, value in zip(floors[-1], each.values, strict=True)])
    legend, top = _legend(title, unit, series)
    frame = _Frame(time_axis(xs[0], xs[-1]) if xs else time_axis(0, 1), value_axis(floors[-1]), top)
    drawn = "".join(
        _area(frame, xs, low, high, look)
        for (_, look), low, high in zip(_looks(series), floors, floors[1:], strict=False)
    )
    return picture(title, _described(series, unit), WIDTH, HEIGHT, legend + _axes(frame) + drawn + _nothing(floors[-1]))


def bars(title: str, values: Sequence[tuple[str, float]], *, unit: str = "") -> str:
    """A bar for each (name, value), its value above it."""
    legend, top = _legend(title, unit, ())
    y = value_axis([value for _, value in values])
    frame = _Frame(Axis(0.0, float(len(values) or 1), ()), y, top + _LINE)
    drawn = "".join(_bar(frame, place, name, value) for place, (name, value) in enumerate(values))
    said = ", ".join(f"{name}: {short(value)}" for name, value in values)
    return picture(title, said, WIDTH, HEIGHT, legend + _axes(frame) + drawn)


def matrix(title: str, rows: str, columns: str, cells: dict[tuple[str, str], float], *, unit: str = "") -> str:
    """A cell for each (row, column), the fuller the colour the higher its value; far where row and column differ.

    *rows* and *columns* say what the names of rows and columns are, as in "page on node".
    """
    row_names, column_names = (sorted({key[place] for key in cells}, key=_natural) for place in (0, 1))
    legend, top = _legend(title, unit, ())
    size = min(52.0, (WIDTH - 120) / max(len(column_names), 1))
    tall, left, head = min(size, 30.0), 110.0, top + 2 * _LINE
    highest = max([*cells.values(), 1e-9])
    drawn = text(columns, left, top + 10, class_="pp-dim") + text(rows, left - 8, head - 5, "end", "pp-dim")
    for x, column in enumerate(column_names):
        drawn += text(column, left + (x + 0.5) * size, head - 5, "middle")
    for y, row in enumerate(row_names):
        drawn += text(row, left - 8, head + (y + 0.5) * tall + 4, "end")
        for x, column in enumerate(column_names):
            value = cells.get((row, column), 0.0)
            place = (left + x * size, head + y * tall, size - 2, tall - 2)
            drawn += _cell(place, value, value / highest, far=row != column)
    said = ", ".join(f"{rows} {row}, {columns} {column}: {short(cells[row, column])}" for row, column in sorted(cells))
    return picture(title, said, WIDTH, head + len(row_names) * tall + 6, legend + drawn)


def _looks(series: Sequence[Series]) -> Iterable[tuple[Series, str]]:
    """Each series with its CSS class: far ones are red, the others take the colours in turn."""
    free = 0
    for each in series:
        yield each, "pp-far" if each.look == FAR else f"pp-s{free % STYLES}"
        free += each.look != FAR


def _legend(title: str, unit: str, series: Sequence[Series]) -> tuple[str, float]:
    """The title, the unit and the names of the series in lines, and where the room below them begins."""
    drawn = text(title, 0, 13, class_="pp-title")
    if unit:
        drawn += text(unit, WIDTH - _RIGHT, 13, "end", "pp-dim")
    x, y = 0.0, 13.0 + _LINE
    for each, look in _looks(series):
        wide = _SWATCH + width_of(each.name) + 12
        if x and x + wide > WIDTH:
            x, y = 0.0, y + _LINE
        drawn += element("path", d=f"M{number(x)} {number(y - 4)}h12", class_=f"pp-line {look}")
        drawn += text(each.name, x + _SWATCH, y)
        x += wide
    return drawn, y + 14 if series else 13.0 + 14


def _axes(frame: _Frame) -> str:
    drawn = ""
    for value, label in frame.y.ticks:
        _, y = frame.at(frame.x.low, value)
        line = f"M{number(_LEFT)} {number(y)}H{number(WIDTH - _RIGHT)}"
        drawn += element("path", d=line, class_="pp-grid pp-zero" if value == 0 else "pp-grid")
        drawn += text(label, _LEFT - 6, y + 4, "end", "pp-dim")
    for value, label in frame.x.ticks:
        x, _ = frame.at(value, frame.y.low)
        half = width_of(label) / 2
        drawn += text(label, min(x, WIDTH - half), HEIGHT - 6, "middle", "pp-dim")
    return drawn


def _line(frame: _Frame, xs: Sequence[float], values: Sequence[float | None], look: str) -> str:
    path, down = [], False
    for place, (x, value) in enumerate(zip(xs, values, strict=True)):
        if value is None:
            down = False
            continue
        across, up = map(number, frame.at(x, value))
        alone = not down and (place + 1 == len(xs) or values[place + 1] is None)
        path.append(f"{'L' if down else 'M'}{across} {up}{'h0' if alone else ''}")
        down = True
    return element("path", d="".join(path), class_=f"pp-line {look}") if path else ""


def _area(frame: _Frame, xs: Sequence[float], low: Sequence[float], high: Sequence[float], look: str) -> str:
    if not any(top > bottom for bottom, top in zip(low, high, strict=True)):
        return ""
    there = [frame.at(x, value) for x, value in zip(xs, high, strict=True)]
    back = [frame.at(x, value) for x, value in zip(xs, low, strict=True)]
    points = " ".join(f"{number(x)},{number(y)}" for x, y in (*there, *reversed(back)))
    return element("polygon", points=points, class_=f"pp-area {look}")


def _bar(frame: _Frame, place: int, name: str, value: float) -> str:
    (left, top), (right, bottom) = frame.at(place + 0.12, value), frame.at(place + 0.88, 0)
    middle = (left + right) / 2
    drawn = text(name, middle, HEIGHT - 6, "middle", "pp-dim")
    if value:
        drawn += element("rect", x=left, y=top, width=right - left, height=bottom - top, class_="pp-fill pp-s0")
        drawn += text(short(value), middle, top - 4, "middle")
    return drawn


def _cell(place: tuple[float, float, float, float], value: float, share: float, *, far: bool) -> str:
    x, y, width, height = place
    look = "pp-far" if far else "pp-s0"
    drawn = element("rect", x=x, y=y, width=width, height=height, class_="pp-grid")
    if value:
        shade = {"fill_opacity": f"{0.15 + 0.55 * share:.2f}"}
        drawn += element("rect", x=x, y=y, width=width, height=height, class_=f"pp-fill {look}", **shade)
    return drawn + text(short(value), x + width / 2, y + height / 2 + 4, "middle")


def _nothing(values: Sequence[float]) -> str:
    """Words where an empty frame would leave one wondering."""
    said = "" if any(values) else "nothing counted" if not values else "0 all the time"
    return text(said, (WIDTH + _LEFT) / 2, HEIGHT / 2, "middle", "pp-dim") if said else ""


def _described(series: Sequence[Series], unit: str) -> str:
    """What someone hears who can't see the lines: of each, its lowest, highest and last value."""
    return "; ".join(f"{each.name}: {_span(each.values)}" for each in series) + (f" ({unit})" if unit else "")


def _span(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "not counted"
    return f"{short(min(known))} to {short(max(known))}, {short(known[-1])} at the end"


def _natural(name: str) -> tuple[int, str]:
    """Numbers by value, words behind them."""
    return (int(name), "") if name.isdecimal() else (1 << 62, name)
