"""The scripts for bpftrace count what we count: the same traffic, both attached at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from ppobserve.errors import NotObservable
from ppobserve.lab.veth import VethLab
from ppobserve.model.features import Features
from ppobserve.model.script import filled
from ppobserve.model.series import Counters, Histogram, add, total
from ppobserve.model.snapshot import Snapshot, State, delta
from ppobserve.probe.abi import RETURNS
from ppobserve.probe.scripts import templates
from ppobserve.source.live import Live
from tests.live import bpftrace
from tests.live.bpftrace import Maps, Running, cells, returned, summed
from tests.live.conftest import Start
from tests.live.traffic import has_frames, moving_frames, veth_has_pools

MEGABYTE = 1_000_003
PARKED = 30_011
ROUNDS = (0, 1, 0, 1)
VETH = ("ppv0", "ppv1")
TEST_RUNS = ""  # their pools have no device


@dataclass(frozen=True)
class Watched:
    """What both sides saw of the same traffic."""

    maps: Mapping[str, Maps]
    """By script; one that this kernel refuses is not there."""
    refused: Mapping[str, str]
    gained: Snapshot
    devices: tuple[str, ...]
    """Whose pools had traffic; none on a kernel where nothing here makes any."""

    def ours(self, device: str) -> Counters:
        """The sum over all pools of a device, ended ones too."""
        counters: Counters = {}
        for sample in self.gained.pools:
            if sample.pool.netdev == device and bool(sample.pool.ifindex) == bool(device):
                counters = add(counters, sample.counters)
        return counters


@pytest.fixture(scope="module")
def watched(
    features: Features, start: Start, require: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    require(bpftrace.BPFTRACE, "bpftrace is not installed")
    folder, source = tmp_path_factory.mktemp("scripts"), start()
    with ExitStack() as stack:
        running, refused = started(features, folder, stack)
        for each in running.values():
            each.wait_until_attached()
        before = source.read()
        devices = (*traffic_of_test_runs(features), *traffic_of_veth(source, stack))
        gained = delta(source.read(), before)
        yield Watched({name: each.end() for name, each in running.items()}, refused, gained, devices)


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
    moving_frames(features)
    return (TEST_RUNS,)


def traffic_of_veth(source: Live, stack: ExitStack) -> tuple[str, ...]:
    """TCP whose sender moves between the nodes (6.4). One pair is destroyed with pages out, the other left alive."""
    if not veth_has_pools(source):
        return ()
    zombie, alive = (stack.enter_context(VethLab(receiver_cpu=0)) for _ in range(2))
    for cpu in ROUNDS:
        zombie.send(MEGABYTE, cpu=cpu)
        alive.send(MEGABYTE, cpu=cpu)
    zombie.send(MEGABYTE, cpu=0, splice=True)
    zombie.park(PARKED, cpu=0)
    zombie.destroy_pools()
    return VETH


def test_a_script_runs_or_there_is_a_sentence_why_not(watched: Watched, features: Features) -> None:
    expected = set() if not features.refusals["kprobe"] else {"page_pool_refill", "page_pool_numa"}
    assert set(watched.refused) == expected
    assert all("kprobes" in why for why in watched.refused.values())
    assert set(watched.maps) == set(templates()) - expected
    if path := os.environ.get("PPOBSERVE_SUPPORT"):
        found = {name: "equal" if watched.devices else "attached" for name in watched.maps} | dict(watched.refused)
        version = ".".join(map(str, bpftrace.version()))
        Path(path).with_name("bpftrace.json").write_text(json.dumps({version: found}))


@pytest.fixture(params=[TEST_RUNS, *VETH], ids=["test runs", *VETH])
def device(request: pytest.FixtureRequest, watched: Watched, require: Callable[..., None]) -> str:
    capability = "veth" if request.param else "frames"
    require(request.param in watched.devices, "no traffic", capability=capability)
    return str(request.param)


@pytest.fixture
def kprobes(features: Features, require: Callable[..., None]) -> None:
    require(not features.refusals["kprobe"], features.refusals["kprobe"], capability="kprobe")


@pytest.mark.usefixtures("kprobes")
def test_refills_are_the_same(watched: Watched, device: str) -> None:
    maps, ours = watched.maps["page_pool_refill"], watched.ours(device)
    batches, misses = ours["refill_batch_pages"], ours["refill_misses"]
    assert isinstance(batches, Histogram) and isinstance(misses, Mapping)
    theirs = [value for _, value in cells(maps, "@batch_pages", device)]
    assert sum(each["count"] for each in theirs) == batches.count > 0
    assert sum(each["total"] for each in theirs) == batches.sum
    assert misses_in_histogram(maps, device) == batches.buckets[0]
    assert summed(maps, "@misses_ring_empty", device) == misses[("ring_empty",)]
    assert summed(maps, "@misses_numa", device) == misses.get(("numa",), 0)


def misses_in_histogram(maps: Maps, device: str) -> int:
    ranges = (each for _, histogram in cells(maps, "@batches", device) for each in histogram)
    return sum(each["count"] for each in ranges if each.get("max") == 0)


@pytest.mark.usefixtures("kprobes")
def test_mismatches_are_the_same(watched: Watched, device: str) -> None:
    mismatches = watched.ours(device)["numa_mismatch_pages"]
    assert isinstance(mismatches, Mapping)
    theirs: dict[tuple[str, ...], int] = {}
    for (page_node, wanted_node, cpu), pages in cells(watched.maps["page_pool_numa"], "@mismatches", device):
        assert wanted_node == cpu  # guests have a CPU a node, and these pools no node of their own
        theirs[page_node, wanted_node] = theirs.get((page_node, wanted_node), 0) + pages
    assert theirs == {nodes: pages for nodes, pages in mismatches.items() if pages}


@pytest.mark.usefixtures("kprobes")
def test_there_were_mismatches(watched: Watched, features: Features, require: Callable[..., None]) -> None:
    require(features.nodes > 1, "one NUMA node", capability="numa")
    require(watched.devices, "no traffic", capability="frames")
    assert summed_over_all(watched.maps["page_pool_numa"]["@mismatches"]) > 0


def summed_over_all(cells: Mapping[str, int]) -> int:
    return sum(cells.values())


def test_returns_are_the_same(watched: Watched, device: str) -> None:
    ours = watched.ours(device)["pages_returned"]
    assert isinstance(ours, Mapping)
    theirs = returned(watched.maps["page_pool_returns"], device)
    assert theirs == {reason: ours.get((reason,), 0) for reason in RETURNS}
    assert sum(theirs.values()) > 0


def test_pages_in_flight_are_the_same(watched: Watched, require: Callable[..., None]) -> None:
    require(set(VETH) <= set(watched.devices), "the kernel's veth has no page_pool", capability="veth")
    maps = watched.maps["page_pool_inflight"]
    pools = {each.pool.id: each for each in watched.gained.pools if each.pool.netdev in VETH}
    known = {id: each for id, each in pools.items() if each.pool.state is not State.ENDED}
    assert maps["@inflight"] == {id: each.gauges["inflight_pages"] for id, each in known.items()}
    assert maps["@device"] == {id: each.pool.netdev for id, each in known.items()}
    zombies = {id: each for id, each in known.items() if each.pool.state is State.DETACHED}
    assert maps["@zombie_pages"] == {id: each.gauges["inflight_pages"] for id, each in zombies.items()}
    assert zombies and maps["@zombie_seconds"].keys() == zombies.keys()
    assert total(watched.ours("ppv1")["pages_held"]) > 0
