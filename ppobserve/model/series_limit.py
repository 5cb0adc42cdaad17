"""A hard cap on series: whoever finds no room is added up in one group, which never goes down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import accumulate

from ppobserve.model.cardinality import Cardinality, Group, label_names, merged
from ppobserve.model.series import Counters, add, subtract

FOLDED = "folded"
"""The ``netdev`` and ``pool`` of what found no room."""

Labels = tuple[str, ...]


@dataclass
class Cap:
    """Who has series of its own: whoever came first. Whoever was folded stays so for life.

    What is folded is added up by what it gains, so the sum over all series loses nothing and counts nothing twice,
    though pools come, end, and grow more series.
    """

    most: int
    cardinality: Cardinality
    _own: tuple[Labels, ...] = ()
    """The oldest first."""
    _rest: frozenset[Labels] = frozenset()
    _shown: Mapping[Labels, Counters] = field(default_factory=dict)
    """What every group had counted the last time."""
    _folded: Counters = field(default_factory=dict)

    @property
    def folded(self) -> int:
        """How many pools or devices have no series of their own."""
        return len(self._rest)

    def apply(self, groups: Iterable[Group]) -> tuple[Group, ...]:
        """The same counts in ``most`` series or fewer. The whole host has one group, which is never too many."""
        present = {group.labels: group for group in groups}
        self._own = self._fitting(present)
        self._rest = frozenset(present) - frozenset(self._own)
        rest = [group for labels, group in present.items() if labels in self._rest]
        for group in rest:
            self._folded = add(self._folded, subtract(group.counters, self._shown.get(group.labels, {})))
        self._shown = {labels: group.counters for labels, group in present.items()}
        own = tuple(present[labels] for labels in self._own)
        return (*own, replace(self._sum(rest), counters=self._folded)) if self._folded else own

    def _fitting(self, present: Mapping[Labels, Group]) -> tuple[Labels, ...]:
        """Who had series before, then who is new, as far as they fit beside the sum of all others."""
        known = [labels for labels in self._own if labels in present]
        own = frozenset(self._own)
        new = [labels for labels in present if labels not in own and labels not in self._rest]
        costs = {labels: self._cost(present[labels]) for labels in (*known, *new)}
        if self.cardinality is Cardinality.NODE or (not self._folded and sum(costs.values()) <= self.most):
            return tuple(costs)
        everything = self._sum(present.values())
        room = self.most - self._cost(replace(everything, counters=add(self._folded, everything.counters)))
        reached = accumulate(costs.values())
        return tuple(labels for labels, taken in zip(costs, reached, strict=True) if taken <= room)

    def _cost(self, group: Group) -> int:
        """Its series; a pool has one more that says what it is."""
        return group.series + (self.cardinality is Cardinality.POOL)

    def _sum(self, groups: Iterable[Group]) -> Group:
        labels = tuple(FOLDED if name in ("netdev", "pool") else "" for name in label_names(self.cardinality))
        return reduce(merged, groups, Group(labels, {}, {}))
