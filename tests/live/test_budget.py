"""The daemon measures its own programs, and steps down and up again under traffic, on this kernel."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ppobserve.kernel.bpf import program_ids
from ppobserve.lab.frames import bursts
from ppobserve.lab.veth import VethLab
from ppobserve.model.cost import IN_A_ROW
from ppobserve.model.features import Features
from ppobserve.model.plan import Level
from ppobserve.model.series import total
from ppobserve.model.snapshot import PoolSample, Snapshot, State
from ppobserve.probe.attach import attach
from ppobserve.probe.audit import IN_A_ROW as BEFORE_IT_IS_SURE
from ppobserve.source.governed import Governed
from ppobserve.source.live import Live
from tests.live.conftest import eventually, pool_of

TINY = 1e-9
"""A budget that any event is above."""
ONE = 67
"""Frames in the life of a pool: it takes some pages and gives them back."""


@contextmanager
def governed(features: Features, budget: float | None, said: list[str]) -> Iterator[Governed]:
    """A source as ``serve`` has it, which measures only when it is told to."""

    def start(level: Level) -> Live:
        return Live(attach(features, level))

    source = Governed(start(Level.STANDARD), start, budget, said.append)
    try:
        yield source
    finally:
        source.close()


@contextmanager
def traffic() -> Iterator[list[int]]:
    """Pools that come and go until the end of the block; frames that went through them, burst by burst."""
    frames, stop = [0], threading.Event()

    def make() -> None:
        for burst in bursts(None, batch=ONE, per_pool=ONE):
            frames.append(burst.frames)
            if stop.is_set():
                return

    thread = threading.Thread(target=make)
    thread.start()
    try:
        yield frames
    finally:
        stop.set()
        thread.join()


def held(snapshot: Snapshot) -> int:
    """Pages ever held by pools without a device, as test runs make them, ended ones included."""
    return sum(total(each.counters["pages_held"]) for each in snapshot.pools if not each.pool.ifindex)


@pytest.mark.usefixtures("frames", "veth")
def test_over_its_budget_it_steps_down_under_traffic_and_up_again_after_it(
    features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pools come and go while one level takes over from the other; a pool that is quiet meanwhile loses no page.

    Spliced pages come back while they are held, so each transfer has something to count, by tracepoint too.
    """
    programs, said = program_ids(), list[str]()
    with governed(features, TINY, said) as source, VethLab(receiver_cpu=0) as lab:
        lab.send(1_000_003, cpu=0, splice=True)
        pools, seen = [exact(source.read(), lab)], [held(source.read())]
        with traffic() as frames:
            assert eventually(lambda: len(frames) > 11, 60)
            for _ in range(IN_A_ROW + 1):
                source.look()
                seen.append(held(source.read()))
        assert (source.plan.level, source.read().levels_below) == (Level.LEAN, 1)
        assert "going to level lean" in said[0] and len(said) <= 2
        assert all(source.hooks_attached().values())
        release = source.read().costs["release"]
        assert 0 < release.seconds < release.runs
        lab.send(1_000_003, cpu=0, splice=True)
        pools.append(exact(source.read(), lab))
        monkeypatch.setattr(source._governor, "_patience", 0.0)
        assert eventually(lambda: (source.look(), source.plan.level)[1] is Level.STANDARD, 60)
        assert source.read().levels_below == 0
        lab.send(1_000_003, cpu=0, splice=True)
        pools.append(exact(source.read(), lab))
        seen.append(held(source.read()))
        assert seen == sorted(seen)
        assert pools[0].pool == pools[1].pool == pools[2].pool
        counts = [sum(map(total, each.counters.values())) for each in pools]
        assert 0 < counts[0] < counts[1] < counts[2]
        pages = [total(each.counters["pages_held"]) for each in pools]
        assert 0 < pages[0] <= pages[1] <= pages[2]
        audit = [source.read().audit for _ in range(BEFORE_IT_IS_SURE)][-1]
        assert bool(audit) == any(lab.kernel_counters().values())  # the kernel has statistics, or has none
        lab.destroy_pools()
        assert eventually(lambda: ended(source.read(), lab) == pages[2], 20)
        assert set(audit.values()) | set(source.read().audit.values()) <= {0}
    assert eventually(lambda: program_ids() <= programs, 20)


def exact(snapshot: Snapshot, lab: VethLab) -> PoolSample:
    """The receiver's pool, whose counts say what the kernel says."""
    sample = pool_of(snapshot, lab.receiver)
    pages, returned = total(sample.counters["pages_held"]), total(sample.counters["pages_returned"])
    assert pages - returned == sample.gauges["inflight_pages"]
    return sample


def ended(snapshot: Snapshot, lab: VethLab) -> int:
    """Pages held by the receiver's pools that have ended."""
    whose = (lab.receiver.netns, lab.receiver.ifindex)
    groups = [each for each in snapshot.pools if each.pool.state is State.ENDED]
    return sum(total(each.counters["pages_held"]) for each in groups if (each.pool.netns, each.pool.ifindex) == whose)
