"""Live frames: one pool a call, gone with the call. Nothing of it may be lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pytest

from ppobserve.lab.frames import run_frames
from ppobserve.model.features import Features
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import Counters, Histogram, total
from ppobserve.model.snapshot import Snapshot, State, delta
from ppobserve.probe.attach import attach
from ppobserve.source.live import Live
from tests.live.conftest import SECONDS, Sources, Start, eventually, unmissed
from tests.live.traffic import STAYED, STAYS, TRIES, Sent, moving_frames, moving_slowly

pytestmark = pytest.mark.usefixtures("frames")

PRIME = 1_000_003
STAYING = 10_007
SMALL_FRAMES = 10_007
BATCH = 64

# An emulated CPU takes a minute to verify the biggest.
BIG_MACHINES = [(256, 2)] if os.environ.get("PPOBSERVE_GUEST") else [(256, 2), (512, 16), (1024, 16), (2048, 16)]


def deviceless(source: Live) -> Snapshot:
    """The pools of test runs have no device; whatever else goes on on this host has one."""
    snapshot = source.read()
    return replace(snapshot, pools=tuple(sample for sample in snapshot.pools if not sample.pool.ifindex))


def all_ended(source: Live) -> bool:
    """A redirected frame may come back after its pool was destroyed; the kernel looks again a second later."""
    return {sample.pool.state for sample in deviceless(source).pools} == {State.ENDED}


def gained(source: Live, frames: int, **options: int) -> Counters:
    """What the pools of test runs counted while *frames* were sent."""
    before = deviceless(source)
    run_frames(frames, cpu=0, **options)
    after = deviceless(source)
    assert after.tables.slots_dropped == before.tables.slots_dropped
    assert after.tables.pools_dropped == before.tables.pools_dropped
    return delta(after, before).counters()


@pytest.mark.parametrize("level", list(Level))
def test_what_a_pool_took_it_gave_back(start: Start, rung: Rung, level: Level) -> None:
    counters = gained(start(level, rung), 1009)
    assert total(counters["pages_held"]) == total(counters["pages_returned"]) == BATCH
    assert total(counters["slow_refills"]) == 1
    assert total(counters["numa_mismatch_pages"]) == 0


def test_nothing_is_lost_over_a_million_frames(start: Start) -> None:
    counters = gained(start(), PRIME)
    assert total(counters["pages_held"]) == total(counters["pages_returned"]) > 0


@pytest.mark.parametrize("rung", [Rung.FENTRY.value, Rung.KPROBE.value], indirect=True)
def test_every_frame_passed_a_counted_refill(start: Start, rung: Rung) -> None:
    """Dropped frames come back through the ring, so each page of a frame is in a batch or fresh."""
    source = start(Level.STANDARD, rung)
    frames = 64 * 251
    counters = gained(source, frames)
    batches = counters["refill_batch_pages"]
    assert isinstance(batches, Histogram)
    assert batches.sum + total(counters["pages_held"]) == frames
    assert total(counters["refill_misses"]) == batches.buckets[0] == total(counters["slow_refills"])


def test_short_pools_are_all_counted(start: Start) -> None:
    """A pool lives a third of a millisecond here: none may hide between two reads, and no entry may leak."""
    pools = 211
    source = start()
    counters = gained(source, pools * BATCH, per_pool=BATCH)
    assert total(counters["pages_held"]) == total(counters["pages_returned"]) == pools * BATCH
    assert {sample.pool.id for sample in deviceless(source).pools} == {"ended"}


@pytest.mark.parametrize(("cpus", "nodes"), BIG_MACHINES)
def test_programs_for_big_machines_pass_the_verifier(features: Features, cpus: int, nodes: int) -> None:
    with attach(replace(features, cpus=cpus, nodes=nodes), Level.STANDARD) as attached:
        assert all(attached.hooks_attached().values())
        assert total(gained(Live(attached), 1009)["pages_held"]) == BATCH


@dataclass(frozen=True)
class Watched:
    """What every level of every rung here counted of the same frames, sent by a task that moves between the nodes."""

    frames: int
    moved: bool
    counted: Mapping[tuple[Level, Rung], Counters]


def watched(sources: Sources, send: Callable[[], Sent]) -> Watched:
    """What *sources* count of what *send* sends."""

    def turn() -> Watched:
        before = {key: deviceless(source) for key, source in sources.items()}
        sent = send()
        assert eventually(lambda: all(map(all_ended, sources.values())), SECONDS)
        after = {key: deviceless(source) for key, source in sources.items()}
        return Watched(sent.frames, sent.moved, {key: delta(after[key], before[key]).counters() for key in sources})

    return unmissed(sources.values(), turn)


@pytest.fixture(scope="module")
def moving(features: Features, sources: Sources) -> Watched:
    """Once for all: frames that stay, then frames whose sender moves, dropped and redirected."""

    def send() -> Sent:
        run_frames(STAYING, cpu=0)
        sent = moving_frames(features)
        return replace(sent, frames=STAYING + sent.frames)

    return watched(sources, send)


@pytest.mark.parametrize("level", [Level.STANDARD, Level.LEAN])
def test_two_observers_see_the_same(
    moving: Watched, features: Features, rung: Rung, level: Level, require: Callable[..., None]
) -> None:
    """Each against programs of the tracepoint rung, which take a mismatch from its return's stack, and its page."""
    mine, theirs = moving.counted[level, rung], moving.counted[Level.FULL, Rung.TRACEPOINT]
    names = ("pages_held", "slow_refills", "numa_mismatch_pages")
    assert {name: total(mine[name]) for name in names} == {name: total(theirs[name]) for name in names}
    if level is not Level.LEAN:  # which does not know a page's node
        assert mine["numa_mismatch_pages"] == theirs["numa_mismatch_pages"]
    assert total(mine["pages_returned"]) == total(theirs["pages_returned"]) == total(mine["pages_held"])
    require(features.nodes > 1, "one NUMA node", capability="numa")
    require(moving.moved, STAYS, capability="moves")
    assert total(mine["numa_mismatch_pages"]) > 0


@pytest.mark.parametrize("rung", [Rung.FENTRY.value, Rung.KPROBE.value], indirect=True)
def test_every_frame_is_allocated_once_and_comes_back_once(moving: Watched, rung: Rung) -> None:
    """The truth is how many frames were sent. None comes back where its consumer's cache would take it; what refills
    and the pool's end took out of the ring was in it, and what was returned otherwise came from a frame."""
    counters = moving.counted[Level.FULL, rung]
    batches, returned = counters["refill_batch_pages"], counters["pages_returned"]
    assert isinstance(batches, Histogram) and isinstance(returned, Mapping)
    slow = total(counters["slow_refills"])
    paths = {("refill",): batches.filled, ("slow",): slow, ("cache",): moving.frames - batches.filled - slow}
    assert counters["allocs"] == paths
    lost = total(returned) - returned[("numa",)] - returned[("teardown",)]
    assert counters["recycles"] == {("cache",): 0, ("ring",): moving.frames - lost}


@pytest.mark.parametrize("rung", [Rung.FENTRY.value, Rung.KPROBE.value], indirect=True)
def test_a_mismatch_that_empties_the_ring_is_one(
    features: Features, small_ring: Watched, rung: Rung, require: Callable[..., None]
) -> None:
    """A ring of two is full at each refill here, so one that got one page met the other on the wrong node: it leaves
    the ring's consumer where it stood, as 63 pages and a mismatch do in a ring of 64, where no bucket tells them."""
    mine, theirs = small_ring.counted[Level.LEAN, rung], small_ring.counted[Level.FULL, Rung.TRACEPOINT]
    assert total(mine["numa_mismatch_pages"]) == total(theirs["numa_mismatch_pages"])
    require(features.nodes > 1, "one NUMA node", capability="numa")
    require(total(theirs["numa_mismatch_pages"]), STAYS, capability="moves")
    batches = mine["refill_batch_pages"]
    assert isinstance(batches, Histogram) and batches.buckets[1] > 0


@pytest.fixture(scope="module")
def small_ring(features: Features, sources: Sources) -> Watched:
    """Frames whose sender moves, through a ring of two, until a refill got one page: on a busy CPU that may take a
    while, as it takes a move in the midst of it."""
    lean = next((sources[key] for key in sources if key[0] is Level.LEAN and key[1] is not Rung.TRACEPOINT), None)

    def send() -> Sent:
        begin = of_one_page(lean) if lean else 0
        sent = 0
        for _ in range(TRIES):
            moving_slowly(features, SMALL_FRAMES, batch=2)
            sent += SMALL_FRAMES
            if not lean or STAYED or of_one_page(lean) > begin:
                break
        return Sent(sent, moved=True)

    return watched(sources, send)


def of_one_page(source: Live) -> int:
    """Refills of test runs' pools that got one page."""
    batches = deviceless(source).counters().get("refill_batch_pages")
    return batches.buckets[1] if isinstance(batches, Histogram) else 0
