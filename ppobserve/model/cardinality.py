"""Fewer series: pools of one device, or of the whole host, added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from ppobserve.model.metrics import POOL_LABELS
from ppobserve.model.series import BOUNDS, Counters, Histogram, Series, add, add_series
from ppobserve.model.snapshot import Pool, PoolSample


class Cardinality(str, Enum):
    """What a series stands for."""

    POOL = "pool"
    NETDEV = "netdev"
    NODE = "node"
    """The whole host; the counters' own node labels stay."""


_KEPT = {
    Cardinality.POOL: frozenset(POOL_LABELS),
    Cardinality.NETDEV: frozenset({"netns", "netdev", "driver"}),
    Cardinality.NODE: frozenset[str](),
}

_OLDEST = frozenset({"pool_detached_seconds"})
"""Gauges of which a sum says nothing: folded, they are the highest of their pools."""


@dataclass(frozen=True)
class Group:
    """Samples that share their label values, added up."""

    labels: tuple[str, ...]
    """Values of ``label_names``, in that order."""
    counters: Counters
    gauges: Mapping[str, float]
    remote: Series = field(default_factory=dict)

    @property
    def series(self) -> int:
        """How many series it takes; a histogram has its buckets, ``+Inf``, ``_count`` and ``_sum``."""
        counted = (len(BOUNDS) + 3 if isinstance(c, Histogram) else len(c) for c in self.counters.values())
        return sum(counted) + len(self.gauges) + len(self.remote)


def label_names(cardinality: Cardinality) -> tuple[str, ...]:
    """The labels that name a pool's series."""
    return tuple(label for label in POOL_LABELS if label in _KEPT[cardinality])


def label_values(pool: Pool, cardinality: Cardinality) -> tuple[str, ...]:
    """The values of ``label_names`` for this pool."""
    values = _labels(_folded(pool, cardinality))
    return tuple(values[name] for name in label_names(cardinality))


def fold(samples: Iterable[PoolSample], cardinality: Cardinality) -> tuple[Group, ...]:
    """One group for each combination of labels."""
    groups: dict[tuple[str, ...], Group] = {}
    for sample in samples:
        key = label_values(sample.pool, cardinality)
        groups[key] = merged(groups.get(key), Group(key, sample.counters, sample.gauges, sample.remote))
    return tuple(groups.values())


def _folded(pool: Pool, cardinality: Cardinality) -> Pool:
    """The kernel side gathers what pools without a device counted in one group when they end, whatever their driver: so
    their series is one all the time."""
    return Pool(pool.id) if cardinality is Cardinality.NETDEV and not pool.ifindex else pool


def merged(old: Group | None, new: Group) -> Group:
    """Both added up, under the labels of *old*."""
    if old is None:
        return new
    gauges = {name: _gauge(name, old.gauges.get(name), new.gauges.get(name)) for name in {**old.gauges, **new.gauges}}
    return Group(old.labels, add(old.counters, new.counters), gauges, add_series(old.remote, new.remote))


def _gauge(name: str, *values: float | None) -> float:
    return (max if name in _OLDEST else sum)(value for value in values if value is not None)


def _labels(pool: Pool) -> dict[str, str]:
    return {
        "netns": str(pool.netns or ""),
        "netdev": pool.netdev,
        "pool": pool.id,
        "napi": str(pool.napi or ""),
        "driver": pool.driver,
    }
