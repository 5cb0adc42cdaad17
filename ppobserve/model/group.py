"""Pools added up for someone who looks: by device, or by the node that their pages should be on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from ppobserve.model.series import add, add_series
from ppobserve.model.snapshot import Pool, PoolSample, State


class Grouping(str, Enum):
    """What a row stands for."""

    POOL = "pool"
    NETDEV = "netdev"
    NODE = "node"
    """All pools whose pages should be on one node."""
    HOST = "host"


@dataclass(frozen=True)
class Group:
    """Pools that were added up, under a name of their own."""

    sample: PoolSample
    members: tuple[tuple[str, ...], ...]
    """Keys of the pools in it."""


def wanted_node(sample: PoolSample) -> int:
    """The node that the pool wants its pages on: its own, or its consumer's, or the device's; -1: not known."""
    if sample.pool.nid >= 0:
        return sample.pool.nid
    consumers = (int(node) for _, _, node in sample.remote if node.isdecimal())
    return next(consumers, sample.pool.device_node)


def grouped(samples: Iterable[PoolSample], grouping: Grouping) -> tuple[Group, ...]:
    """A group for each device or node. For each pool (`Grouping.POOL`) it is a group of one."""
    groups: dict[tuple[str, ...], Group] = {}
    for sample in samples:
        pool = _POOL[grouping](sample)
        groups[pool.key] = _merged(groups.get(pool.key), sample, pool)
    return tuple(groups.values())


def _merged(old: Group | None, sample: PoolSample, pool: Pool) -> Group:
    if old is None:
        return Group(PoolSample(pool, sample.counters, sample.gauges, sample.remote), (sample.pool.key,))
    mine = old.sample
    names = {**mine.gauges, **sample.gauges}
    return Group(
        PoolSample(
            mine.pool,
            add(mine.counters, sample.counters),
            {name: mine.gauges.get(name, 0) + sample.gauges.get(name, 0) for name in names},
            add_series(mine.remote, sample.remote),
        ),
        (*old.members, sample.pool.key),
    )


def _netdev(sample: PoolSample) -> Pool:
    """Pools without a device are one group, whatever their driver, as :mod:`ppobserve.model.cardinality` has it."""
    pool = sample.pool
    if not pool.ifindex:
        return Pool("no device")
    return Pool(
        f"{pool.netns}/{pool.ifindex}",
        pool.netdev,
        pool.netns,
        pool.ifindex,
        driver=pool.driver,
        device=pool.device,
        device_node=pool.device_node,
    )


def _node(sample: PoolSample) -> Pool:
    """Ended pools wanted their pages on some node or other."""
    node = -1 if sample.pool.state is State.ENDED else wanted_node(sample)
    name = f"node {node}" if node >= 0 else "node unknown"
    return Pool(name, name, nid=node)


def _pool(sample: PoolSample) -> Pool:
    return sample.pool


def _host(_: PoolSample) -> Pool:
    return Pool("host")


_POOL: dict[Grouping, Callable[[PoolSample], Pool]] = {
    Grouping.POOL: _pool,
    Grouping.NETDEV: _netdev,
    Grouping.NODE: _node,
    Grouping.HOST: _host,
}
