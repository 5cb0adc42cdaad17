"""Traced events against the counters of a source that watches the same traffic, on every rung, from either buffer."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import pytest

from ppobserve.lab.frames import run_frames
from ppobserve.lab.veth import VethLab
from ppobserve.model.features import Features
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import total
from ppobserve.model.snapshot import Snapshot, delta
from ppobserve.model.trace import Event, Kind, Selection
from ppobserve.probe.tracing import Tracer
from tests.live.conftest import Start, settled, unmissed
from tests.live.owned import gone, programs_of
from tests.live.traffic import STAYS, TRIES, moving_dropped

BOTH_WAYS = {("0", "1"), ("1", "0")}
FRAMES = 1009
MEGABYTE = 1_000_003
# Of test runs alone: the stacks of what goes through the pools of others would fill any buffer.
EVERYTHING = Selection(netdevs=frozenset({""}), limit=0, stack=True)
MISMATCHES = Selection(frozenset({Kind.MISMATCH}), limit=0)
# An emulated CPU compiles for ten seconds or more: there, each kind of buffer has one test.
GUEST = bool(os.environ.get("PPOBSERVE_GUEST"))
BUFFERS = [False] if GUEST else [True, False]
OVERFLOWING = [True] if GUEST else [True, False]

Trace = Callable[..., Tracer]


@contextmanager
def tracing(features: Features, selection: Selection, ring: bool | None = None) -> Iterator[Tracer]:
    tracer = Tracer.start(features, selection, ring=ring)
    try:
        yield tracer
    finally:
        tracer.close()


@pytest.fixture(scope="module")
def trace(features: Features) -> Iterator[Trace]:
    """A trace of all events of test runs, stacks too, or of *selection*, by a rung; what was sent before is gone."""
    started: dict[tuple[Rung, Selection], Tracer] = {}

    def begin(rung: Rung, selection: Selection = EVERYTHING) -> Tracer:
        key = rung, selection
        if key not in started:
            started[key] = Tracer.start(features, selection, rung=rung)
        started[key].read()
        return started[key]

    yield begin
    for tracer in started.values():
        tracer.close()


def deviceless(snapshot: Snapshot) -> dict[str, int]:
    """What the pools of test runs counted, in the words of events."""
    found: Counter[str] = Counter()
    for sample in snapshot.pools:
        if not sample.pool.ifindex:
            found["slow"] += total(sample.counters["slow_refills"])
            found.update({reason: pages for (reason,), pages in sample.counters["pages_returned"].items()})
    return dict(+found)


def same_as_counted(events: list[Event], gained: Snapshot, rung: Rung, pools: int) -> None:
    """Events of test runs are, to the event, what was counted of them; each pool begins and ends once."""
    seen = Counter(event.reason or event.kind.value for event in events)
    life = {kind.value: seen.pop(kind.value, 0) for kind in (Kind.CREATE, Kind.DESTROY, Kind.UPDATE_NID)}
    assert dict(seen) == deviceless(gained)
    assert life == {"create": 0 if rung is Rung.TRACEPOINT else pools, "destroy": pools, "update_nid": 0}


def without_device(tracer: Tracer) -> list[Event]:
    events = tracer.read()
    dropped = tracer.dropped()
    assert dropped.limited == dropped.lost == 0
    return [event for event in events if not event.ifindex]


def nodes_of(events: list[Event]) -> Counter[tuple[str, ...]]:
    """How many events there are of each page node and wanted node."""
    return Counter((str(event.page_node), str(event.wanted_node)) for event in events)


def test_every_hook_of_every_event_attaches(trace: Trace, rung: Rung) -> None:
    tracer = trace(rung)
    assert all(tracer.hooks_attached().values())
    assert tracer.ring
    assert set(tracer.what.unseen) == ({Kind.CREATE} if rung is Rung.TRACEPOINT else set())


@pytest.mark.usefixtures("frames")
def test_events_equal_the_counters(trace: Trace, start: Start, rung: Rung) -> None:
    source, tracer = start(Level.STANDARD, rung), trace(rung)
    before = source.read()
    run_frames(FRAMES, cpu=0, per_pool=FRAMES)
    run_frames(64 * 3, cpu=0, per_pool=64)
    events = without_device(tracer)
    same_as_counted(events, delta(source.read(), before), rung, pools=4)
    assert events == sorted(events, key=lambda event: event.time_ns)
    assert abs(events[-1].time_ns / 1e9 - time.time()) < 60
    assert {event.cpu for event in events} == {0}


@pytest.mark.usefixtures("frames")
def test_a_stack_ends_in_the_system_call_that_made_the_frames(trace: Trace, rung: Rung) -> None:
    tracer = trace(rung)
    run_frames(FRAMES, cpu=0, per_pool=FRAMES)
    (event,) = (event for event in without_device(tracer) if event.kind is Kind.DESTROY)
    names = [name.partition("+")[0] for name in event.stack]
    assert any("test_run_xdp" in name for name in names)
    assert names.index("page_pool_destroy") < names.index("__sys_bpf")


@dataclass(frozen=True)
class Moves:
    """What every rung here told, and counted, of the same frames, whose sender moves between the nodes."""

    moved: bool
    events: Mapping[Rung, list[Event]]
    gained: Mapping[Rung, Snapshot]


@pytest.fixture(scope="module")
def moves(features: Features, start: Start, trace: Trace) -> Callable[[], Moves]:
    rungs = [rung for rung in Rung if not features.refusals.get(rung.value)]

    @cache
    def watched() -> Moves:
        sources = {rung: start(Level.STANDARD, rung) for rung in rungs}
        tracers = {rung: trace(rung, MISMATCHES) for rung in rungs}

        def turn() -> Moves:
            before = {rung: source.read() for rung, source in sources.items()}
            moved = moving_dropped(features).moved
            events = {rung: without_device(tracer) for rung, tracer in tracers.items()}
            return Moves(moved, events, {rung: delta(sources[rung].read(), before[rung]) for rung in rungs})

        return unmissed([*sources.values(), *(tracer.attached for tracer in tracers.values())], turn)

    return watched


@pytest.mark.usefixtures("frames")
def test_mismatches_of_moving_frames_equal_the_counters(
    moves: Callable[[], Moves], features: Features, rung: Rung, require: Callable[..., None]
) -> None:
    require(features.nodes > 1, "one NUMA node", capability="numa")
    events, cells = moves().events[rung], Counter[tuple[str, ...]]()
    for sample in moves().gained[rung].pools:
        if not sample.pool.ifindex:
            cells.update(sample.counters["numa_mismatch_pages"])
    assert nodes_of(events) == +cells
    require(moves().moved, STAYS, capability="moves")
    assert events


@pytest.mark.usefixtures("veth")
def test_mismatches_equal_the_counters_node_by_node(
    trace: Trace, features: Features, start: Start, rung: Rung, require: Callable[..., None]
) -> None:
    require(features.nodes > 1, "one NUMA node", capability="numa")
    source, tracer = start(Level.STANDARD, rung), trace(rung, MISMATCHES)
    with VethLab(receiver_cpu=0) as lab:
        mine = {(end.netns, end.ifindex) for end in (lab.sender, lab.receiver)}

        def cells(before: Snapshot) -> Counter[tuple[str, ...]]:
            found: Counter[tuple[str, ...]] = Counter()
            for sample in delta(source.read(), before).pools:
                if (sample.pool.netns, sample.pool.ifindex) in mine:
                    found.update(sample.counters["numa_mismatch_pages"])
            return +found

        def turn() -> tuple[Counter[tuple[str, ...]], list[Event]]:
            """Until pages of each node were met on the other: what is in the ring when the sender moves is chance."""
            before = source.read()
            for cpu in (0, 1) * TRIES:
                lab.send(MEGABYTE, cpu=cpu)
                if cells(before).keys() == BOTH_WAYS:
                    break
            return settled(lambda: cells(before)), tracer.read()

        counted, events = unmissed([source, tracer.attached], turn)
    dropped = tracer.dropped()
    assert dropped.limited == dropped.lost == 0
    mismatches = [event for event in events if (event.netns, event.ifindex) in mine]
    assert {event.kind for event in events} == {Kind.MISMATCH}
    assert nodes_of(mismatches) == counted
    assert counted.keys() == BOTH_WAYS
    assert {event.node for event in mismatches} == {0, 1}


@pytest.mark.usefixtures("frames")
def test_filters_let_through_what_is_asked_for_and_nothing_else(features: Features) -> None:
    """Frames on each node, and a stream over veth: the slow refills and ends of the frames' pools on the last node."""
    last = features.nodes - 1
    kinds = frozenset({Kind.SLOW, Kind.DESTROY})
    asked = Selection(kinds, netdevs=frozenset({"", "no such"}), nodes=frozenset({last, 1023}), limit=0)
    with tracing(features, asked) as tracer:
        for cpu in range(features.nodes):
            run_frames(64, cpu=cpu)
        with VethLab(receiver_cpu=0) as lab:
            lab.send(MEGABYTE, cpu=0)
        events = tracer.read()
    assert {event.netdev for event in events} == {""}
    assert Counter(event.kind for event in events if not event.ifindex) == {Kind.SLOW: 1, Kind.DESTROY: 1}
    assert all(last in (event.node, event.page_node, event.wanted_node) for event in events)


@pytest.mark.usefixtures("frames")
@pytest.mark.parametrize("ring", BUFFERS, ids=lambda ring: "ring" if ring else "perf")
def test_shown_and_dropped_is_all(features: Features, start: Start, ring: bool) -> None:
    """One CPU takes *limit* events in each of its seconds, and counts the rest; from perf's buffers, too."""
    source, limit = start(), 37
    asked = Selection(frozenset({Kind.RETURN}), netdevs=frozenset({""}), limit=limit)
    with tracing(features, asked, ring=ring) as tracer:
        assert tracer.ring is ring
        before, began = source.read(), time.monotonic()
        for _ in range(3):
            run_frames(FRAMES, cpu=0, per_pool=FRAMES)
        seconds = time.monotonic() - began
        tracer.stop()
        events, dropped = tracer.read(), tracer.dropped()
    gained = deviceless(delta(source.read(), before))
    assert len(events) + dropped.limited == sum(gained.values()) - gained["slow"]
    assert dropped.lost == 0 < dropped.limited
    assert limit <= len(events) <= limit * (int(seconds) + 2)
    assert {event.reason for event in events} <= set(gained)


@pytest.mark.usefixtures("frames")
@pytest.mark.parametrize("ring", OVERFLOWING, ids=lambda ring: "ring" if ring else "perf")
def test_what_finds_the_buffer_full_is_counted_and_nothing_stays_attached(
    features: Features, start: Start, ring: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ppobserve.probe.tracing.RING_BYTES", 4096)
    monkeypatch.setattr("ppobserve.probe.tracing.PERF_BYTES", 4096)
    source, programs = start(), programs_of()
    asked = Selection(frozenset({Kind.RETURN}), netdevs=frozenset({""}), limit=0)
    with tracing(features, asked, ring=ring) as tracer:
        ours = programs_of() - programs
        assert ours
        before = source.read()
        run_frames(64 * 7, cpu=0, per_pool=64)
        tracer.stop()
        events, dropped = tracer.read(), tracer.dropped()
    gained = deviceless(delta(source.read(), before))
    assert len(events) + dropped.lost == sum(gained.values()) - gained["slow"] == 64 * 7
    assert dropped.lost > len(events) > 0 == dropped.limited
    assert gone(ours)
