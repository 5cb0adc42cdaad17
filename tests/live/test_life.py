"""Pools that outlive their device, that nobody uses, that end, too many at once, and too many for the table."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from subprocess import PIPE, Popen

import pytest

from ppobserve.kernel import bpf
from ppobserve.lab.frames import run_frames
from ppobserve.lab.veth import VethLab
from ppobserve.model.features import Features
from ppobserve.model.fold import Cardinality, fold
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import total
from ppobserve.model.snapshot import PoolSample, Snapshot, State
from ppobserve.probe import source as sources
from ppobserve.probe.attach import Attached, attach
from ppobserve.probe.tables import MappedTables
from ppobserve.source.live import Live
from tests.live.conftest import SECONDS, Start, address_of, eventually, of_device, pool_of
from tests.unit.make import flat

PARKED = 30_011
SENT = 1_000_003
NET_IOV = 1  # a buffer without a page
LABS = 5
RELEASED = ("pool_released", "pool_released_too")
THREADS = 16
# An emulated CPU makes 50 a second, this one 5,000. `make test` asks for more: see the Makefile.
POOLS = 307 if os.environ.get("PPOBSERVE_GUEST") else int(os.environ.get("PPOBSERVE_POOLS", "10007"))
FEW, MANY = 7, 500_009


@pytest.mark.usefixtures("veth")
def test_a_socket_that_does_not_read_keeps_its_pool_as_a_zombie(start: Start) -> None:
    source = start()
    with VethLab(receiver_cpu=0) as lab:
        lab.send(SENT, cpu=0)
        lab.park(PARKED, cpu=0)
        lab.destroy_pools()
        (zombie,) = of_device(source.read(), lab.receiver)
        assert zombie.pool.state is State.DETACHED
        assert zombie.pool.netdev == lab.receiver.device
        assert zombie.gauges["inflight_pages"] > 0
        held, returned = total(zombie.counters["pages_held"]), total(zombie.counters["pages_returned"])
        assert held - returned == zombie.gauges["inflight_pages"]
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
            (zombie,) = of_device(source.read(), lab.receiver)
            now = time.monotonic()
            assert zombie.pool.state is State.DETACHED
            assert zombie.gauges["inflight_pages"] > 0
            youngest = now - destroyed if "PP_DETACH_TIME" in features.offsets else 0
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
                pool, before = address_of(attached, lab.receiver), total(source.read().counters()["pages_held"])
                for each in (name, *RELEASED):
                    bpf.test_run(attached.program(each), context=bpf.u64s([pool, 0]))
                    snapshot = source.read()
                    assert not of_device(snapshot, lab.receiver)
                    assert total(snapshot.counters()["pages_held"]) == before


@pytest.mark.usefixtures("veth")
def test_a_page_that_comes_back_as_its_pool_ends_makes_no_new_pool(features: Features) -> None:
    """The pool has counted it; its program ran too late to say why. Whoever is next at that address is a pool again."""
    with attach(features, Level.STANDARD) as attached, VethLab(receiver_cpu=0) as lab:
        source = Live(attached)
        lab.send(SENT, cpu=0)
        pool = address_of(attached, lab.receiver)
        bpf.test_run(attached.program("pool_released"), context=bpf.u64s([pool, 0]))
        bpf.test_run(attached.program("page_returned"), context=bpf.u64s([pool, NET_IOV, 0]))
        assert not of_device(source.read(), lab.receiver)
        bpf.test_run(attached.program("adopt_pool"), context=bpf.u64s([pool, 0]))
        bpf.test_run(attached.program("page_returned"), context=bpf.u64s([pool, NET_IOV, 0]))
        assert total(pool_of(source.read(), lab.receiver).counters["pages_returned"]) == 1


@pytest.mark.usefixtures("veth")
def test_a_pool_whose_end_nobody_saw_is_gone_after_the_next_read(features: Features) -> None:
    """Its memory tells that it is over, as long as it is nobody else's."""
    with attach(features, Level.STANDARD) as attached:
        source = Live(attached)
        assert any(is_found_to_be_over(attached, source) for _ in range(LABS))


def is_found_to_be_over(attached: Attached, source: Live) -> bool:
    with VethLab(receiver_cpu=0) as lab:
        lab.send(SENT, cpu=0)
        pool = address_of(attached, lab.receiver)
        lab.destroy_pools()
        assert eventually(lambda: not of_device(source.read(), lab.receiver), SECONDS)
    bpf.test_run(attached.program("adopt_pool"), context=bpf.u64s([pool, 0]))
    assert pool in owners(attached)
    source.read()
    return pool not in owners(attached)


def owners(attached: Attached) -> set[int]:
    return {int(raw.owner) for _, raw in MappedTables(attached).copy().entries()}


IDLE = (
    "ip link add idle0 type veth peer name idle1 && ethtool -K idle0 gro on && ip link set idle0 up && echo up && cat"
)


@pytest.mark.usefixtures("veth")
@pytest.mark.parametrize("rung", [Rung.FENTRY.value, Rung.KPROBE.value], indirect=True)
def test_a_pool_is_known_before_anyone_uses_it(start: Start, rung: Rung) -> None:
    """A device that is up alone has a pool and no traffic. It goes with the process that its namespace belongs to."""
    source = start(Level.STANDARD, rung)
    with Popen(["unshare", "--net", "sh", "-c", IDLE], stdin=PIPE, stdout=PIPE, text=True) as owner:
        assert owner.stdout and owner.stdout.readline() == "up\n"
        (idle,) = called(source, "idle0")
        assert idle.pool.state is State.LIVE
        assert total(idle.counters["pages_held"]) == idle.gauges["inflight_pages"] == 0
        assert idle.gauges["ring_size"] > 0
        owner.communicate()
    assert eventually(lambda: not called(source, "idle0"), SECONDS)


def called(source: Live, netdev: str) -> list[PoolSample]:
    """The pools of devices of this name that are not ended, in whatever namespace."""
    pools = source.read().pools
    return [each for each in pools if each.pool.netdev == netdev and each.pool.state is not State.ENDED]


@pytest.mark.usefixtures("frames")
def test_pools_that_come_and_go_leave_an_empty_table_and_no_count_behind(start: Start) -> None:
    """One frame each: the pool takes 64 pages for it, and gives them back."""
    source = start()
    before = deviceless_pages(source.read())
    seen = []
    with ThreadPoolExecutor(THREADS) as threads:
        shares = [POOLS // THREADS + (place < POOLS % THREADS) for place in range(THREADS)]
        running = [threads.submit(run_frames, share, batch=1, per_pool=1) for share in shares]
        while not all(each.done() for each in running):
            seen.append(source.read())
        assert sum(each.result().frames for each in running) == POOLS
    snapshot = source.read()
    for cardinality in (Cardinality.NETDEV, Cardinality.NODE):
        assert_nothing_goes_down([series(each, cardinality) for each in (*seen, snapshot)])
    assert deviceless_pages(snapshot) - before == 64 * POOLS
    assert not deviceless_pools(snapshot)
    assert (snapshot.tables.pools_dropped, snapshot.tables.slots_dropped) == (0, 0)


@pytest.mark.usefixtures("frames")
def test_pools_end_and_give_their_slots_back_where_there_are_too_few(features: Features) -> None:
    """There is one: whoever has it counts, the others' events are dropped."""
    small = replace(sources.tables(features), slots=1)
    with attach(features, Level.STANDARD, tables=small) as attached, ThreadPoolExecutor(1) as thread:
        source = Live(attached)
        run_frames(FEW, batch=1, per_pool=1, cpu=0)
        alone = source.read()
        assert (deviceless_pages(alone), alone.tables.slots_dropped) == (64 * FEW, 0)
        longest = thread.submit(run_frames, MANY, per_pool=MANY, cpu=features.cpus - 1)
        assert eventually(lambda: deviceless_pages(source.read()) > 64 * FEW, SECONDS)
        run_frames(FEW, batch=1, per_pool=1, cpu=0)
        assert source.read().tables.slots_dropped > 0
        longest.result()
        crowded = source.read()
        assert not deviceless_pools(crowded)
        run_frames(FEW, batch=1, per_pool=1, cpu=0)
        assert deviceless_pages(source.read()) - deviceless_pages(crowded) == 64 * FEW


@pytest.mark.usefixtures("veth")
def test_a_device_without_a_group_keeps_what_its_pools_counted(features: Features) -> None:
    """There is one group, that of no device."""
    few = replace(sources.tables(features), groups=1)
    with attach(features, Level.STANDARD, tables=few) as attached, VethLab(receiver_cpu=0) as lab:
        source = Live(attached)
        lab.send(SENT, cpu=0)
        seen = [source.read()]
        for _ in range(2):
            lab.replace_pools()
            lab.send(100_003, cpu=0)
            seen.append(source.read())
        assert_nothing_goes_down([series(each, Cardinality.NETDEV) for each in seen])
        ended = [each for each in seen[-1].pools if each.pool.state is State.ENDED and each.pool.ifindex]
        assert (lab.receiver.netns, lab.receiver.ifindex) in {(each.pool.netns, each.pool.ifindex) for each in ended}


def deviceless_pools(snapshot: Snapshot) -> list[PoolSample]:
    """Pools without a device that are not ended."""
    return [each for each in snapshot.pools if not each.pool.ifindex and each.pool.state is not State.ENDED]


def deviceless_pages(snapshot: Snapshot) -> int:
    """Pages ever held by pools without a device, as test runs make them, ended ones included."""
    return sum(total(each.counters["pages_held"]) for each in snapshot.pools if not each.pool.ifindex)


def series(snapshot: Snapshot, cardinality: Cardinality) -> dict[tuple[str, ...], int]:
    """The counters of every group of pools, by group, metric and its labels."""
    groups = fold(snapshot.pools, cardinality)
    return {(*group.labels, *key): value for group in groups for key, value in flat(group.counters).items()}


def assert_nothing_goes_down(seen: list[dict[tuple[str, ...], int]]) -> None:
    for old, new in pairwise(seen):
        assert {key: value for key, value in old.items() if new.get(key, 0) < value} == {}


@pytest.mark.usefixtures("veth")
def test_a_full_table_is_counted_and_the_pools_in_it_stay_right(features: Features) -> None:
    small = replace(sources.tables(features), pools=1)
    with attach(features, Level.STANDARD, tables=small) as attached, VethLab(receiver_cpu=0) as lab:
        source = Live(attached)
        for _ in range(3):
            lab.send(100_003, cpu=0)
        snapshot = source.read()
        (known,) = (sample for sample in snapshot.pools if sample.pool.state is not State.ENDED)
        held, returned = total(known.counters["pages_held"]), total(known.counters["pages_returned"])
        assert held > 0
        assert held - returned == known.gauges["inflight_pages"]
        assert snapshot.tables.pools_dropped == 1  # however often it was met
