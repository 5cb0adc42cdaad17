"""Moves by a driver, as its programs are told of them: no driver at hand calls page_pool_update_nid by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ppobserve.kernel import bpf
from ppobserve.lab.affinity import pinned
from ppobserve.lab.veth import VethLab
from ppobserve.model.features import Features
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import Counters, subtract, total
from ppobserve.model.trace import Kind, Selection
from ppobserve.probe.attach import Attached, attach
from ppobserve.probe.tracing import Tracer
from ppobserve.source.live import Live
from tests.live.conftest import address_of, pool_of, settled

pytestmark = pytest.mark.usefixtures("veth")

NET_IOV = 1
"""A buffer without a page: what is no reason of its pool's is reason="other"."""
NODE = 1
CPU = 0
SENT = 1_000_003

Count = Callable[[Rung], Attached]


@pytest.fixture(scope="module")
def count(features: Features) -> Iterator[Count]:
    """Level standard by a rung, with its programs at hand to run."""
    started: dict[Rung, Attached] = {}

    def begin(rung: Rung) -> Attached:
        if rung not in started:
            started[rung] = attach(features, Level.STANDARD, forced=rung)
        return started[rung]

    yield begin
    for attached in started.values():
        attached.close()


def move(attached: Attached, pool: int, returns: int) -> None:
    """Run the programs as page_pool_update_nid runs them on one CPU: the move, and a return for each page given up."""
    updated, back = (attached.program(attached.purpose.prefix + name) for name in ("nid_updated", "page_returned"))
    with pinned(CPU):
        bpf.test_run(updated, context=bpf.u64s([pool, NODE]))
        for _ in range(returns):
            bpf.test_run(back, context=bpf.u64s([pool, NET_IOV, 0]))


def returned(counters: Counters) -> dict[str, int]:
    """Pages by reason, without those that there are none of."""
    return {reason: pages for (reason,), pages in counters["pages_returned"].items() if pages}


def test_what_a_move_empties_out_of_the_cache_is_counted_as_that_and_what_follows_is_not(
    count: Count, rung: Rung
) -> None:
    """The tracepoint rung finds no page_pool_update_nid among the callers of a test run."""
    attached = count(rung)
    source = Live(attached)
    with VethLab(receiver_cpu=CPU) as lab:
        lab.send(SENT, cpu=CPU)
        before = settled(lambda: pool_of(source.read(), lab.receiver))
        cached = int(before.gauges["cache_pages"])
        move(attached, address_of(attached, lab.receiver), cached + 1)
        moved = subtract(pool_of(source.read(), lab.receiver).counters, before.counters)
    assert cached > 0
    assert total(moved["nid_updates"]) == 1
    expected = {"other": cached + 1} if rung is Rung.TRACEPOINT else {"nid_update": cached, "other": 1}
    assert returned(moved) == expected


@pytest.mark.parametrize("rung", [Rung.FENTRY.value, Rung.KPROBE.value], indirect=True)
def test_a_trace_of_a_move_tells_it_and_the_pages_that_it_gives_up(
    count: Count, features: Features, rung: Rung
) -> None:
    asked = Selection(frozenset({Kind.RETURN, Kind.UPDATE_NID}), limit=0)
    attached, tracer = count(rung), Tracer.start(features, asked, rung=rung)
    try:
        with VethLab(receiver_cpu=CPU) as lab:
            lab.send(SENT, cpu=CPU)
            source = Live(attached)
            cached = int(settled(lambda: pool_of(source.read(), lab.receiver)).gauges["cache_pages"])
            tracer.read()  # what the traffic made
            move(tracer.attached, address_of(attached, lab.receiver), cached + 1)
            mine = lab.receiver.netns, lab.receiver.ifindex
            events = [event for event in tracer.read() if (event.netns, event.ifindex) == mine]
    finally:
        tracer.close()
    assert cached > 0
    assert [event.kind for event in events] == [Kind.UPDATE_NID, *[Kind.RETURN] * (cached + 1)]
    assert (events[0].wanted_node, events[0].cpu) == (NODE, CPU)
    assert [event.reason for event in events[1:]] == ["nid_update"] * cached + ["other"]
