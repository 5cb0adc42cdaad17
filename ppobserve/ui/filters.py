"""Which pools are meant: ``netdev=eth* mismatches>0 mlx``, on the command line and behind ``/`` on the screen."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from ppobserve.errors import UsageError
from ppobserve.model.rates import Row
from ppobserve.ui.pool_columns import Column, column_called

Filter = Callable[[Row], bool]

_TERM = re.compile(r"(?P<key>[^!=<>]+)(?P<operator>!=|>=|<=|=|>|<)(?P<value>.*)", re.DOTALL)
_SUFFIXES = {"k": 1e3, "M": 1e6, "G": 1e9}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


def parse_filter(text: str) -> Filter:
    """A row is meant when it fits every term. A term is ``COLUMN=PATTERN``, ``COLUMN!=PATTERN`` (shell patterns),
    ``COLUMN>NUMBER`` (also ``<``, ``>=``, ``<=``), or a word that is somewhere in a pool's names.

    UsageError for a column that there is not, or a number that is none.
    """
    terms = [_term(word) for word in text.split()]
    return lambda row: all(term(row) for term in terms)


def _term(word: str) -> Filter:
    match = _TERM.fullmatch(word)
    if not match:
        return lambda row: word.lower() in _names(row)
    column, value = column_called(match["key"], "filter"), match["value"]
    if match["operator"] in _COMPARE:
        return _compared(column, _COMPARE[match["operator"]], _number(word, value))
    wanted = match["operator"] == "="
    return lambda row: fnmatchcase(_text(column, row), value) is wanted


def _names(row: Row) -> str:
    pool = row.pool
    return " ".join((pool.id, pool.netdev, pool.driver, pool.device, pool.state.value)).lower()


def _text(column: Column, row: Row) -> str:
    value = column.value(row)
    return "" if value is None else value if isinstance(value, str) else f"{value:.10g}"


def _compared(column: Column, holds: Callable[[float, float], bool], bound: float) -> Filter:
    def term(row: Row) -> bool:
        value = column.value(row)
        return isinstance(value, int | float) and holds(value, bound)

    return term


def _number(word: str, text: str) -> float:
    scale = _SUFFIXES.get(text[-1:], 1.0)
    try:
        return float(text[:-1] if scale > 1 else text) * scale
    except ValueError:
        raise UsageError(f"filter: {word!r} compares with {text!r}, which is no number", fix="mismatches>0") from None
