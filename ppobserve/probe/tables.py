"""The mapped tables, and copies of them from a moment in which no pool ended.

The end of a pool moves its counts into its group while we look. So everything that must fit together is copied between
two reads of the ledger, and nothing else happens there: a few hundred microseconds at most, whatever the tables hold.
"""

from __future__ import annotations

import ctypes
import mmap
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ppobserve.errors import ReadError
from ppobserve.probe import abi
from ppobserve.probe.attach import Attached

Life = tuple[int, int]
"""One pool from first sight to its end: its entry, and when it was first seen."""

Entry = tuple[int, abi.Pool]
"""A pool, or a group of ended pools, and where it is in the table."""

PATIENCE = 2.0
"""Seconds in which a moment without an end of a pool must come. A copy takes a ten-thousandth of that."""

_POOL_WORDS = ctypes.sizeof(abi.Pool) // 8
_OWNER, _SEEN = abi.Pool.owner.offset // 8, abi.Pool.seen_ns.offset // 8


@dataclass(frozen=True)
class Copy:
    """The tables at one moment."""

    ledger: abi.Ledger
    slots: bytes
    """All slots up to the last one in use."""
    pools: bytes

    def entries(self) -> Iterator[Entry]:
        """The entries in use: pools, and groups of ended pools."""
        size = ctypes.sizeof(abi.Pool)
        owners = memoryview(self.pools).cast("Q")[_OWNER::_POOL_WORDS].tolist()
        for index, owner in enumerate(owners):
            if owner:
                yield index, abi.Pool.from_buffer_copy(self.pools, index * size)


class MappedTables:
    """The tables of one :class:`Attached`."""

    def __init__(self, attached: Attached) -> None:
        sizes, self._slot_words = attached.tables, ctypes.sizeof(abi.slot_type(attached.tables.nodes)) // 8
        self._pools = words(attached.map("pools"), _POOL_WORDS * sizes.entries)
        self._slots = words(attached.map("slots"), self._slot_words * sizes.all_slots)
        self._owners = self._slots[:: self._slot_words]
        self._facts = mapped(attached.map("ledgers"), ctypes.sizeof(abi.Ledger))

    def lives(self) -> dict[int, int]:
        """The pools in the table now, without groups: entry to the time of first sight."""
        owners, seen = (self._pools[field::_POOL_WORDS].tolist() for field in (_OWNER, _SEEN))
        return {index: seen[index] for index, owner in enumerate(owners) if owner and not owner & 1}

    def is_alive(self, life: Life) -> bool:
        """Is this pool still in its entry? The owner is the last thing that a new pool writes, so it is read first."""
        index, seen = life
        return bool(self._pools[index * _POOL_WORDS + _OWNER]) and self._pools[index * _POOL_WORDS + _SEEN] == seen

    def copy(self) -> Copy:
        """The tables at one moment. ReadError when pools keep ending for too long."""
        give_up = time.monotonic() + PATIENCE
        while not (copy := self._copy()):
            if time.monotonic() > give_up:
                raise ReadError(
                    f"pools ended faster than they could be read, for {PATIENCE:g} seconds",
                    fix="look for a program that makes and destroys pools in a loop",
                )
        return copy

    def _copy(self) -> Copy | None:
        """None when a pool was ending at first, or began to meanwhile."""
        before = self.ledger()
        if before.folds_begun != before.folds_done:
            return None
        # The owners first: a pool of this moment's tables has no slot past the last of them, nor has a group.
        used = len(self._owners.tobytes().rstrip(b"\0"))
        slots = self._slots[: -(-used // 8) * self._slot_words].tobytes()
        pools = self._pools.tobytes()
        after = self.ledger()
        if before.folds_done != after.folds_begun:
            return None
        return Copy(after, slots, pools)

    def ledger(self) -> abi.Ledger:
        """How many ends of pools have begun, and are done."""
        return abi.Ledger.from_buffer_copy(self._facts)


def mapped(fd: int, size: int) -> mmap.mmap:
    """A read-only view of a BPF_F_MMAPABLE array (kernel commit fc9702273e2e, 5.5)."""
    return mmap.mmap(fd, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ)


def words(fd: int, count: int) -> memoryview:
    """So many u64 of a mapped array."""
    return memoryview(mapped(fd, 8 * count)).cast("Q")[:count]
