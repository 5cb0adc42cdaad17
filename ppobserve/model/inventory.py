"""Every pool there is, once: who it is and how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State

SCHEMA = 1
"""Goes up when a reader of the older form would misread the newer one."""


@dataclass(frozen=True)
class Known:
    """A pool, and what is known of it now; None for what is not."""

    pool: Pool
    used: bool
    """Has anyone used it since we look? Of one that nobody did, only what the kernel's own list says is known."""
    inflight: int | None = None
    cache_pages: int | None = None
    ring_pages: int | None = None
    ring_size: int | None = None
    detached_seconds: float | None = None
    """How long ago its driver destroyed it."""

    @property
    def state(self) -> str:
        """live, idle, detached."""
        if self.pool.state is State.DETACHED:
            return State.DETACHED.value
        return "live" if self.used else "idle"


def inventory(snapshot: Snapshot) -> tuple[Known, ...]:
    """The pools that there are, by device and queue; groups of ended pools are no pools."""
    pools = [_known(sample) for sample in snapshot.pools if sample.pool.state is not State.ENDED]
    return tuple(sorted(pools, key=_place))


def _place(known: Known) -> tuple[bool, str, int, int, int, int, str]:
    """Pools with a device first."""
    pool = known.pool
    return not pool.netdev, pool.netdev, pool.netns, pool.queue, pool.napi, len(pool.id), pool.id


def _known(sample: PoolSample) -> Known:
    gauges = sample.gauges
    return Known(
        pool=sample.pool,
        used="ring_size" in gauges,  # what the kernel lists has none
        inflight=_whole(gauges, "inflight_pages"),
        cache_pages=_whole(gauges, "cache_pages"),
        ring_pages=_whole(gauges, "ring_pages"),
        ring_size=_whole(gauges, "ring_size"),
        detached_seconds=gauges.get("pool_detached_seconds"),
    )


def _whole(gauges: Mapping[str, float], name: str) -> int | None:
    return int(gauges[name]) if name in gauges else None


UNKNOWN_UNTIL_USED = ("device", "nid", "queue", "cpu", "device_node", "consumer_cpu", "order", "provider")
"""What the kernel's own list does not say of a pool."""


def inventory_document(snapshot: Snapshot) -> dict[str, Any]:
    """As JSON; what is not known is null."""
    return {
        "schema": SCHEMA,
        "time": snapshot.time,
        "host": snapshot.host,
        "kernel": snapshot.kernel,
        "netns_unreadable": snapshot.netns_unreadable,
        "pools": [_document(known) for known in inventory(snapshot)],
    }


def _document(known: Known) -> dict[str, Any]:
    pool = {**asdict(known.pool), "state": known.state}
    if not known.used:
        pool |= dict.fromkeys(UNKNOWN_UNTIL_USED)
    return {**pool, **{name: value for name, value in asdict(known).items() if name != "pool"}}
