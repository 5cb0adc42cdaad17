"""Devices that are renamed, moved to another network namespace, and destroyed: right at the next read."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from ppobserve.lab.veth import End, VethLab
from ppobserve.model.cardinality import Cardinality, fold
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import total
from ppobserve.model.snapshot import PoolSample, State
from ppobserve.source.live import Live
from tests.live.conftest import SECONDS, Start, eventually, pool_of, settled

pytestmark = pytest.mark.usefixtures("veth")

SENT = 1_000_003


@pytest.fixture
def lab() -> Iterator[VethLab]:
    """One whose receiving device the test takes away: leaving it may find nothing to detach."""
    with VethLab(receiver_cpu=0) as lab:
        lab.send(SENT, cpu=0)
        yield lab


def ip(end: End, *arguments: str) -> None:
    """Run ``ip link`` in the namespace of one end."""
    subprocess.run(["nsenter", f"--net=/proc/{end.pid}/ns/net", "ip", "link", *arguments], check=True)


def held(source: Live, end: End, name: str) -> int:
    """Pages that one device's series count when pools are folded by device; 0 where there is no such series."""
    groups = fold(source.read().pools, Cardinality.NETDEV)
    return sum(total(each.counters["pages_held"]) for each in groups if each.labels[:2] == (str(end.netns), name))


def of(source: Live, netns: int, state: State) -> list[PoolSample]:
    return [each for each in source.read().pools if each.pool.netns == netns and each.pool.state is state]


def test_a_device_that_is_renamed_takes_its_series_along(lab: VethLab, start: Start) -> None:
    source = start()
    end = lab.receiver
    lab.replace_pools()  # so that some of its pools have ended
    lab.send(SENT, cpu=0)
    before = settled(lambda: held(source, end, end.device))
    pool = pool_of(source.read(), end).pool.id
    ip(end, "set", end.device, "name", "ppnew")
    assert (pool_of(source.read(), end).pool.netdev, pool_of(source.read(), end).pool.id) == ("ppnew", pool)
    assert held(source, end, "ppnew") == before > 0
    assert held(source, end, end.device) == 0
    ip(end, "set", "ppnew", "name", end.device)
    assert held(source, end, end.device) == before


def test_a_device_that_is_destroyed_leaves_its_counts_and_no_pool(lab: VethLab, start: Start) -> None:
    source = start()
    end = lab.receiver
    before = held(source, end, end.device)
    ip(end, "delete", end.device)
    assert eventually(lambda: not of(source, end.netns, State.LIVE) + of(source, end.netns, State.DETACHED), SECONDS)
    assert held(source, end, end.device) >= before > 0


@pytest.mark.parametrize("rung", [Rung.FENTRY.value, Rung.KPROBE.value], indirect=True)
def test_a_device_that_moves_has_its_pool_where_it_is(lab: VethLab, start: Start, rung: Rung) -> None:
    """A move takes the device down: the pool that it has when it is up again is another one."""
    source = start(Level.STANDARD, rung)
    end = lab.receiver
    before = held(source, end, end.device)
    ip(end, "set", end.device, "netns", str(lab.sender.pid))
    ip(lab.sender, "set", end.device, "up")
    (moved,) = (each for each in of(source, lab.sender.netns, State.LIVE) if each.pool.netdev == end.device)
    assert total(moved.counters["pages_held"]) < before
    assert not of(source, end.netns, State.LIVE)
    assert held(source, end, end.device) >= before > 0
