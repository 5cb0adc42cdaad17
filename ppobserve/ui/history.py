"""How each pool's rates went, and a line of blocks that shows it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from ppobserve.model.rates import Row
from ppobserve.ui.pool_columns import COLUMNS

LENGTH = 240
BLOCKS = " ▁▂▃▄▅▆▇█"

Trend = Sequence[float | None]
_KEPT = {column.key: column.value for column in COLUMNS if column.trend}


class History:
    """The last rates of every pool that there is. A pool that is gone takes its history with it."""

    def __init__(self, length: int = LENGTH) -> None:
        self._length, self._noted = length, 0
        self._rates: dict[tuple[str, ...], dict[str, deque[float | None]]] = {}

    def note(self, rows: Iterable[Row]) -> None:
        """One more moment: a rate of each row, one row a pool."""
        self._noted += 1
        before, self._rates = self._rates, {}
        for row in rows:
            own = before.get(row.key) or {name: deque[float | None](maxlen=self._length) for name in _KEPT}
            for name, value in _KEPT.items():
                rate = value(row)
                assert not isinstance(rate, str)
                own[name].append(rate)
            self._rates[row.key] = own

    def forget(self) -> None:
        """Begin anew: what comes next does not follow what was."""
        self._rates.clear()

    def trend(self, row: Row, name: str) -> Trend:
        """The rates of a row, the newest last; those of a group are its pools' added up."""
        found = [self._rates[key][name] for key in row.members or [row.key] if key in self._rates]
        if len(found) < 2:
            return list(found[0]) if found else []
        longest = max(map(len, found))
        nothing: list[float | None] = [None] * longest
        padded = (nothing[len(each) :] + list(each) for each in found)
        return [_sum(moment) for moment in zip(*padded, strict=True)]


def _sum(rates: Iterable[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None


def sparkline(trend: Trend, width: int) -> str:
    """The last *width* rates as blocks: the lowest stands for 0, the highest for the most among them. A rate that is
    not known is a space."""
    (line,) = chart(trend, width, 1)
    return line


def chart(trend: Trend, width: int, height: int) -> list[str]:
    """The last *width* rates as columns of blocks, *height* lines high, from the top."""
    last = list(trend)[-width:] if width > 0 else []
    most = max((rate for rate in last if rate), default=0.0)
    eighths = [_eighths(rate, most, height) for rate in last]
    return ["".join(_block(each - 8 * line) for each in eighths).rjust(width) for line in reversed(range(height))]


def _eighths(rate: float | None, most: float, height: int) -> int:
    """How high a column is, in eighths of a line: one for 0, none for what is not known."""
    if rate is None:
        return 0
    return max(2, round(rate / most * 8 * height)) if rate > 0 else 1


def _block(eighths: int) -> str:
    return BLOCKS[min(eighths, 8)] if eighths > 0 else " "
