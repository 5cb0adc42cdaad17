"""What bpf/trace/event.h sends: mirrored to the byte, and read back as an event."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import pytest

from ppobserve.model.trace import KINDS, Kind
from ppobserve.probe import events
from ppobserve.probe.abi import RETURNS, enum_assertions
from ppobserve.probe.program_text import bpf_folder

TEXT = (bpf_folder() / "trace/event.h").read_text()
MEMBER = re.compile(r"^\t(?:u64|u32|s32|char) (\w+)(?:\[|;)", re.MULTILINE)


@pytest.mark.parametrize(("name", "struct"), [("event", events.event_type(32)), ("tally", events.Tally)])
def test_every_member_is_mirrored_and_asserted(name: str, struct: type[ctypes.Structure]) -> None:
    (body,) = re.findall(rf"^struct {name} {{$(.*?)^}};$", TEXT, re.MULTILINE | re.DOTALL)
    mirrored = [field[0] for field in struct._fields_]
    assert mirrored == MEMBER.findall(body)
    asserted = re.findall(rf"__builtin_offsetof\(struct {name}, (\w+)\) == (\d+),", events.assertions(32))
    assert [(field, int(at)) for field, at in asserted] == [(each, getattr(struct, each).offset) for each in mirrored]


def test_an_assertion_that_fails_names_the_two_files() -> None:
    lines = events.assertions(0).splitlines()
    shared = enum_assertions().splitlines()
    assert set(shared) < set(lines)
    own = [line for line in lines if line not in shared]
    assert all(line.endswith('"bpf/trace/event.h and ppobserve/probe/events.py differ");') for line in own)


def test_kinds_are_in_the_kernel_side_s_order() -> None:
    (listed,) = re.findall(r"enum { (EVENT_[^}]*) };", TEXT)
    assert [name.strip().removeprefix("EVENT_").lower() for name in listed.split(",")] == [kind.value for kind in KINDS]


def test_an_event_with_its_stack_leaves_half_of_a_program_s_stack() -> None:
    assert ctypes.sizeof(events.event_type(events.FRAMES)) <= 512 - 128


def record(frames: int = 0, **fields: Any) -> bytes:
    blank = {"page_node": events.NODES, "wanted_node": events.NODES, "reason": len(RETURNS), "nid": -1}
    stack = fields.pop("stack", ())
    raw = events.event_type(frames)(**{**blank, **fields})
    for place, address in enumerate(stack):
        raw.stack[place] = address
    return bytes(raw)


def decoded(data: bytes, frames: int = 0) -> Any:
    return events.Decoder(frames, lambda address: f"at {address}").event(data, 10**18)


def test_a_mismatch_comes_back_as_it_was() -> None:
    sent = record(
        ns=7, pool=0xFFFF, kind=0, cpu=3, node=1, pid=41, id=23, netns=5, ifindex=2, napi_id=8, page_node=0,
        wanted_node=1, reason=0, nid=1, comm=b"ksoftirqd/3", netdev=b"eth0",
    )  # fmt: skip
    event = decoded(sent)
    assert (event.time_ns, event.kind, event.cpu, event.node) == (10**18 + 7, Kind.MISMATCH, 3, 1)
    assert (event.pid, event.comm, event.pool, event.netdev) == (41, "ksoftirqd/3", "23", "eth0")
    assert (event.netns, event.ifindex, event.napi, event.nid) == (5, 2, 8, 1)
    assert (event.page_node, event.wanted_node, event.reason, event.pages) == (0, 1, "numa", None)


def test_a_pool_without_a_number_has_its_address() -> None:
    assert decoded(record(kind=2, pool=0xFFFF888012345000)).pool == "ffff888012345000"


def test_nodes_that_are_none_are_none() -> None:
    event = decoded(record(kind=KINDS.index(Kind.CREATE)))
    assert (event.page_node, event.wanted_node, event.reason) == (None, None, "")


@pytest.mark.parametrize(
    ("kind", "raw", "pages"),
    [(Kind.SLOW, 64, 64), (Kind.SLOW, 0, None), (Kind.DESTROY, 0, 0), (Kind.DESTROY, -2, -2), (Kind.CREATE, 0, None)],
)
def test_pages_are_what_the_kind_has(kind: Kind, raw: int, pages: int | None) -> None:
    assert decoded(record(kind=KINDS.index(kind), pages=raw)).pages == pages


@pytest.mark.parametrize(("stack_bytes", "stack"), [(16, ("at 11", "at 12")), (0, ()), (-14, ()), (32, None)])
def test_a_stack_is_as_long_as_the_kernel_said(stack_bytes: int, stack: tuple[str, ...] | None) -> None:
    data = record(4, kind=2, stack_bytes=stack_bytes, stack=(11, 12, 13, 14))
    assert decoded(data, 4).stack == (("at 11", "at 12", "at 13", "at 14") if stack is None else stack)


def test_padding_behind_a_record_is_no_matter() -> None:
    assert decoded(record(kind=1, id=5) + bytes(4)).pool == "5"


def test_a_record_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError):
        decoded(record(kind=1)[:-1])
