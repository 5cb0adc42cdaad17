"""Traced events as lines: under 80 columns, or wide."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable
from functools import lru_cache

from ppobserve.model.trace import Dropped, Event, Kind, Selection, TracePlan
from ppobserve.ui.columns import Column, headings, line
from ppobserve.ui.format import printable

WIDTH = 79
_GLUE = ("bpf_prog_", "bpf_trace_run", "bpf_trampoline_", "__bpf_trace_", "__traceiter_", "0x")
"""What lies between a hook and us on a stack."""


def header(what: TracePlan, selection: Selection, *, wide: bool) -> str:
    """What is traced and how, what is not and why, then the headings."""
    kinds = ", ".join(kind.value for kind in Kind if kind in selection.kinds - what.unseen.keys())
    limit = f", at most {selection.limit} a second on each CPU" if selection.limit else ""
    texts = [f"Tracing {kinds} by {what.plan.rung.value}{limit}. Ctrl-C to end."]
    texts += [f"not seen here: {kind.value}: {why}" for kind, why in what.unseen.items()]
    wrapped = [textwrap.fill(text, WIDTH, subsequent_indent="  ") for text in [*texts, *what.notes]]
    return "\n".join([*wrapped, headings(_WIDE if wide else _NARROW)])


def lines(event: Event, *, wide: bool) -> str:
    """The line of an event, and a line for each of its callers."""
    return "\n".join([line(_WIDE if wide else _NARROW, event), *(f"    {printable(each)}" for each in callers(event))])


def callers(event: Event) -> Iterable[str]:
    """The stack without our own program and the kernel's way to it; all of it where nothing else is known."""
    first = next((at for at, name in enumerate(event.stack) if not name.startswith(_GLUE)), 0)
    return event.stack[first:]


def dropped_line(dropped: Dropped) -> str:
    """What was not shown, between the lines."""
    return f"-- {told(dropped)} so far --"


def summary(shown: int, dropped: Dropped) -> str:
    """The last line."""
    return f"{shown:,} {'event' if shown == 1 else 'events'} shown, {told(dropped)}"


def told(dropped: Dropped) -> str:
    """What was dropped, by cause."""
    skipped = f", {dropped.skipped:,} skipped by the kernel" if dropped.skipped else ""
    return f"{dropped.limited:,} over the limit, {dropped.lost:,} lost{skipped}"


def what(event: Event) -> str:
    """What an event says beside its nodes: ten characters at the most, for counts of up to five digits."""
    if event.kind is Kind.RETURN:
        return event.reason
    if event.kind is Kind.SLOW:
        return f"{event.pages} pages" if event.pages else ""
    if event.kind is Kind.DESTROY:
        return f"{event.pages} out" if event.pages else ""
    return _moved(event)


def _moved(event: Event) -> str:
    """The nodes that the driver gave the pool."""
    if event.kind is Kind.CREATE:
        return "any node" if event.nid < 0 else f"nid {event.nid}"
    return f"{_any(event.nid)} to {_node(event.wanted_node)}" if event.kind is Kind.UPDATE_NID else ""


def _any(nid: int) -> str:
    return "any" if nid < 0 else str(nid)


def _node(node: int | None) -> str:
    return "-" if node is None else str(node)


def _time(event: Event, digits: int) -> str:
    """Time of day, cut and not rounded: a second has not come before it has."""
    seconds, nanoseconds = divmod(event.time_ns, 10**9)
    return f"{_second(seconds)}.{f'{nanoseconds:09}'[:digits]}"


@lru_cache(16)
def _second(seconds: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def _end(text: str, width: int) -> str:
    """The end of a text that is too long: that is where numbers differ."""
    return text if len(text) <= width else f"…{text[1 - width :]}"


_NARROW = (
    Column[Event]("TIME", 12, lambda event: _time(event, 3), left=True),
    Column[Event]("CPU", 3, lambda event: str(event.cpu)),
    Column[Event]("NODE", 4, lambda event: str(event.node)),
    Column[Event]("EVENT", 10, lambda event: event.kind.value, left=True),
    Column[Event]("WHAT", 10, what, left=True),
    Column[Event]("POOL", 6, lambda event: _end(event.pool, 6), left=True),
    Column[Event]("NETDEV", 8, lambda event: event.netdev or "-", left=True),
    Column[Event]("PAGE", 4, lambda event: _node(event.page_node)),
    Column[Event]("WANT", 4, lambda event: _node(event.wanted_node)),
    Column[Event]("COMM", 9, lambda event: event.comm, left=True),
)
_WIDE = (
    Column[Event]("TIME", 15, lambda event: _time(event, 6), left=True),
    Column[Event]("CPU", 4, lambda event: str(event.cpu)),
    Column[Event]("NODE", 4, lambda event: str(event.node)),
    Column[Event]("EVENT", 10, lambda event: event.kind.value, left=True),
    Column[Event]("WHAT", 11, what, left=True),
    Column[Event]("POOL", 16, lambda event: event.pool, left=True),
    Column[Event]("NETDEV", 15, lambda event: event.netdev or "-", left=True),
    Column[Event]("NETNS", 10, lambda event: str(event.netns or "-")),
    Column[Event]("NAPI", 6, lambda event: str(event.napi or "-")),
    Column[Event]("PAGE", 4, lambda event: _node(event.page_node)),
    Column[Event]("WANT", 4, lambda event: _node(event.wanted_node)),
    Column[Event]("PID", 7, lambda event: str(event.pid)),
    Column[Event]("COMM", 15, lambda event: event.comm, left=True),
)
