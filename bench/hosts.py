"""Hosts that do not exist: snapshots of pools under steady traffic, healthy or with one fault, as a function of time.

Everything is counted as a daemon on a 7.3 kernel of two nodes would at level full; bench/fleet.py serves them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ppobserve.cli.facts import load
from ppobserve.model.cost import Cost
from ppobserve.model.metrics import counters
from ppobserve.model.plan import Level, Plan, Rung, make_plan
from ppobserve.model.series import Counters, Histogram
from ppobserve.model.snapshot import ENDED_ID, HookState, Pool, PoolSample, Snapshot, State, Tables

FACTS = Path(__file__).parent.parent / "tests" / "data" / "facts" / "7.3.json"
NETNS = 4026531840
RETURNS = ("numa", "ring_full", "referenced", "pfmemalloc", "nid_update", "teardown", "other")

FAULTS = ("mismatch", "remote", "new_pages", "small_batches", "ring_full", "leak", "zombie", "negative",
          "hook", "missed", "stepped_down", "dropped", "audit")  # fmt: skip
"""What can be wrong with a host: an alert each."""


@cache
def plan(level: Level = Level.FULL, rung: Rung | None = None) -> Plan:
    """What a 7.3 kernel gets."""
    return make_plan(load(FACTS).features, level, forced=rung)


@dataclass
class Host:
    """A source of snapshots, as ``export.collector`` watches one. Rates are a pool's, pages or events a second."""

    name: str
    devices: int = 2
    queues: int = 2
    fault: str = ""
    refills: float = 200.0
    level: Level = Level.FULL
    rung: Rung | None = None
    clock: Callable[[], float] = time.time
    since: float = field(default=0.0)
    """When the fault began; the host has run since an hour before the first read."""

    def __post_init__(self) -> None:
        self.since = self.since or self.clock()
        self._began = self.clock() - 3600

    def read(self) -> Snapshot:
        """All pools, now."""
        now = self.clock()
        dropped = 7 if self.fault == "dropped" else 0  # each once, before anyone looked
        audit = {"alloc_waive": 13 if self.fault == "audit" else 0, "alloc_refill": 0}
        return Snapshot(
            now,
            plan(self.level, self.rung),
            tuple(self._pools(now)),
            Tables(dropped),
            self.name,
            "7.3.0",
            audit,
            costs={"refill_entry": Cost(runs := self.refills * (now - self._began), runs * 90e-9)},
            levels_below=int(self.fault == "stepped_down"),
            hooks=self._hooks(),
        )

    def _hooks(self) -> dict[str, HookState]:
        """Every hook. The fault ``hook`` has lost the first, the fault ``missed`` misses events of all."""
        lost = self.fault == "hook"
        missed = int(20 * (self.clock() - self.since)) if self.fault == "missed" else 0
        hooks = plan(self.level, self.rung).hooks
        return {hook.name: HookState(not (lost and place == 0), missed) for place, hook in enumerate(hooks)}

    def _pools(self, now: float) -> Iterator[PoolSample]:
        for device in range(self.devices):
            netdev, index = f"eth{device}", device + 2
            for queue in range(self.queues):
                number = 16 * index + queue
                pool = Pool(str(number), netdev, NETNS, index, 8192 + number, "mlx5_core", f"0000:{index:02x}:00.0",
                            queue=queue, device_node=device % 2)  # fmt: skip
                yield self._sample(pool, now, faulty=device == 0)
            ended = Pool(ENDED_ID, netdev, NETNS, index, driver="mlx5_core", state=State.ENDED)
            yield PoolSample(ended, self._counters(600, 0), {})

    def _sample(self, pool: Pool, now: float, *, faulty: bool) -> PoolSample:
        fault = max(now - self.since, 0.0) if faulty else 0.0
        gauges = {"inflight_pages": 1500.0, "cache_pages": 96.0, "ring_pages": 700.0, "ring_size": 1024.0}
        remote: dict[tuple[str, str, str], int] = {}
        if faulty and self.fault == "leak":
            gauges["inflight_pages"] += int(fault * 64)
        if faulty and self.fault == "negative":
            gauges["inflight_pages"] = -7.0
        if faulty and self.fault == "zombie":
            gauges["pool_detached_seconds"] = 900 + fault
        if faulty and self.fault == "remote":
            remote = {("cache", "1", "0"): 90, ("ring", "1", "0"): 690}
        return PoolSample(pool, self._counters(now - self._began, fault), gauges, remote)

    def _counters(self, seconds: float, fault: float) -> Counters:
        """What a pool has counted after so many seconds, the last *fault* of them with the fault."""
        bad = {name: int(fault * rate) if self.fault == name else 0 for name, rate in _RATES.items()}
        full, empty = int(self.refills * (seconds - fault)), int(self.refills * seconds / 100)
        full += 0 if self.fault in ("small_batches", "mismatch") else int(self.refills * fault)
        empty += bad["mismatch"]  # a refill stops at the first page that is on the wrong node
        slow = int(self.refills * seconds / 50) + bad["mismatch"] + (bad["new_pages"] + bad["ring_full"]) // 64
        taken, returned = 64 * full + 2 * bad["small_batches"], dict.fromkeys(RETURNS, 0)
        returned |= {"numa": bad["mismatch"], "ring_full": bad["ring_full"], "referenced": 64 * slow // 3}
        counted: dict[str, Histogram | Mapping[tuple[str, ...], int]] = {
            "refill_batch_pages": Histogram((empty, 0, bad["small_batches"], 0, 0, 0, 0, full), taken),
            "refill_misses": {("ring_empty",): empty - bad["mismatch"], ("numa",): bad["mismatch"]},
            "numa_mismatch_pages": {("0", "1"): 0, ("1", "0"): bad["mismatch"]},
            "slow_refills": {(): slow},
            "pages_held": {(): 64 * slow},
            "pages_returned": {(reason,): pages for reason, pages in returned.items()},
            "allocs": {("cache",): 60 * taken // 64 * 2, ("refill",): full, ("slow",): slow},
            "recycles": {("cache",): taken // 3, ("ring",): taken},
            "nid_updates": {(): 0},
        }
        return {name: counter for name, counter in counted.items() if name in _names(self.level, self.rung)}


_RATES = {"mismatch": 3_000, "new_pages": 90_000, "small_batches": 4_000, "ring_full": 9_000}


@cache
def _names(level: Level, rung: Rung | None) -> frozenset[str]:
    return frozenset(metric.name for metric in counters(plan(level, rung)))
