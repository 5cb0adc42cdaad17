"""Live frames: one pool a call, gone with the call. Nothing of it may be lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from ppobserve.lab.frames import run_frames
from ppobserve.model.features import Features
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import Counters, Histogram, total
from ppobserve.model.snapshot import Snapshot, State, delta
from ppobserve.probe.attach import attach
from ppobserve.source.live import Live
from tests.live.conftest import Start, eventually
from tests.live.traffic import STAYS, moving_frames

pytestmark = pytest.mark.usefixtures("frames")

PRIME = 1_000_003
BATCH = 64
SECONDS = 60

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


def test_two_observers_see_the_same(features: Features, start: Start, rung: Rung, require: Callable[..., None]) -> None:
    """The rung against a tracepoint rung of its own, on the same frames, by a task that moves between the nodes."""
    one = start(Level.STANDARD, rung)
    with attach(features, Level.LEAN, forced=Rung.TRACEPOINT) as attached:
        other = Live(attached)
        before = deviceless(one), deviceless(other)
        run_frames(10_007, cpu=0)
        moved = moving_frames(features)
        assert eventually(lambda: all_ended(one), SECONDS) and all_ended(other)
        after = deviceless(one), deviceless(other)
    mine, theirs = (delta(new, old).counters() for new, old in zip(after, before, strict=True))
    for name in ("pages_held", "slow_refills", "numa_mismatch_pages"):
        assert mine[name] == theirs[name], name
    assert total(mine["pages_returned"]) == total(theirs["pages_returned"]) == total(mine["pages_held"])
    require(features.nodes > 1, "one NUMA node", capability="numa")
    require(moved, STAYS, capability="moves")
    assert total(mine["numa_mismatch_pages"]) > 0
