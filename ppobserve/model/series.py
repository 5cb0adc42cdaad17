"""Counts with labels, and histograms: values that can be added and subtracted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

BOUNDS = (0, 1, 2, 4, 8, 16, 32, 64)
"""Upper bounds of the refill batch histogram, in pages: a refill moves at most PP_ALLOC_CACHE_REFILL, 64."""

Series = Mapping[tuple[str, ...], int]
"""Label values, in the metric's order, to a count. A metric without labels has the one key ``()``."""


@dataclass(frozen=True)
class Histogram:
    """Counts by bucket (not cumulated; ``BOUNDS`` are their upper bounds) and the sum of all observations."""

    buckets: tuple[int, ...] = (0,) * len(BOUNDS)
    sum: int = 0

    @classmethod
    def of(cls, observations: Iterable[int]) -> Histogram:
        """The histogram of some observations, none above the last bound."""
        buckets, total = [0] * len(BOUNDS), 0
        for value in observations:
            buckets[bisect_left(BOUNDS, value)] += 1
            total += value
        return cls(tuple(buckets), total)

    @property
    def count(self) -> int:
        """The number of observations: refills, empty ones too."""
        return sum(self.buckets)

    @property
    def filled(self) -> int:
        """Refills that moved a page at least: what the kernel counts as ``refill``."""
        return self.count - self.buckets[0]

    @property
    def mean(self) -> float:
        """Pages per refill; 64 where the ring keeps up, 0 where there was none."""
        return self.sum / self.count if self.count else 0.0

    def cumulated(self) -> tuple[int, ...]:
        """Counts at or below each bound, as Prometheus wants them."""
        total = 0
        return tuple(total := total + count for count in self.buckets)

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram(tuple(map(sum, zip(self.buckets, other.buckets, strict=True))), self.sum + other.sum)

    def __sub__(self, other: Histogram) -> Histogram:
        pairs = zip(self.buckets, other.buckets, strict=True)
        return Histogram(tuple(mine - theirs for mine, theirs in pairs), self.sum - other.sum)


Counter = Series | Histogram
Counters = Mapping[str, Counter]
"""Every counter of a pool, by metric name without prefix and ``_total``."""


def total(counter: Counter | None) -> int:
    """The sum over all labels; 0 for a counter that this plan doesn't have."""
    if counter is None:
        return 0
    return counter.count if isinstance(counter, Histogram) else sum(counter.values())


def add(left: Counters, right: Counters) -> Counters:
    """Sum of two pools' counters."""
    return {name: _add(left.get(name), right.get(name)) for name in {**left, **right}}


def subtract(left: Counters, right: Counters) -> Counters:
    """What *left* gained since *right*."""
    return {name: _subtract(counter, right.get(name)) for name, counter in left.items()}


def negative(counters: Counters) -> Counters:
    """What takes *counters* off when it is added."""
    return {name: _negative(counter) for name, counter in counters.items()}


def add_series(left: Series, right: Series) -> Series:
    """The sum of two series, label by label."""
    return {key: left.get(key, 0) + right.get(key, 0) for key in {**left, **right}}


def _add(left: Counter | None, right: Counter | None) -> Counter:
    if left is None or right is None:
        return left if right is None else right  # type: ignore[return-value]  # one of them has the name
    if isinstance(left, Histogram) and isinstance(right, Histogram):
        return left + right
    assert not isinstance(left, Histogram) and not isinstance(right, Histogram)
    return add_series(left, right)


def _negative(counter: Counter) -> Counter:
    if isinstance(counter, Histogram):
        return Histogram() - counter
    return {key: -value for key, value in counter.items()}


def _subtract(left: Counter, right: Counter | None) -> Counter:
    if right is None:
        return left
    if isinstance(left, Histogram) and isinstance(right, Histogram):
        return left - right
    assert not isinstance(left, Histogram) and not isinstance(right, Histogram)
    return {key: value - right.get(key, 0) for key, value in left.items()}
