"""All pools at one moment, and what changed between two moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from ppobserve.model.plan import Plan
from ppobserve.model.series import Counters, add, subtract


class State(str, Enum):
    """Where a pool is in its life."""

    LIVE = "live"
    DETACHED = "detached"
    """Destroyed by its driver, with pages still out."""
    ENDED = "ended"
    """No pool but the sum of a device's ended pools."""


@dataclass(frozen=True)
class Pool:
    """Who a pool is, and whose. Empty strings and zeros where the kernel doesn't say."""

    id: str
    netdev: str = ""
    netns: int = 0
    """Inode number of the network namespace, as in ``ls -L -i /proc/PID/ns/net``."""
    ifindex: int = 0
    napi: int = 0
    driver: str = ""
    device: str = ""
    nid: int = -1
    """The node that the pool was made for; -1: the consumer's, wherever that runs."""
    state: State = State.LIVE

    @property
    def key(self) -> tuple[str, ...]:
        """Tells this pool from any other at another moment. A device may be renamed; an id is not given twice."""
        return (self.id, str(self.netns), str(self.ifindex)) if self.state is State.ENDED else (self.id,)


@dataclass(frozen=True)
class PoolSample:
    """One pool at one moment: counters since it was first seen, gauges now."""

    pool: Pool
    counters: Counters
    gauges: Mapping[str, float]


@dataclass(frozen=True)
class Tables:
    """How the kernel side's own tables are doing."""

    pools_dropped: int = 0
    """Pools that found no entry since the programs were attached."""
    slots_dropped: int = 0
    """Events of known pools that found no slot."""


@dataclass(frozen=True)
class Snapshot:
    """Every pool at ``time`` (seconds since the epoch)."""

    time: float
    plan: Plan
    pools: tuple[PoolSample, ...] = ()
    tables: Tables = field(default_factory=Tables)
    host: str = ""
    kernel: str = ""

    def counters(self) -> Counters:
        """The sum over all pools, ended ones too: it never goes down."""
        total: Counters = {}
        for sample in self.pools:
            total = add(total, sample.counters)
        return total


def delta(new: Snapshot, old: Snapshot) -> Snapshot:
    """*new*, with counters that say what each pool gained since *old*; a pool new since then gained all it has."""
    before = {sample.pool.key: sample.counters for sample in old.pools}
    pools = (
        replace(sample, counters=subtract(sample.counters, before.get(sample.pool.key, {}))) for sample in new.pools
    )
    return replace(new, pools=tuple(pools))
