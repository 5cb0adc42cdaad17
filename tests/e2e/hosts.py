"""A host of two nodes whose NIC's interrupt has moved: an hour of it, for pages to show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from ppobserve.model.series import Counters, Histogram
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot
from tests.unit.factories import plan

HOSTILE = "'\"><iframe>"
"""A device name that the kernel allows: anything but white space, "/" and ":" in 15 bytes."""
NETNS = 4026531840
STEP = 15
MOVED = 2400
"""Second at which the interrupt moves to the other node."""
BACK = 3300


def pools() -> list[Pool]:
    nic = [Pool(str(18 + n), "eth0", NETNS, 2, 8193 + n, "mlx5_core", "0000:5e:00.0", nid=0, queue=n) for n in range(6)]
    slow = [Pool(str(31 + n), "eth1", NETNS, 3, 8213 + n, "bnxt_en", "0000:af:00.0", nid=1, queue=n) for n in range(2)]
    return [*nic, *slow, Pool("41", HOSTILE, 4026532971, 5, 0, "veth"), Pool("43")]


def moment(second: int, samples: list[Pool]) -> Snapshot:
    """The host *second* seconds after the programs were attached."""
    return Snapshot(
        time=1.8e9 + second,
        plan=plan(),
        pools=tuple(_sample(place, pool, second) for place, pool in enumerate(samples)),
        host="db-17.example",
        kernel="6.12.57+deb13-amd64",
    )


def hour(step: int = STEP) -> Iterator[Snapshot]:
    """Snapshots of an hour, the last one at its end."""
    samples = pools()
    for second in range(0, 3601, step):
        yield moment(second, samples)


def _sample(place: int, pool: Pool, second: int) -> PoolSample:
    busy = 0.0 if place == 9 else (1200 - 90 * place) * (second + 240 * math.sin(second / 500))
    refills = int(max(busy, 0))
    moved = max(min(second, BACK) - MOVED, 0) if pool.netdev == "eth0" else 0
    dropped = 617 * (7 - place) * moved
    batches = Histogram(
        (refills // 97, refills // 41, 0, refills // 31, 0, refills // 17, refills // 11, refills), refills * 61
    )
    counters: Counters = {
        "refill_batch_pages": batches,
        "refill_misses": {("ring_empty",): refills // 97, ("numa",): dropped // 7},
        "numa_mismatch_pages": {("0", "1"): dropped, ("1", "0"): dropped // 300},
        "slow_refills": {(): refills // 97},
        "pages_held": {(): 1024 + dropped},
        "pages_returned": {("numa",): dropped, ("ring_full",): refills // 53},
    }
    gauges: Mapping[str, float] = {
        "inflight_pages": 1024 + 311 * place + int(200 * math.sin(second / 300 + place)),
        "ring_pages": 509,
        "ring_size": 1024,
    }
    kept = 97 * (7 - place) if pool.netdev == "eth0" and MOVED < second < BACK + 600 else 0
    return PoolSample(pool, counters, gauges, {("ring", "0", "1"): kept, ("ring", "1", "0"): 0})
