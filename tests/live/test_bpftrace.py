"""The scripts for bpftrace count what we count: the same traffic, both attached at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ppobserve.errors import NotObservable
from ppobserve.lab import veth
from ppobserve.lab.veth import VethLab
from ppobserve.model.bpftrace import filled
from ppobserve.model.features import Features
from ppobserve.model.series import Counters, Histogram, add, total
from ppobserve.model.snapshot import PoolSample, Snapshot, State, delta
from ppobserve.probe.abi import RETURNS
from ppobserve.probe.scripts import templates
from ppobserve.source.live import Live
from tests.live import bpftrace
from tests.live.bpftrace import Maps, Running, cells, returned, summed
from tests.live.conftest import Start, settled
from tests.live.traffic import has_frames, moving_dropped, veth_has_pools

MEGABYTE = 1_000_003
FRAMES = 30_011
PARKED = 30_011
ROUNDS = (0, 1, 0, 1)

# The devices of each kind of traffic; other labs have others, so they have names of their own. Both ends of a pair are
# one: a network namespace's number is used again, so the ended pools of one end may be counted with those of another.
# Test runs make pools without a device.
DEVICES = (f"pp{os.getpid()}a", f"pp{os.getpid()}b")
TRAFFIC = {"live frames": ("",), "veth": DEVICES}


@dataclass(frozen=True)
class Watched:
    """What both sides saw of the same traffic."""

    maps: Mapping[str, Maps]
    """By script; one that this kernel refuses is not there."""
    refused: Mapping[str, str]
    gained: Snapshot
    traffic: tuple[str, ...]
    """What there was of TRAFFIC; nothing on a kernel that no traffic here takes to a pool."""

    def ours(self, devices: Collection[str]) -> Counters:
        """The sum over all pools of these devices, ended ones too."""
        return reduce(add, (each.counters for each in self.gained.pools if each.pool.netdev in devices), {})

    def alive(self, devices: Collection[str]) -> dict[str, PoolSample]:
        """Those pools of these devices that are not ended, by id."""
        pools = (each for each in self.gained.pools if each.pool.netdev in devices)
        return {each.pool.id: each for each in pools if each.pool.state is not State.ENDED}


@pytest.fixture(scope="module")
def watched(
    features: Features,
    start: Start,
    own_turn: None,
    require: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watched]:
    require(bpftrace.BPFTRACE, "bpftrace is not installed")
    folder, source = tmp_path_factory.mktemp("scripts"), start()
    has_veth = veth_has_pools(source)  # by a lab that is gone before anything is counted
    with ExitStack() as stack:
        running, refused = started(features, folder, stack)
        for each in running.values():
            why = each.wait_until_attached()
            require(not why, why, capability="bpftrace")
        before = source.read()
        traffic = (*traffic_of_test_runs(features), *(traffic_of_veth(stack) if has_veth else ()))
        settled(lambda: counted(source))
        gained = delta(source.read(), before)
        yield Watched({name: each.end() for name, each in running.items()}, refused, gained, traffic)


def counted(source: Live) -> dict[tuple[str, ...], Counters]:
    """What the pools of our traffic have counted."""
    ours = {device for devices in TRAFFIC.values() for device in devices}
    return {each.pool.key: each.counters for each in source.read().pools if each.pool.netdev in ours}


def started(features: Features, folder: Path, stack: ExitStack) -> tuple[dict[str, Running], dict[str, str]]:
    """Every script that this kernel can run, and why not the others."""
    running, refused = {}, {}
    for name, template in templates().items():
        script = folder / name
        try:
            script.write_text(filled(template, features))
        except NotObservable as error:
            refused[name] = error.what
            continue
        running[name] = Running(script)
        stack.callback(running[name].kill)
    return running, refused


def traffic_of_test_runs(features: Features) -> tuple[str, ...]:
    """Live frames by a task that moves between the nodes (5.18)."""
    if not has_frames():
        return ()
    moving_dropped(features, FRAMES)
    return ("live frames",)


def traffic_of_veth(stack: ExitStack) -> tuple[str, ...]:
    """TCP whose sender moves between the nodes (6.4). One pair is destroyed with pages out, the other left alive."""
    zombie, alive = (stack.enter_context(of_our_names()) for _ in range(2))
    for cpu in ROUNDS:
        zombie.send(MEGABYTE, cpu=cpu)
    for cpu in (0, 1):
        alive.send(MEGABYTE, cpu=cpu)
    zombie.send(MEGABYTE, cpu=0, splice=True)
    zombie.park(PARKED, cpu=0)
    zombie.destroy_pools()
    return ("veth",)


@contextmanager
def of_our_names() -> Iterator[VethLab]:
    """A lab whose devices are DEVICES."""
    named = {"SENDER_DEVICE": DEVICES[0], "RECEIVER_DEVICE": DEVICES[1]}
    named |= {name: dict(zip(DEVICES, getattr(veth, name).values(), strict=True)) for name in ("_ADDRESSES", "_MACS")}
    with mock.patch.multiple(veth, **named), VethLab(receiver_cpu=0) as lab:
        yield lab


def test_a_script_runs_or_there_is_a_sentence_why_not(watched: Watched, features: Features) -> None:
    expected = set() if not features.refusals["kprobe"] else {"page_pool_refill", "page_pool_numa"}
    assert set(watched.refused) == expected
    assert all("kprobes" in why for why in watched.refused.values())
    assert set(watched.maps) == set(templates()) - expected


def test_what_was_compared_is_said(watched: Watched) -> None:
    """For the table in docs/bpftrace.md: the other tests compare, and fail where a script and we differ."""
    found = {name: " and ".join(compared(name, watched)) for name in templates()}
    assert all(found[name] == "" for name in watched.refused)
    if path := os.environ.get("PPOBSERVE_SUPPORT"):
        version = ".".join(map(str, bpftrace.version()))
        Path(path).with_name("bpftrace.json").write_text(json.dumps({version: {**found, **watched.refused}}))


def compared(name: str, watched: Watched) -> list[str]:
    """What traffic a script was compared on. Of live frames nothing stays in flight."""
    if name in watched.refused:
        return []
    return [each for each in watched.traffic if (name, each) != ("page_pool_inflight", "live frames")]


@pytest.fixture(params=TRAFFIC)
def devices(request: pytest.FixtureRequest, watched: Watched, require: Callable[..., None]) -> tuple[str, ...]:
    require(request.param in watched.traffic, "no such traffic", capability=request.param.split()[-1])
    return TRAFFIC[request.param]


@pytest.fixture
def kprobes(features: Features, require: Callable[..., None]) -> None:
    require(not features.refusals["kprobe"], features.refusals["kprobe"], capability="kprobe")


@pytest.mark.usefixtures("kprobes")
def test_refills_are_the_same(watched: Watched, devices: tuple[str, ...]) -> None:
    maps, ours = watched.maps["page_pool_refill"], watched.ours(devices)
    batches, misses = ours["refill_batch_pages"], ours["refill_misses"]
    assert isinstance(batches, Histogram) and isinstance(misses, Mapping)
    theirs = [value for _, value in cells(maps, "@batch_pages", devices)]
    assert sum(each["count"] for each in theirs) == batches.count > 0
    assert sum(each["total"] for each in theirs) == batches.sum
    assert misses_in_histogram(maps, devices) == batches.buckets[0]
    assert summed(maps, "@misses_ring_empty", devices) == misses[("ring_empty",)]
    assert summed(maps, "@misses_numa", devices) == misses[("numa",)]


def misses_in_histogram(maps: Maps, devices: tuple[str, ...]) -> int:
    ranges = (each for _, histogram in cells(maps, "@batches", devices) for each in histogram)
    return sum(each["count"] for each in ranges if each.get("max") == 0)


@pytest.mark.usefixtures("kprobes")
def test_refills_are_told_apart_by_pool(watched: Watched, require: Callable[..., None]) -> None:
    require("veth" in watched.traffic, "the kernel's veth has no page_pool", capability="veth")
    theirs = dict(cells_by_pool(watched.maps["page_pool_refill"]))
    for id, sample in watched.alive(TRAFFIC["veth"]).items():
        assert theirs[sample.pool.netdev, id] == total(sample.counters["refill_batch_pages"])


def cells_by_pool(maps: Maps) -> Iterator[tuple[tuple[str, str], int]]:
    for (device, id), value in cells(maps, "@batch_pages", TRAFFIC["veth"]):
        yield (device, id), value["count"]


@pytest.mark.usefixtures("kprobes")
def test_mismatches_are_the_same(watched: Watched, devices: tuple[str, ...]) -> None:
    mismatches = watched.ours(devices)["numa_mismatch_pages"]
    assert isinstance(mismatches, Mapping)
    theirs: dict[tuple[str, ...], int] = {}
    for (_, page_node, wanted_node, cpu), pages in cells(watched.maps["page_pool_numa"], "@mismatches", devices):
        assert wanted_node == cpu  # guests have a CPU a node, and these pools no node of their own
        theirs[page_node, wanted_node] = theirs.get((page_node, wanted_node), 0) + pages
    assert theirs == {nodes: pages for nodes, pages in mismatches.items() if pages}


@pytest.mark.usefixtures("kprobes")
def test_there_were_mismatches(watched: Watched, features: Features, require: Callable[..., None]) -> None:
    require(features.nodes > 1, "one NUMA node", capability="numa")
    if watched.traffic:
        assert sum(watched.maps["page_pool_numa"]["@mismatches"].values()) > 0


def test_returns_are_the_same(watched: Watched, devices: tuple[str, ...]) -> None:
    ours = watched.ours(devices)["pages_returned"]
    assert isinstance(ours, Mapping)
    theirs = returned(watched.maps["page_pool_returns"], devices)
    assert theirs == {reason: ours.get((reason,), 0) for reason in RETURNS}
    assert sum(theirs.values()) > 0


def test_pages_in_flight_are_the_same(watched: Watched, require: Callable[..., None]) -> None:
    require("veth" in watched.traffic, "the kernel's veth has no page_pool", capability="veth")
    maps, alive = watched.maps["page_pool_inflight"], watched.alive(TRAFFIC["veth"])
    assert of(alive, maps["@inflight"]) == {id: each.gauges["inflight_pages"] for id, each in alive.items()}
    assert {id: name for id, name in maps["@device"].items() if name in DEVICES} == {
        id: each.pool.netdev for id, each in alive.items()
    }
    zombies = {id: each for id, each in alive.items() if each.pool.state is State.DETACHED}
    assert of(alive, maps["@zombie_pages"]) == {id: each.gauges["inflight_pages"] for id, each in zombies.items()}
    assert zombies and of(alive, maps["@zombie_seconds"]).keys() == zombies.keys()


def of(pools: Collection[str], cells: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of these pools; others may have some, too."""
    return {id: value for id, value in cells.items() if id in pools}
