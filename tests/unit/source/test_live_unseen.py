"""Pools that only the kernel's own list knows join those that our programs have seen."""

from __future__ import annotations

import time
from threading import Lock
from unittest.mock import Mock

import pytest

from ppobserve.kernel.clock import Clock
from ppobserve.kernel.netdev import ListedPool
from ppobserve.model.snapshot import Pool, PoolSample, State, Tables
from ppobserve.model.ungrouped import Ungrouped
from ppobserve.source import live
from ppobserve.source.live import Live, unseen
from tests.unit.factories import ZERO

NS = 4026531840


def test_an_idle_pool_has_counted_nothing_and_one_that_was_seen_is_not_told_twice() -> None:
    seen = [PoolSample(Pool("7", "eth0", NS, 3), ZERO, {})]
    listed = [ListedPool(7, NS, 3, "eth0"), ListedPool(11, NS, 3, "eth0", "virtio_net", 8193, 127)]
    (idle,) = unseen(listed, seen, ZERO, 1009.5)
    assert idle.pool == Pool("11", "eth0", NS, 3, 8193, "virtio_net")
    assert (idle.counters, idle.gauges) == (ZERO, {"inflight_pages": 127})


def test_a_pool_that_its_driver_destroyed_is_detached_for_as_long_as_the_kernel_says() -> None:
    (zombie,) = unseen([ListedPool(13, NS, inflight=3, detached_at=313)], [], ZERO, 1009.5)
    assert zombie.pool.state is State.DETACHED
    assert zombie.gauges == {"inflight_pages": 3, "pool_detached_seconds": 696.5}


def test_a_snapshot_is_stamped_by_a_clock_that_nobody_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    source = object.__new__(Live)
    source._attached, source._lister, source._lock = Mock(), Mock(pools=lambda: ()), Lock()
    source._reader = Mock(read=lambda: ((), Tables(), {}))
    source._clock = Clock(0, 100_000 * 10**9)  # in a time namespace, behind the host
    source._host, source._kernel, source._ungrouped = "host", "7.3", Ungrouped(1)
    monkeypatch.setattr(live.time, "time", lambda: 5e8)
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    snapshot = source.read()
    after = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert snapshot.time == 5e8
    assert snapshot.uptime is not None and before <= snapshot.uptime - 100_000 <= after
