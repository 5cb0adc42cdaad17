"""Our counts against the kernel's own, where it keeps them (CONFIG_PAGE_POOL_STATS): which, and how far apart.

Both are read while they move, and a pool may have been in use before our programs were attached. So a count is compared
by how much further it went than the kernel's, which is known as an interval: it must overlap the one at the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ppobserve.model.features import PER_CPU_OFFSET, Features
from ppobserve.model.hooks import Hook
from ppobserve.model.plan import Plan
from ppobserve.model.series import Counter, Counters, Histogram, total

ALLOC_STATS, RECYCLE_STATS = "PP_ALLOC_FAST", "PP_RECYCLE_STATS"
"""Offsets that a kernel has when it counts allocations, and recycles."""
Stats = Mapping[str, int]
"""The kernel's counters of one pool, by netlink name; ``has_recycled`` says whether those of recycling are its own."""
Ahead = tuple[int, int]
"""At least and at most so many more events than the kernel had we counted."""


@dataclass(frozen=True)
class Audited:
    """One counter of the kernel's, or the sum of some, by their netlink names, and what we say to it."""

    names: tuple[str, ...]
    hooks: tuple[Hook, ...]
    """Without one of which we don't count it."""
    ours: Callable[[Counters], int]
    still: bool = False
    """We derive it from what the pool keeps, so that it is comparable while nothing moves."""
    at_least: bool = False
    """The kernel counts fewer: a bulk of pages that finds the ring full once, and fragments' pages never."""

    @property
    def name(self) -> str:
        """What a difference is told by."""
        return "+".join(self.names)

    def theirs(self, stats: Stats) -> int:
        """The kernel's count."""
        return sum(stats[name] for name in self.names)

    def comparable(self, before: Stats, after: Stats) -> bool:
        """Can it be compared, when these are the kernel's counters before and after we looked at ours?"""
        if self.name.startswith("recycle") and not before["has_recycled"]:
            return False
        return before == after or not self.still

    def ahead(self, counters: Counters, before: Stats, after: Stats) -> Ahead:
        """How far ahead of the kernel our count is, which was read between *before* and *after*."""
        ours = self.ours(counters)
        return ours - self.theirs(after), ours - self.theirs(before)

    def apart(self, begun: Ahead, now: Ahead) -> int:
        """Events that one side has seen and the other has not; 0 while both may be right."""
        missed, added = begun[0] - now[1], now[0] - begun[1]
        return max(missed, 0 if self.at_least else added, 0)


def _of(counter: Counter, *labels: str) -> int:
    """The sum of some labels' counts."""
    assert not isinstance(counter, Histogram)
    return sum(counter.get((label,), 0) for label in labels)


def _filled(counter: Counter) -> int:
    assert isinstance(counter, Histogram)
    return counter.filled


AUDITED = (
    Audited(("alloc_refill",), (Hook.REFILL,), lambda ours: _filled(ours["refill_batch_pages"])),
    Audited(("alloc_empty",), (Hook.REFILL,), lambda ours: _of(ours["refill_misses"], "ring_empty")),
    Audited(("alloc_waive",), (Hook.REFILL, Hook.RETURN), lambda ours: total(ours["numa_mismatch_pages"])),
    Audited(("alloc_slow",), (Hook.SLOW, Hook.HOLD), lambda ours: total(ours["slow_refills"])),
    Audited(("alloc_fast",), (Hook.ALLOC,), lambda ours: _of(ours["allocs"], "cache")),
    Audited(("recycle_cached",), (Hook.ALLOC,), lambda ours: _of(ours["recycles"], "cache"), still=True),
    Audited(("recycle_ring",), (Hook.ALLOC,), lambda ours: _of(ours["recycles"], "ring"), still=True),
    Audited(  # together: who lets go of a page between the kernel's look at it and ours changes sides
        ("recycle_ring_full", "recycle_released_ref"),
        (Hook.RETURN,),
        lambda ours: _of(ours["pages_returned"], "ring_full", "referenced", "pfmemalloc"),
        at_least=True,
    ),
)


def audited(features: Features, plan: Plan) -> tuple[Audited, ...]:
    """What can be compared on this kernel under this plan."""
    if ALLOC_STATS not in features.offsets:
        return ()
    recycles = RECYCLE_STATS in features.offsets and features.variables.get(PER_CPU_OFFSET, 0)
    counted = (each for each in AUDITED if any(map(plan.has, each.hooks)))
    return tuple(each for each in counted if recycles or each.name.startswith("alloc"))
