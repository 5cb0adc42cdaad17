"""Snapshots of the running kernel, through our own programs."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Iterable, Mapping

from ppobserve.kernel import clock, host, memory
from ppobserve.kernel.features import gather
from ppobserve.kernel.netdev import ListedPool, PoolLister
from ppobserve.model.plan import Level, Plan, Rung
from ppobserve.model.series import Counters
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State, as_named_now
from ppobserve.model.ungrouped import Ungrouped
from ppobserve.probe.attach import Attached, attach
from ppobserve.probe.reader import Reader


class Live:
    """Attached programs and their reader. ``read`` may be called from any thread; ``close`` detaches."""

    def __init__(self, attached: Attached) -> None:
        self._clock = clock.measure()
        self._attached, self._reader = attached, Reader(attached, clock=self._clock)
        self._lister, self._ungrouped = PoolLister(), Ungrouped(attached.tables.groups)
        self._lock = threading.Lock()
        self._host, self._kernel = host.name(), platform.release()

    @classmethod
    def start(cls, level: Level, rung: Rung | None = None) -> Live:
        """Look at this kernel, attach the best plan, and be ready to read."""
        attached = attach(gather(), level, forced=rung)
        try:
            live = cls(attached)
        except BaseException:  # a daemon that changes its level goes on with the former programs
            attached.close()
            raise
        memory.give_back()
        return live

    @property
    def plan(self) -> Plan:
        """What is attached."""
        return self._attached.plan

    @property
    def log(self) -> tuple[str, ...]:
        """Rungs that fell while attaching, as sentences."""
        return self._attached.log

    def read(self) -> Snapshot:
        """All pools now; gauges are brought up to date by a program run for each pool."""
        with self._lock:
            pools, tables, audit = self._reader.read()
            up = self._clock.boottime()
            pools += unseen(self._lister.pools(), pools, self._reader.nothing(), up)
            snapshot = Snapshot(
                time.time(),
                self.plan,
                as_named_now(pools),
                tables,
                self._host,
                self._kernel,
                audit,
                netns_unreadable=self._lister.netns_unreadable,
                hooks=self._attached.hooks(),
                uptime=up,
            )
            return self._ungrouped.apply(snapshot)

    def programs(self) -> Mapping[str, frozenset[int]]:
        """Descriptors of the attached programs by name, for their statistics."""
        return self._attached.programs()

    def adopt(self, former: Live) -> Mapping[str, str]:
        """Know every pool that *former* knows; gives the ids that differ, ours to its."""
        with self._lock, former._lock:
            return self._reader.adopt(former._reader)

    def close(self) -> None:
        """Detach everything."""
        with self._lock:
            self._attached.close()


def unseen(
    listed: Iterable[ListedPool], seen: Iterable[PoolSample], nothing: Counters, now: float
) -> tuple[PoolSample, ...]:
    """Pools that the kernel lists and that no event has shown yet: idle ones, with *nothing* counted.

    *now* is the kernel's CLOCK_BOOTTIME in seconds.
    """
    known = {sample.pool.id for sample in seen}
    return tuple(PoolSample(_pool(each), nothing, _gauges(each, now)) for each in listed if str(each.id) not in known)


def _gauges(listed: ListedPool, now: float) -> dict[str, float]:
    gauges: dict[str, float] = {"inflight_pages": listed.inflight}
    if listed.detached_at is not None:
        gauges["pool_detached_seconds"] = max(now - listed.detached_at, 0.0)
    return gauges


def _pool(listed: ListedPool) -> Pool:
    return Pool(
        id=str(listed.id),
        netdev=listed.netdev,
        netns=listed.netns,
        ifindex=listed.ifindex,
        napi=listed.napi,
        driver=listed.driver,
        state=State.LIVE if listed.detached_at is None else State.DETACHED,
    )
