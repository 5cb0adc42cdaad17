"""The daemon measures its own programs, and steps down and up again under traffic, on this kernel."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ppobserve.lab.frames import bursts
from ppobserve.lab.veth import VethLab
from ppobserve.model.features import Features
from ppobserve.model.plan import Level
from ppobserve.model.series import total
from ppobserve.model.snapshot import PoolSample, Snapshot, State
from ppobserve.probe.attach import attach
from ppobserve.probe.audit import IN_A_ROW as BEFORE_IT_IS_SURE
from ppobserve.source.budgeted import Budgeted
from ppobserve.source.live import Live
from tests.live.conftest import SECONDS, eventually, hooks_of, missed, pool_of, settled
from tests.live.owned import gone, programs_of

TINY, HUGE = 1e-9, 1e9
"""A budget that any event is above, and one that nothing is above, whatever else goes through pools here."""
ONE = 67
"""Frames in the life of a pool: it takes some pages and gives them back."""


@contextmanager
def governed(features: Features, budget: float | None, said: list[str]) -> Iterator[Budgeted]:
    """A source as ``serve`` has it, which measures only when it is told to."""

    def start(level: Level) -> Live:
        return Live(attach(features, level))

    source = Budgeted(start(Level.STANDARD), start, budget, said.append)
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
    programs, said = programs_of(), list[str]()
    with governed(features, TINY, said) as source, VethLab(receiver_cpu=0) as lab:
        ours = programs_of() - programs
        lab.send(1_000_003, cpu=0, splice=True)
        pools, seen = [exact(source, lab)], [held(source.read())]

        def stepped_down() -> bool:
            source.look()
            seen.append(held(source.read()))
            return source.plan.level is Level.LEAN and source.read().costs["release"].runs > 0

        with traffic() as frames:
            assert eventually(lambda: len(frames) > 11, SECONDS)
            assert eventually(stepped_down, SECONDS)
        ours |= programs_of() - programs
        assert (source.plan.level, source.read().levels_below) == (Level.LEAN, 1)
        assert "going to level lean" in said[0] and len(said) <= 2
        assert source.read().lost_hooks() == []
        release = source.read().costs["release"]
        assert 0 < release.seconds < release.runs
        lab.send(1_000_003, cpu=0, splice=True)
        pools.append(exact(source, lab))
        monkeypatch.setattr(source._governor, "_patience", 0.0)
        monkeypatch.setattr(source._governor, "budget", HUGE)
        assert eventually(lambda: (source.look(), source.plan.level)[1] is Level.STANDARD, SECONDS)
        ours |= programs_of() - programs
        assert source.read().levels_below == 0
        lab.send(1_000_003, cpu=0, splice=True)
        pools.append(exact(source, lab))
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
        assert eventually(lambda: ended(source.read(), lab) == pages[2], SECONDS)
        apart = [*audit.values(), *source.read().audit.values()]
        assert all(0 <= count <= missed(source) for count in apart), (apart, hooks_of(source))
    assert len(ours) > 10 and gone(ours)


def exact(source: Budgeted, lab: VethLab) -> PoolSample:
    """The receiver's pool, whose counts say what the kernel says."""
    sample = settled(lambda: pool_of(source.read(), lab.receiver))
    pages, returned = total(sample.counters["pages_held"]), total(sample.counters["pages_returned"])
    assert pages - returned == sample.gauges["inflight_pages"]
    return sample


def ended(snapshot: Snapshot, lab: VethLab) -> int:
    """Pages held by the receiver's pools that have ended."""
    whose = (lab.receiver.netns, lab.receiver.ifindex)
    groups = [each for each in snapshot.pools if each.pool.state is State.ENDED]
    return sum(total(each.counters["pages_held"]) for each in groups if (each.pool.netns, each.pool.ifindex) == whose)
