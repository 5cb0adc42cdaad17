"""What ``bpf/trace/event.h`` sends, as ctypes, and as events."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

from ppobserve.model.trace import KINDS, Event, Kind
from ppobserve.probe import abi
from ppobserve.probe.abi import NAME_BYTES, S32, U32, U64

FRAMES = 32
"""Callers that go with an event at the most: the program keeps them on its stack of 512 bytes."""
NODES = 1024
"""CONFIG_NODES_SHIFT is 10 at the most, so that trace tells all nodes apart; this number itself stands for none."""


class Tally(ctypes.Structure):
    """``struct tally``: events of one CPU that were not sent."""

    _fields_ = (("second", U64), ("taken", U64), ("limited", U64), ("lost", U64))


@cache
def event_type(frames: int) -> type[ctypes.Structure]:
    """``struct event`` with room for so many callers."""
    fields = (
        ("ns", U64),
        ("pool", U64),
        ("kind", U32),
        ("cpu", U32),
        ("node", U32),
        ("pid", U32),
        ("id", U32),
        ("netns", U32),
        ("ifindex", U32),
        ("napi_id", U32),
        ("page_node", U32),
        ("wanted_node", U32),
        ("reason", U32),
        ("pages", S32),
        ("stack_bytes", S32),
        ("nid", S32),
        ("comm", ctypes.c_char * NAME_BYTES),
        ("netdev", ctypes.c_char * NAME_BYTES),
        ("stack", U64 * frames),
    )
    return type("Event", (ctypes.Structure,), {"_fields_": fields})


def assertions(frames: int) -> str:
    """C that does not compile unless ``bpf/trace/event.h`` has every field where this module has it."""
    structs: dict[str, type[ctypes.Structure]] = {"event": event_type(frames), "tally": Tally}
    kinds = {f"EVENT_{kind.name}": index for index, kind in enumerate(KINDS)}
    differ = '"bpf/trace/event.h and ppobserve/probe/events.py differ"'
    order = "".join(f"_Static_assert({name} == {index}, {differ});\n" for name, index in kinds.items())
    return order + abi.enum_assertions() + abi.assertions_of(structs, "bpf/trace/event.h", "ppobserve/probe/events.py")


class Decoder:
    """Records to events. *symbol* names an address."""

    def __init__(self, frames: int, symbol: Callable[[int], str]) -> None:
        self._type, self._symbol = event_type(frames), symbol

    def event(self, record: bytes, epoch_ns: int) -> Event:
        """One record; ValueError for one that is too short. *epoch_ns*: when the kernel's clock was 0, by time()."""
        raw = self._type.from_buffer_copy(record)
        kind = KINDS[raw.kind]
        return Event(
            time_ns=epoch_ns + raw.ns,
            kind=kind,
            cpu=raw.cpu,
            node=raw.node,
            pid=raw.pid,
            comm=raw.comm.decode(errors="replace"),
            pool=pool_name(raw.id, raw.pool),
            netdev=raw.netdev.decode(errors="replace"),
            netns=raw.netns,
            ifindex=raw.ifindex,
            napi=raw.napi_id,
            nid=raw.nid,
            page_node=_node(raw.page_node),
            wanted_node=_node(raw.wanted_node),
            reason=abi.RETURNS[raw.reason] if raw.reason < len(abi.RETURNS) else "",
            pages=_pages(kind, raw.pages),
            stack=tuple(map(self._symbol, raw.stack[: max(raw.stack_bytes, 0) // 8])),
        )


def pool_name(number: int, address: int) -> str:
    """The kernel's number of a pool; before kernel commit f17c69649c69 (6.8) it has none, and its address stands in."""
    return str(number) if number else f"{address:x}"


def _node(raw: int) -> int | None:
    return raw if raw < NODES else None


def _pages(kind: Kind, raw: int) -> int | None:
    if kind is Kind.DESTROY:
        return raw
    return raw or None if kind is Kind.SLOW else None
