"""A fixed moment of a host, and a source that shows it."""

from __future__ import annotations

from dataclasses import replace

from ppobserve.errors import HostError
from ppobserve.model.cost import Cost
from ppobserve.model.series import Histogram
from ppobserve.model.snapshot import HookState, Pool, PoolSample, Snapshot, State, Tables
from tests.unit.factories import counted, plan, snapshot

NETNS = 4026531840
MISMATCHED = {("0", "1"): 101, ("1", "0"): 0, ("unknown", "1"): 3}
REMOTE = {("cache", "1", "0"): 53, ("ring", "1", "0"): 499}


def moment() -> Snapshot:
    """Two pools of a device, one of them detached, a nameless one, and what ended pools left."""
    gauges = {"inflight_pages": 1021, "cache_pages": 61, "ring_pages": 509, "ring_size": 1024}
    nic = Pool("23", "eth0", NETNS, 2, 8193, "mlx5_core", "0000:5e:00.0", nid=0)
    gone = Pool("29", "eth0", NETNS, 2, 8194, "mlx5_core", "0000:5e:00.0", state=State.DETACHED)
    counters = {
        **counted(1),
        "numa_mismatch_pages": MISMATCHED,
        "refill_batch_pages": Histogram((7, 0, 0, 0, 0, 2, 0, 11), 738),
    }
    return snapshot(
        PoolSample(nic, counters, gauges, REMOTE),
        PoolSample(gone, counted(3), {**gauges, "inflight_pages": -5, "pool_detached_seconds": 61.5}, REMOTE),
        PoolSample(Pool("3-f4240", driver='we"ird\\'), counted(5), gauges),
        PoolSample(Pool("ended", "eth0", NETNS, 2, driver="mlx5_core", state=State.ENDED), counted(7), {}),
        PoolSample(Pool("ended", state=State.ENDED), counted(0), {}),
        tables=Tables(13, 17),
        costs={"refill_entry": Cost(1013.5, 0.25), "return": Cost(1009, 0.125)},
        levels_below=1,
        netns_unreadable=3,
        hooks={hook.name: HookState(True, place) for place, hook in enumerate(plan().hooks)},
    )


class Source:
    """Shows one snapshot after another, or fails."""

    def __init__(self, *shown: Snapshot) -> None:
        self.shown = list(shown) or [moment()]
        self.failure: HostError | None = None
        self.lost: set[str] = set()
        self.reads = 0

    def read(self) -> Snapshot:
        self.reads += 1
        if self.failure:
            raise self.failure
        shown = self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]
        return replace(
            shown, hooks={**shown.hooks, **{name: replace(shown.hooks[name], attached=False) for name in self.lost}}
        )
