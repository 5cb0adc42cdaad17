"""The table of ``ppobserve pools``: under 80 columns, or wide."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from ppobserve.model.inventory import Known
from ppobserve.model.plan import Plan, Rung
from ppobserve.ui.columns import Column, fitted, headings, line
from ppobserve.ui.format import short

WIDTH = 79
_AGES = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def table(pools: Sequence[Known], plan: Plan, *, wide: bool, netns_unreadable: int = 0) -> str:
    """A line for each pool, what its dashes mean, and which pools may be missing."""
    columns = fitted(_WIDE, pools) if wide else _NARROW
    lines = [headings(columns), *(line(columns, known) for known in pools)] if pools else ["no pool was seen"]
    said = [*_notes(pools), *_unreadable(netns_unreadable), missing(plan)]
    notes = (textwrap.fill(note, WIDTH, subsequent_indent="  ") for note in said)
    return "\n".join([*lines, "", *notes])


def _notes(pools: Sequence[Known]) -> list[str]:
    idle = sum(not known.used for known in pools)
    if not idle:
        return []
    who = "1 pool was" if idle == 1 else f"{idle} pools were"
    return [f"idle: {who} not used while we looked; the kernel's list does not say what is - here, its first use does"]


def _unreadable(netns: int) -> list[str]:
    """Namespaces that could not be entered."""
    if not netns:
        return []
    where = "1 network namespace" if netns == 1 else f"{netns} network namespaces"
    return [f"idle pools of {where} are not listed: ppobserve may not enter there (ppobserve check says why)"]


def missing(plan: Plan) -> str:
    """Who is not in the list, though he may exist."""
    unlisted = "a pool that the kernel does not list (of veth, of a test run, before 6.8 any) is seen when it"
    if plan.rung is Rung.TRACEPOINT:
        return f"{unlisted} takes a page from the page allocator or gives one back: not while it recycles all of them"
    return f"{unlisted} is refilled"


def age(seconds: float | None) -> str:
    """In one unit: ``41s``, ``3m``, ``5h``, ``2d``; empty where there is none."""
    if seconds is None:
        return ""
    size, unit = next(((size, unit) for size, unit in _AGES if seconds >= size), _AGES[-1])
    return f"{seconds // size:.0f}{unit}"


def _number(value: int | None, none: int | None = None) -> str:
    return "-" if value is None or value == none else str(value)


def _if_used(value: Callable[[Known], str]) -> Callable[[Known], str]:
    """A dash for what only the first use tells."""
    return lambda known: value(known) if known.used else "-"


def _state(known: Known) -> str:
    return f"{known.state} {age(known.detached_seconds)}".rstrip()


_NID = _if_used(lambda known: "any" if known.pool.nid < 0 else str(known.pool.nid))
_QUEUE = _if_used(lambda known: _number(known.pool.queue, -1))
_DEVICE_NODE = _if_used(lambda known: _number(known.pool.device_node, -1))

_NARROW = (
    Column[Known]("POOL", 8, lambda known: known.pool.id, left=True),
    Column[Known]("NETDEV", 12, lambda known: known.pool.netdev or "-", left=True),
    Column[Known]("DRIVER", 10, lambda known: known.pool.driver or "-", left=True),
    Column[Known]("QUEUE", 5, _QUEUE),
    Column[Known]("NAPI", 5, lambda known: _number(known.pool.napi, 0)),
    Column[Known]("NID", 3, _NID),
    Column[Known]("DEV", 3, _DEVICE_NODE),
    Column[Known]("RING", 5, lambda known: _number(known.ring_size)),
    Column[Known]("INFLIGHT", 8, lambda known: short(known.inflight)),
    Column[Known]("STATE", 12, _state, left=True),
)
_WIDE = (
    Column[Known]("POOL", 0, lambda known: known.pool.id, left=True),
    Column[Known]("NETDEV", 0, lambda known: known.pool.netdev or "-", left=True),
    Column[Known]("NETNS", 0, lambda known: _number(known.pool.netns, 0)),
    Column[Known]("IFINDEX", 0, lambda known: _number(known.pool.ifindex, 0)),
    Column[Known]("DRIVER", 0, lambda known: known.pool.driver or "-", left=True),
    Column[Known]("DEVICE", 0, lambda known: known.pool.device or "-", left=True),
    Column[Known]("QUEUE", 0, _QUEUE),
    Column[Known]("NAPI", 0, lambda known: _number(known.pool.napi, 0)),
    Column[Known]("CPU", 0, _if_used(lambda known: _number(known.pool.cpu, -1))),
    Column[Known]("CONSUMER", 0, _if_used(lambda known: _number(known.pool.consumer_cpu, -1))),
    Column[Known]("NID", 0, _NID),
    Column[Known]("DEVNODE", 0, _DEVICE_NODE),
    Column[Known]("ORDER", 0, _if_used(lambda known: str(known.pool.order))),
    Column[Known]("PROVIDER", 0, _if_used(lambda known: "yes" if known.pool.provider else "no"), left=True),
    Column[Known]("RING", 0, lambda known: _number(known.ring_size)),
    Column[Known]("INRING", 0, lambda known: _number(known.ring_pages)),
    Column[Known]("CACHE", 0, lambda known: _number(known.cache_pages)),
    Column[Known]("INFLIGHT", 0, lambda known: _number(known.inflight)),
    Column[Known]("STATE", 0, _state, left=True),
)
