"""What a trace asks of the loader child: the programs, and the choices that they are compiled for."""

from __future__ import annotations

from collections.abc import Mapping
from mmap import PAGESIZE
from typing import Any
from unittest.mock import Mock

import pytest

from ppobserve.errors import NotObservable
from ppobserve.kernel import clock
from ppobserve.kernel.clock import Clock
from ppobserve.model.plan import Rung
from ppobserve.model.trace import Kind, Selection
from ppobserve.probe import child, events, tracing
from ppobserve.probe.tracing import MAPS, RING_BYTES, Tracer
from tests.unit.factories import KERNEL, kernel

Request = Mapping[str, Any]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests to a loader that refuses each rung."""
    requests: list[Request] = []

    def refuse(request: Request, seconds: float) -> tuple[dict[str, Any], list[int]]:
        requests.append(request)
        return {"error": "not here", "kind": "refused", "log": ""}, []

    monkeypatch.setattr(child, "ask", refuse)
    return requests


def request_for(asked: list[Request], selection: Selection, rung: Rung = Rung.FENTRY, ring: bool = True) -> Request:
    with pytest.raises(NotObservable, match="not here"):
        Tracer.start(KERNEL, selection, rung=rung, ring=ring)
    (request,) = asked
    return request


def choices(request: Request) -> dict[str, str]:
    names = ("EVENTS", "LIMIT", "STACK", "RING_PAGES", "PAGE_SIZE", "ONLY_NETDEVS", "ONLY_NODES")
    given = dict(flag.removeprefix("-D").split("=", 1) for flag in request["cflags"])
    return {name: given[name] for name in names if name in given}


def test_without_words_everything_is_let_through_up_to_the_limit(asked: list[Request]) -> None:
    found = choices(request_for(asked, Selection()))
    ring = {"RING_PAGES": str(RING_BYTES // PAGESIZE), "PAGE_SIZE": str(PAGESIZE)}
    assert found == {"EVENTS": "63", "LIMIT": "1000", "STACK": "0", **ring}


def test_what_is_asked_for_reaches_the_kernel(asked: list[Request]) -> None:
    wanted = Selection(frozenset({Kind.RETURN}), frozenset({"eth0"}), frozenset({1}), 7, True)
    found = choices(request_for(asked, wanted, ring=False))
    # a return of reason numa is a mismatch, so its bit is there, too
    assert found == {"EVENTS": "5", "LIMIT": "7", "STACK": "32", "ONLY_NETDEVS": "1", "ONLY_NODES": "1"}


@pytest.mark.parametrize("rung", Rung)
def test_only_what_an_event_needs_is_attached(asked: list[Request], rung: Rung) -> None:
    request = request_for(asked, Selection(frozenset({Kind.DESTROY})), rung)
    assert [(item["kind"], item["function"]) for item in request["attach"]] == [
        ("raw_tracepoint", "trace_pool_released")
    ]
    assert (set(request["maps"]), request["load"], request["tables"]) == (set(MAPS), [], {})


def test_a_rung_that_does_not_hold_falls_to_the_next(asked: list[Request]) -> None:
    with pytest.raises(NotObservable, match="every way to hook page_pool was refused") as caught:
        Tracer.start(KERNEL, Selection(), ring=True)
    assert len(asked) == 3
    assert str(caught.value).count("not here") == 3


def test_who_is_not_root_is_told_before_anything_is_compiled(asked: list[Request]) -> None:
    with pytest.raises(NotObservable, match="needs root"):
        Tracer.start(kernel(root=False), Selection(), ring=True)
    assert asked == []


def test_times_are_by_the_clock_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace of days outlives more than one step of it."""
    record = bytes(events.event_type(0)(ns=5))
    tracer = object.__new__(Tracer)
    tracer._decoder, tracer._buffers = events.Decoder(0, str), [Mock(records=lambda: [record])]
    monkeypatch.setattr(clock.time, "monotonic_ns", lambda: 1000)
    tracer._clock = Clock(-300)  # in a time namespace
    for now in (10**18, 2 * 10**18):
        monkeypatch.setattr(tracing.time, "time_ns", lambda now=now: now)
        assert [event.time_ns for event in tracer.read()] == [now - 700 + 5]
