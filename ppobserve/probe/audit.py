"""Compares our counts with the kernel's own, at every read: the doubt that an exact tool owes its readers."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ppobserve.kernel import bpf
from ppobserve.model.audit import Ahead, Stats
from ppobserve.model.series import Counters, total
from ppobserve.probe import abi
from ppobserve.probe.attach import AUDIT_MAP, AUDIT_PROGRAM, Attached
from ppobserve.probe.tables import Life

IN_A_ROW = 3
Found = tuple[int, ...]
"""What the last ``IN_A_ROW`` comparisons found."""


def noted(before: Found, apart: int) -> Found:
    """With one comparison more."""
    return (*before, apart)[-IN_A_ROW:]


def lasting(found: Found) -> int:
    """What all of them found: an event that is under way shows in one, hardly in two."""
    return min(found) if len(found) == IN_A_ROW else 0


@dataclass
class _Judged:
    """What is known of one pool's counters."""

    begun: dict[str, Ahead] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)

    def note(self, name: str, apart: int) -> None:
        """One comparison of one counter."""
        self.found[name] = noted(self.found.get(name, ()), apart)

    def lasting(self, name: str) -> int:
        """What all comparisons of one counter found."""
        return lasting(self.found.get(name, ()))


class Audit:
    """The comparison for one :class:`Attached`; without anything to compare, it does nothing.

    *is_alive* tells whether a pool is still in its entry: the kernel's counters of another are not its.
    """

    def __init__(self, attached: Attached, is_alive: Callable[[Life], bool]) -> None:
        self._attached, self._audits, self._is_alive = attached, attached.audits, is_alive
        self._lives: dict[Life, _Judged] = {}
        self._ended = dict.fromkeys((each.name for each in self._audits), 0)
        if self._audits:
            self._stats = mmap.mmap(attached.map(AUDIT_MAP), mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ)

    def look(self, lives: Iterable[Life]) -> dict[Life, Stats]:
        """The kernel's counters of some pools now, but for those that end meanwhile."""
        seen = {life: self._look(life) for life in lives} if self._audits else {}
        return {life: stats for life, stats in seen.items() if stats}

    def _look(self, life: Life) -> Stats | None:
        """None when the pool has ended: what was read is nothing, or the next pool's."""
        bpf.test_run(self._attached.program(AUDIT_PROGRAM), context=bpf.u64s([life[0]]))
        stats = abi.Stats.from_buffer_copy(self._stats)
        return {name: getattr(stats, name) for name, _ in stats._fields_} if self._is_alive(life) else None

    def compare(self, counted: Iterable[tuple[int, abi.Pool, Counters]], before: Mapping[Life, Stats]) -> None:
        """Judge pools whose counters were read after *before*. One that ended since keeps the judgement it had."""
        lives: dict[Life, _Judged] = {}
        for index, raw, counters in counted:
            life = (index, raw.seen_ns)
            if life not in before:
                continue
            lives[life] = self._lives.pop(life, _Judged())
            if after := self._look(life):
                self._judge(lives[life], raw, counters, before[life], after)
        for judged in self._lives.values():  # they ended
            self._ended = {name: count + judged.lasting(name) for name, count in self._ended.items()}
        self._lives = lives

    def _judge(self, judged: _Judged, raw: abi.Pool, counters: Counters, before: Stats, after: Stats) -> None:
        """A pool that was seen from its beginning began level with the kernel; another is taken as it is found."""
        steady = _is_steady(raw, counters)
        for each in self._audits:
            if (each.still and not steady) or not each.comparable(before, after):
                continue
            now = each.ahead(counters, before, after)
            begun = judged.begun.setdefault(each.name, now if raw.first_hold else (0, 0))
            judged.note(each.name, each.apart(begun, now))

    def divergence(self) -> dict[str, int]:
        """Events by the kernel's name for its counter that only one side has seen; ended pools' included."""
        return {
            name: ended + sum(judged.lasting(name) for judged in self._lives.values())
            for name, ended in self._ended.items()
        }


def _is_steady(raw: abi.Pool, counters: Counters) -> bool:
    """Is no slow refill under way? Then the pool has counted every page that we have, and the other way round: until
    one ends, its pages are in the cache already, and in neither side's counters."""
    held: int = raw.inflight + raw.release_cnt - raw.first_hold
    return (held - total(counters.get("pages_held"))) & 0xFFFFFFFF == 0
