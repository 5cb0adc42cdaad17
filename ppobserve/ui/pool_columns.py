"""The columns of ``top``, the same in the one-shot table and on the screen, and which of them fit."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from ppobserve.errors import UsageError
from ppobserve.model.metrics import TABLE
from ppobserve.model.nearest import nearest
from ppobserve.model.plan import Plan
from ppobserve.model.rates import Row
from ppobserve.model.snapshot import State
from ppobserve.ui.format import clip, short

Value = str | float | None


@dataclass(frozen=True)
class Column:
    """A heading, its width, and what a row has there."""

    key: str
    """Its name on the command line and in a filter."""
    title: str
    width: int
    value: Callable[[Row], Value]
    """What is sorted and filtered by; None: not known."""
    about: str
    text: Callable[[Row], str] | None = None
    """What is shown; nothing: the value as a short number, or as it is."""
    metric: str = ""
    """What a plan must count for it to say anything."""
    left: bool = False
    names: bool = False
    """It tells pools apart: 0 is a number like any other."""
    trend: bool = False
    """The screen shows beside it how it went."""
    far: bool = False
    """Not zero is traffic between nodes."""

    def shown(self, row: Row) -> str:
        """The text of a row."""
        if self.text:
            return self.text(row)
        value = self.value(row)
        return (value or "-") if isinstance(value, str) else short(value)

    def cell(self, text: str, width: int = 0) -> str:
        """*text*, padded or clipped to the column, or to *width*."""
        width = width or self.width
        clipped = clip(text, width)
        return clipped.ljust(width) if self.left else clipped.rjust(width)


def _pool(row: Row) -> str:
    if row.members:
        return f"{len(row.members)} pool{'s' * (len(row.members) > 1)}"
    return f"{row.pool.id}{'!' if row.pool.state is State.DETACHED else ''}"


def _known(number: int) -> int | None:
    return number if number >= 0 else None


COLUMNS = (
    Column("pool", "POOL", 8, lambda row: row.pool.id, "the kernel's number of the pool", _pool, left=True),
    Column("netdev", "NETDEV", 15, lambda row: row.pool.netdev, "the device", left=True),
    Column("netns", "NETNS", 10, lambda row: row.pool.netns or None, "inode number of the network namespace",
           lambda row: str(row.pool.netns or "-"), names=True),
    Column("driver", "DRIVER", 10, lambda row: row.pool.driver, "the device's driver", left=True),
    Column("napi", "NAPI", 6, lambda row: row.pool.napi or None, "number of the NAPI that consumes it",
           lambda row: str(row.pool.napi or "-"), names=True),
    Column("queue", "QUEUE", 5, lambda row: _known(row.pool.queue), "receive queue that it feeds", names=True),
    Column("cpu", "CPU", 4, lambda row: _known(row.pool.consumer_cpu), "where it is consumed", names=True),
    Column("node", "NODE", 4, lambda row: _known(row.node), "where it wants its pages", names=True),
    Column("state", "STATE", 8, lambda row: row.pool.state.value, "live, detached (destroyed with pages out) or ended",
           left=True),
    Column("refills", "REFILL/s", 8, lambda row: row.refills, "refills of its cache from its ring a second",
           metric="refill_batch_pages", trend=True),
    Column("batch", "PG/BATCH", 8, lambda row: row.pages_per_batch, "pages of a refill; 64 where the ring keeps up",
           metric="refill_batch_pages"),
    Column("misses", "MISS/s", 7, lambda row: row.misses, "refills that got no page", metric="refill_misses"),
    Column("mismatches", "MISM/s", 7, lambda row: row.mismatches, "pages dropped for being on the wrong node",
           metric="numa_mismatch_pages", trend=True, far=True),
    Column("remote", "REMOTE", 6, lambda row: row.remote, "pages kept on another node than the consumer's", far=True),
    Column("slow", "SLOW/s", 7, lambda row: row.slow, "refills from the page allocator", metric="slow_refills",
           trend=True),
    Column("held", "HELD/s", 7, lambda row: row.held, "pages taken from the page allocator", metric="pages_held"),
    Column("returned", "RETURN/s", 8, lambda row: row.returned, "pages given back to the page allocator"),
    Column("inflight", "INFLIGHT", 8, lambda row: row.inflight, "pages taken and not given back"),
    Column("cache", "CACHE", 5, lambda row: row.cache, "pages in its cache"),
    Column("ring", "RING", 5, lambda row: row.ring, "pages in its ring"),
)  # fmt: skip
BY_KEY = {column.key: column for column in COLUMNS}

ONE_SHOT = ("pool", "netdev", "refills", "batch", "mismatches", "slow", "returned", "inflight")
# What goes last when a terminal is narrow goes first here; ~ is the trend of the column before it.
WISHES = (
    "netdev", "mismatches", "pool", "refills", "batch", "slow", "mismatches~", "refills~", "inflight", "returned",
    "node", "remote", "held", "slow~", "ring", "cache", "misses", "cpu", "napi", "driver", "queue", "netns",
)  # fmt: skip
BUSY = "busy"
"""The order that is no column's: mismatches first, then activity."""


def columns(text: str) -> tuple[Column, ...]:
    """The columns named in *text*, with commas between. UsageError for a name that none has."""
    return tuple(column_called(name.strip(), "--columns") for name in text.split(","))


def column_called(name: str, where: str) -> Column:
    """The column of this name; UsageError with the nearest one."""
    if column := BY_KEY.get(name):
        return column
    fix = nearest(name, BY_KEY) or f"one of {', '.join(BY_KEY)}"
    raise UsageError(f"{where}: there is no column {name!r}", fix=fix)


@dataclass(frozen=True)
class Place:
    """A column with its room on the screen."""

    column: Column
    width: int
    trend: int = 0
    """Cells for its trend, behind a space; 0: none."""


def fit(
    plan: Plan, width: int, chosen: Sequence[Column] = (), absent: Container[str] = frozenset()
) -> tuple[Place, ...]:
    """What fits into *width* cells, a space between any two: what matters most first, and then trends as wide as can
    be. *chosen* columns keep their order, and have their trends; others come as in ``COLUMNS``, without *absent* keys.
    """
    wishes = [wish for column in chosen for wish in (column.key, f"{column.key}~")] or WISHES
    kept: dict[str, int] = {}
    left = width + 1
    for wish in wishes:
        column, room = BY_KEY[wish.rstrip("~")], _room(wish)
        fits = room <= left and (chosen or (column.key not in absent and _is_counted(column, plan)))
        if (fits and (wish == column.key or (column.trend and column.key in kept))) or not kept:
            kept[wish] = room
            left -= room
    order = list(chosen) or list(COLUMNS)
    return _spread([column for column in order if column.key in kept], kept, left)


def _room(wish: str) -> int:
    """Cells that a column or a trend takes at least, with the space behind it."""
    return LEAST_TREND + 1 if wish.endswith("~") else _least(BY_KEY[wish]) + 1


LEAST_TREND, MOST_TREND = 7, 24
_NARROW = {"pool": 6, "netdev": 10, "driver": 8}


def _least(column: Column) -> int:
    return _NARROW.get(column.key, column.width)


def _is_counted(column: Column, plan: Plan) -> bool:
    return not column.metric or TABLE[column.metric].counted_by(plan)


def absent(rows: Sequence[Row]) -> frozenset[str]:
    """Columns of which no row has anything to say: of nodes where there is one, of NAPIs where pools are added up."""
    return frozenset(key for key in _MAYBE if all(BY_KEY[key].value(row) in (None, "") for row in rows))


_MAYBE = ("driver", "napi", "queue", "cpu", "node", "remote")


def _spread(shown: Sequence[Column], kept: Mapping[str, int], left: int) -> tuple[Place, ...]:
    """Give the cells that are *left*: names their whole width, and the rest to the trends."""
    places = []
    for column in shown:
        more = max(min(column.width - _least(column), left), 0)
        left -= more
        places.append(Place(column, _least(column) + more, LEAST_TREND if f"{column.key}~" in kept else 0))
    trends = sum(bool(place.trend) for place in places)
    grow = min(max(left, 0) // trends, MOST_TREND - LEAST_TREND) if trends else 0
    return tuple(Place(place.column, place.width, place.trend + grow if place.trend else 0) for place in places)
