"""Devices that found no group of their own: what their pools counted stays with them when they end.

The kernel side has a group for so many devices, those whose pools end first, and adds all further ones' ended pools to
those without a device. The sums of such a device would go down then: to Prometheus, that is a counter that begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ppobserve.model.series import Counter, Counters, Histogram, add, subtract, total
from ppobserve.model.snapshot import (
    ENDED_ID,
    REST,
    Pool,
    PoolSample,
    Snapshot,
    State,
    as_named_now,
    ended_between,
)

MOST = 1024
"""Devices without a group that are remembered. Of more, those that are gone are forgotten, and no longer shown."""

Key = tuple[str, ...]


class Ungrouped:
    """Moves what is known of such devices' ended pools from the pools without a device to a group made here.

    Known is what they had counted when they were last seen; the rest stays where the kernel side put it. So no sum goes
    down, and nothing is counted twice. *groups* is how many the kernel side has, that of no device included.
    """

    def __init__(self, groups: int, most: int = MOST) -> None:
        self._groups, self._most = groups, most
        self._before: Snapshot | None = None
        self._kept: dict[Key, PoolSample] = {}
        self._moved: Counters = {}

    def apply(self, snapshot: Snapshot) -> Snapshot:
        """Each snapshot of a source in turn, as it is to be shown."""
        for sample in self._ended(snapshot):
            self._keep(sample)
        self._before = snapshot
        if not self._moved:
            return snapshot
        self._forget(snapshot)
        pools = (self._less(sample) if sample.pool.key == REST else sample for sample in snapshot.pools)
        return replace(snapshot, pools=as_named_now((*pools, *self._kept.values())))

    def _ended(self, snapshot: Snapshot) -> Iterator[PoolSample]:
        """Pools that the group of pools without a device took though they have one."""
        groups = {sample.pool.key for sample in snapshot.pools if sample.pool.state is State.ENDED}
        if not self._before or len(groups) < self._groups:
            return
        for sample in ended_between(self._before, snapshot):
            has_counted = any(map(total, sample.counters.values()))
            if sample.pool.ifindex and has_counted and _group(sample.pool).key not in groups:
                yield sample

    def _keep(self, sample: PoolSample) -> None:
        """The latest last."""
        group = _group(sample.pool)
        known = self._kept.pop(group.key, None)
        counters = add(known.counters, sample.counters) if known else sample.counters
        self._kept[group.key] = PoolSample(group, counters, {})
        self._moved = add(self._moved, sample.counters)

    def _forget(self, snapshot: Snapshot) -> None:
        present = {_group(sample.pool).key for sample in snapshot.pools if sample.pool.state is not State.ENDED}
        gone = [key for key in self._kept if key not in present]
        for key in gone[: max(len(self._kept) - self._most, 0)]:
            del self._kept[key]

    def _less(self, rest: PoolSample) -> PoolSample:
        left = subtract(rest.counters, self._moved)
        return replace(rest, counters={name: _not_negative(counter) for name, counter in left.items()})


def _not_negative(counter: Counter) -> Counter:
    """What a pool in use recycled follows from counts a moment apart, and may have been some pages less in the end."""
    return counter if isinstance(counter, Histogram) else {key: max(value, 0) for key, value in counter.items()}


def _group(pool: Pool) -> Pool:
    """The group that its device would have."""
    return Pool(ENDED_ID, pool.netdev, pool.netns, pool.ifindex, driver=pool.driver, state=State.ENDED)
