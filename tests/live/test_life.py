"""Pools that outlive their device, that nobody uses, that end, too many at once, and too many for the table."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from ppobserve.kernel import bpf
from ppobserve.lab.frames import run_frames
from ppobserve.lab.veth import VethLab
from ppobserve.model.cardinality import Cardinality, fold
from ppobserve.model.features import Features
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import total
from ppobserve.model.snapshot import PoolSample, Snapshot, State
from ppobserve.probe import program_text
from ppobserve.probe.attach import Attached, attach
from ppobserve.probe.tables import MappedTables
from ppobserve.source.live import Live
from tests.live.conftest import (
    SECONDS,
    Start,
    address_of,
    entries_of,
    eventually,
    of_device,
    pool_of,
    settled,
    undisturbed,
)
from tests.live.crowded import FEW, in_a_full_table, room, with_few_slots
from tests.unit.factories import flat

PARKED = 30_011
SENT = 1_000_003
NET_IOV = 1  # a buffer without a page
LABS = 5
RELEASED = ("pool_released", "pool_released_too")
THREADS = 16
# An emulated CPU makes 50 a second, this one 5,000. `make test` asks for more: see the Makefile.
POOLS = 307 if os.environ.get("PPOBSERVE_GUEST") else int(os.environ.get("PPOBSERVE_POOLS", "10007"))


@pytest.mark.usefixtures("veth")
def test_a_socket_that_does_not_read_keeps_its_pool_as_a_zombie(start: Start) -> None:
    source = start()
    with VethLab(receiver_cpu=0) as lab:
        lab.send(SENT, cpu=0)
        lab.park(PARKED, cpu=0)
        lab.destroy_pools()
        assert zombie_of(source, lab).pool.netdev == lab.receiver.device
        came, returned, inflight = settled(lambda: pages_of(zombie_of(source, lab)))
        assert came - returned == inflight > 0
        assert eventually(
            lambda: of_device(source.read(), lab.receiver)[0].gauges["pool_detached_seconds"] > 1, SECONDS
        )
        lab.read_parked(PARKED)
        assert eventually(lambda: not of_device(source.read(), lab.receiver), SECONDS)


@pytest.mark.usefixtures("veth")
@pytest.mark.parametrize("level", [Level.LEAN, Level.STANDARD])
def test_a_zombie_older_than_the_programs_is_seen_before_any_page_comes_back(features: Features, level: Level) -> None:
    """The kernel looks after it once a second, and since 6.8 it knows since when."""
    with VethLab(receiver_cpu=0) as lab:
        lab.park(PARKED, cpu=0)
        before = time.monotonic()
        lab.destroy_pools()
        destroyed = time.monotonic()
        with attach(features, level) as attached:
            source = Live(attached)
            assert eventually(lambda: bool(of_device(source.read(), lab.receiver)), SECONDS)
            begin = time.monotonic()
            zombie = zombie_of(source, lab)
            now = time.monotonic()
            assert zombie.gauges["inflight_pages"] > 0
            youngest = begin - destroyed if "PP_DETACH_TIME" in features.offsets else 0
            assert youngest - 1 <= zombie.gauges["pool_detached_seconds"] <= now - before + 1
            lab.read_parked(PARKED)
            assert eventually(lambda: not of_device(source.read(), lab.receiver), SECONDS)


@pytest.mark.usefixtures("veth")
def test_each_of_the_two_programs_that_see_a_pools_end_is_enough(features: Features) -> None:
    """The kernel may skip one of them. What the other then finds is done."""
    with attach(features, Level.STANDARD) as attached:
        source = Live(attached)
        for name in RELEASED:
            with VethLab(receiver_cpu=0) as lab:
                lab.send(SENT, cpu=0)
                settled(lambda lab=lab: pool_of(source.read(), lab.receiver))
                pool, before = address_of(attached, lab.receiver), held(source.read(), lab)
                assert before > 0
                for each in (name, *RELEASED):
                    bpf.test_run(attached.program(each), context=bpf.u64s([pool, 0]))
                    snapshot = source.read()
                    assert not of_device(snapshot, lab.receiver)
                    assert held(snapshot, lab) == before


def zombie_of(source: Live, lab: VethLab) -> PoolSample:
    """The one pool of a lab's receiver, which is detached."""
    (zombie,) = of_device(source.read(), lab.receiver)
    assert zombie.pool.state is State.DETACHED
    return zombie


def pages_of(sample: PoolSample) -> tuple[int, int, float]:
    """Pages held and returned, and in flight."""
    return (
        total(sample.counters["pages_held"]),
        total(sample.counters["pages_returned"]),
        sample.gauges["inflight_pages"],
    )


def held(snapshot: Snapshot, lab: VethLab) -> int:
    """Pages ever held by the pools of a lab's receiver, ended ones included."""
    whose = (lab.receiver.netns, lab.receiver.ifindex)
    pools = (each for each in snapshot.pools if (each.pool.netns, each.pool.ifindex) == whose)
    return sum(total(each.counters["pages_held"]) for each in pools)


@pytest.mark.usefixtures("veth")
def test_a_page_that_comes_back_as_its_pool_ends_makes_no_new_pool(features: Features) -> None:
    """The pool has counted it; its program ran too late to say why. Whoever is next at that address is a pool again."""
    with attach(features, Level.STANDARD) as attached, VethLab(receiver_cpu=0) as lab:
        source = Live(attached)
        lab.send(SENT, cpu=0)
        settled(lambda: pool_of(source.read(), lab.receiver))
        pool = address_of(attached, lab.receiver)
        bpf.test_run(attached.program("pool_released"), context=bpf.u64s([pool, 0]))
        bpf.test_run(attached.program("page_returned"), context=bpf.u64s([pool, NET_IOV, 0]))
        assert not of_device(source.read(), lab.receiver)
        bpf.test_run(attached.program("adopt_pool"), context=bpf.u64s([pool, 0]))
        bpf.test_run(attached.program("page_returned"), context=bpf.u64s([pool, NET_IOV, 0]))
        assert total(pool_of(source.read(), lab.receiver).counters["pages_returned"]) == 1


@pytest.mark.usefixtures("veth")
def test_a_pool_whose_end_nobody_saw_is_gone_after_the_next_read(features: Features) -> None:
    """Its memory tells that it is over, or is no longer its own: in time, unless it is being used again right then."""
    with attach(features, Level.STANDARD) as attached:
        source = Live(attached)
        for name, fd in attached.fds.items():
            if name.startswith(tuple(f"link:{program}:" for program in RELEASED)):
                detach(fd)
        assert not attached.hooks_attached()["release"]
        assert any(is_found_to_be_over(attached, source) for _ in range(LABS))


def detach(link: int) -> None:
    """Give a link up; its descriptor is one of nothing from then on."""
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), link)


def is_found_to_be_over(attached: Attached, source: Live) -> bool:
    with VethLab(receiver_cpu=0) as lab:
        lab.send(SENT, cpu=0)
        known = {raw.seen_ns: int(raw.owner) for raw in entries_of(attached, lab.receiver)}
        pool = known[max(known)]  # one of a lab before may be there yet: a namespace's number is used again
    assert pool in owners(attached)
    source.read()
    return pool not in owners(attached)


def owners(attached: Attached) -> set[int]:
    return {int(raw.owner) for _, raw in MappedTables(attached).copy().entries()}


NAME = f"pp{os.getpid()}"
"""Of a device; no other run of these tests has one of that name."""
IDLE = (
    f"ip link add {NAME} type veth peer name far && ethtool -K {NAME} gro on && ip link set {NAME} up && echo up && cat"
)


@pytest.mark.usefixtures("veth")
@pytest.mark.parametrize("rung", [Rung.FENTRY.value, Rung.KPROBE.value], indirect=True)
def test_a_pool_is_known_before_anyone_uses_it(start: Start, rung: Rung) -> None:
    """A device that is up alone has a pool and no traffic. It goes with the process that its namespace belongs to."""
    source = start(Level.STANDARD, rung)
    with Popen(["unshare", "--net", "sh", "-c", IDLE], stdin=PIPE, stdout=PIPE, text=True) as owner:
        assert owner.stdout and owner.stdout.readline() == "up\n"
        (idle,) = called(source, NAME)
        assert idle.pool.state is State.LIVE
        assert total(idle.counters["pages_held"]) == idle.gauges["inflight_pages"] == 0
        assert idle.gauges["ring_size"] > 0
        owner.communicate()
    assert eventually(lambda: not called(source, NAME), SECONDS)


def called(source: Live, netdev: str) -> list[PoolSample]:
    """The pools of devices of this name that are not ended, in whatever namespace."""
    pools = source.read().pools
    return [each for each in pools if each.pool.netdev == netdev and each.pool.state is not State.ENDED]


@pytest.mark.usefixtures("frames")
def test_pools_that_come_and_go_leave_an_empty_table_and_no_count_behind(start: Start) -> None:
    """One frame each: the pool takes 64 pages for it, and gives them back."""
    source = start()
    begin = source.read()
    seen = []
    with ThreadPoolExecutor(THREADS) as threads:
        shares = [POOLS // THREADS + (place < POOLS % THREADS) for place in range(THREADS)]
        running = [threads.submit(run_frames, share, batch=1, per_pool=1) for share in shares]
        while not all(each.done() for each in running):
            seen.append(source.read())
        assert sum(each.result().frames for each in running) == POOLS
    snapshot = source.read()
    assert_nothing_goes_down([series(each, Cardinality.NETDEV, {""}) for each in (begin, *seen, snapshot)])
    assert_nothing_goes_down([series(each, Cardinality.NODE) for each in (begin, *seen, snapshot)])
    assert deviceless_pages(snapshot) - deviceless_pages(begin) == 64 * POOLS
    assert not deviceless_pools(snapshot)
    assert snapshot.tables == begin.tables


@pytest.mark.usefixtures("frames")
def test_pools_end_and_give_their_slots_back_where_there_are_too_few(features: Features, start: Start) -> None:
    """One is left beside those that the pools of others may take: who has it counts, the others' events are dropped."""
    source = start()
    alone, crowded, after = undisturbed(source, lambda: (with_few_slots(features, room(source)), ()), test_runs=True)
    assert (deviceless_pages(alone), alone.tables.slots_dropped) == (64 * FEW, 0)
    assert crowded.tables.slots_dropped > 0
    assert not deviceless_pools(crowded)
    assert deviceless_pages(after) - deviceless_pages(crowded) == 64 * FEW


@pytest.mark.usefixtures("veth")
def test_a_device_without_a_group_keeps_what_its_pools_counted(features: Features) -> None:
    """There is one group, that of no device."""
    few = replace(program_text.tables(features), groups=1)
    with attach(features, Level.STANDARD, tables=few) as attached, VethLab(receiver_cpu=0) as lab:
        source = Live(attached)
        lab.send(SENT, cpu=0)
        seen = [source.read()]
        for _ in range(2):
            lab.replace_pools()
            lab.send(100_003, cpu=0)
            seen.append(source.read())
        mine = {str(end.netns) for end in (lab.sender, lab.receiver)}
        assert_nothing_goes_down([series(each, Cardinality.NETDEV, mine) for each in seen])
        ended = [each for each in seen[-1].pools if each.pool.state is State.ENDED and each.pool.ifindex]
        assert (lab.receiver.netns, lab.receiver.ifindex) in {(each.pool.netns, each.pool.ifindex) for each in ended}


def deviceless_pools(snapshot: Snapshot) -> list[PoolSample]:
    """Pools without a device that are not ended."""
    return [each for each in snapshot.pools if not each.pool.ifindex and each.pool.state is not State.ENDED]


def deviceless_pages(snapshot: Snapshot) -> int:
    """Pages ever held by pools without a device, as test runs make them, ended ones included."""
    return sum(total(each.counters["pages_held"]) for each in snapshot.pools if not each.pool.ifindex)


def series(snapshot: Snapshot, cardinality: Cardinality, netns: Collection[str] = ()) -> dict[tuple[str, ...], int]:
    """The counters of every group of pools, by group, metric and its labels; of some namespaces, if any are named.

    A device of others may be renamed meanwhile, and takes its series along.
    """
    groups = [each for each in fold(snapshot.pools, cardinality) if not netns or each.labels[0] in netns]
    return {(*group.labels, *key): value for group in groups for key, value in flat(group.counters).items()}


def assert_nothing_goes_down(seen: list[dict[tuple[str, ...], int]]) -> None:
    for old, new in pairwise(seen):
        assert {key: value for key, value in old.items() if new.get(key, 0) < value} == {}


@pytest.mark.usefixtures("veth", "own_turn")
def test_a_full_table_is_counted_and_the_pools_in_it_stay_right(features: Features, start: Start) -> None:
    """It has one entry beside those that the pools of others may take, and the labs' pools are more than that."""
    source = start()
    full = undisturbed(source, lambda: in_a_full_table(features, room(source)))
    assert full.known
    for sample in full.known:
        came, returned, inflight = pages_of(sample)
        assert came > 0
        assert came - returned == inflight
    assert full.missing <= full.dropped <= full.missing + full.others_missing  # however often each was met
