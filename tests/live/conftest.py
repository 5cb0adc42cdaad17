"""What the live tests share: this kernel's features, sources for each rung, and pools found by their device."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TypeVar

import pytest

from ppobserve.kernel.features import gather
from ppobserve.lab.veth import End
from ppobserve.model.features import Features
from ppobserve.model.plan import Level, Rung, make_plan
from ppobserve.model.series import total
from ppobserve.model.snapshot import HookState, PoolSample, Snapshot, State
from ppobserve.probe import abi
from ppobserve.probe.attach import Attached, attach
from ppobserve.probe.tables import MappedTables
from ppobserve.source.budgeted import Budgeted
from ppobserve.source.live import Live
from tests.live.traffic import has_frames, veth_has_pools

Start = Callable[..., Live]

SECONDS = 60
"""What waits for the end of a pool gives up after: the kernel looks after detached pools once a second."""
TURNS = 5
DISTURBED_SECONDS = 600
SPARE = 0 if os.environ.get("PPOBSERVE_GUEST") else 4
"""Pools that others may make in a turn that counts as undisturbed."""
Seen = TypeVar("Seen")
Sources = Mapping[tuple[Level, Rung], Live]


@pytest.fixture(scope="session")
def features(live: None) -> Features:
    return gather()


@pytest.fixture(params=[rung.value for rung in Rung])
def rung(request: pytest.FixtureRequest, features: Features, require: Callable[..., None]) -> Rung:
    """Each rung that this kernel allows. The tracepoint rung works on every kernel."""
    refusal = features.refusals.get(request.param, "")
    require(not refusal, refusal, capability=request.param)
    return Rung(request.param)


@pytest.fixture(scope="session")
def start(features: Features) -> Iterator[Start]:
    """A source for a level and a rung. Attached once for the whole run: compiling takes ten seconds in a guest, and
    that several are attached at once must not disturb any. In the end no slot is left to a pool that has none."""
    started: dict[tuple[Level, Rung], Live] = {}

    def begin(level: Level = Level.STANDARD, rung: Rung | None = None) -> Live:
        key = level, make_plan(features, level, forced=rung).rung
        if key not in started:
            started[key] = Live(attach(features, level, forced=key[1]))
        return started[key]

    yield begin
    left = {key: orphans(live) for key, live in started.items()}
    for live in started.values():
        live.close()
    assert not any(left.values()), left


def orphans(live: Live) -> list[int]:
    """Slots in use whose pool is not in the table: counts that nobody adds up, or the next pool at that address."""
    tables = MappedTables(live._attached)
    copy = tables.copy()
    known = {raw.owner for _, raw in copy.entries()}
    owners = memoryview(copy.slots).cast("Q")[:: tables._slot_words]
    return [index for index, owner in enumerate(owners.tolist()) if owner and owner not in known]


@pytest.fixture(scope="session")
def sources(features: Features, start: Start) -> Sources:
    """Every level of every rung that this kernel allows, to watch the same traffic: that is what takes time."""
    rungs = [rung for rung in Rung if not features.refusals.get(rung.value)]
    return {(level, rung): start(level, rung) for rung in rungs for level in Level}


@pytest.fixture(scope="session")
def frames(live: None, own_turn: None, require: Callable[..., None]) -> None:
    """Traffic by live frames, each call with a pool of its own (5.18)."""
    require(has_frames(), "the kernel has no live frames", capability="frames")


@pytest.fixture(scope="session")
def veth(start: Start, require: Callable[..., None]) -> None:
    """Traffic by veth, whose pools have a device (6.4)."""
    require(veth_has_pools(start()), "the kernel's veth has no page_pool", capability="veth")


def missed(source: Live | Budgeted | Attached) -> int:
    """How many events the kernel did not show to these programs, as it says itself (docs/how-it-counts.md)."""
    return sum(hook.missed for hook in hooks_of(source).values())


def hooks_of(source: Live | Budgeted | Attached) -> Mapping[str, HookState]:
    return source.hooks() if isinstance(source, Attached) else source.read().hooks


def unmissed(sources: Iterable[Live | Attached], happen: Callable[[], Seen]) -> Seen:
    """What *happen* gives in a turn of which the kernel showed every event to the programs of *sources*.

    It does not run a program that would interrupt itself, nor a kprobe in another's midst, and says how often
    (docs/how-it-counts.md, "Where exactness ends").
    """
    watching = list(sources)
    for _ in range(TURNS):
        before, seen = [missed(source) for source in watching], happen()
        if [missed(source) for source in watching] == before:
            return seen
    pytest.fail(f"programs were skipped in each of {TURNS} turns: {[hooks_of(source) for source in watching]}")


def eventually(holds: Callable[[], bool], seconds: float) -> bool:
    """True if it holds within *seconds*."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def settled(read: Callable[[], Seen], pause: float = 0.0) -> Seen:
    """What *read* gives twice in a row, *pause* seconds apart.

    Where the CPU is busy, the last packets of a transfer may still be on their way, in the midst of what is read.
    """
    end, last = time.monotonic() + SECONDS, read()
    while True:
        time.sleep(pause)
        if (now := read()) == last:
            return now
        assert time.monotonic() < end, f"not quiet after {SECONDS} s: {last}, {now}"
        last = now


def undisturbed(source: Live, happen: Callable[[], tuple[Seen, Collection[End]]], *, test_runs: bool = False) -> Seen:
    """What *happen* gives, beside the ends of its own labs, in a turn in which the host got SPARE other pools at most.

    For what hangs on how many pools there are: other programs have some, too, and may make one at any time. It says
    with *test_runs* that it makes some without a device itself.
    """
    end = time.monotonic() + DISTURBED_SECONDS
    while time.monotonic() < end:
        before = others(source), of_test_runs(source)
        seen, own = happen()
        if len(others(source, own) - before[0]) <= SPARE and (test_runs or of_test_runs(source) == before[1]):
            return seen
    pytest.fail(f"other pools came in each turn for {DISTURBED_SECONDS} s")


def others(source: Live, own: Collection[End] = ()) -> set[tuple[str, ...]]:
    """The keys of all pools that have a device, and of its ended ones, but for those of our *own* labs."""
    mine = {(end.netns, end.ifindex) for end in own}
    pools = (each.pool for each in source.read().pools)
    return {pool.key for pool in pools if pool.ifindex and (pool.netns, pool.ifindex) not in mine}


def of_test_runs(source: Live) -> int:
    """Pages ever held by pools without a device, as test runs make them."""
    return sum(total(each.counters["pages_held"]) for each in source.read().pools if not each.pool.ifindex)


def of_device(snapshot: Snapshot, end: End) -> list[PoolSample]:
    """The pools of a device of the lab that have not ended."""
    return [
        sample
        for sample in snapshot.pools
        if (sample.pool.netns, sample.pool.ifindex) == (end.netns, end.ifindex) and sample.pool.state is not State.ENDED
    ]


def pool_of(snapshot: Snapshot, end: End) -> PoolSample:
    """The one live pool of a device of the lab."""
    (sample,) = (
        sample
        for sample in snapshot.pools
        if (sample.pool.netns, sample.pool.ifindex) == (end.netns, end.ifindex) and sample.pool.state is State.LIVE
    )
    return sample


def address_of(attached: Attached, end: End) -> int:
    """Where the kernel has the pool of a device."""
    (entry,) = entries_of(attached, end)
    return int(entry.owner)


def entries_of(attached: Attached, end: End) -> list[abi.Pool]:
    """What the table has of the pools of a device, without those that were seen to end."""
    pools = [raw for _, raw in MappedTables(attached).copy().entries() if not raw.owner & 1]
    return [raw for raw in pools if (raw.netns, raw.ifindex) == (end.netns, end.ifindex)]
