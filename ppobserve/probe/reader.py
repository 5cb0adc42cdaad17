"""Reads what the attached programs counted: from mapped memory, without a system call but for the gauges."""

from __future__ import annotations

import ctypes
import mmap
import operator
import time
from collections.abc import Sequence
from typing import Any

from ppobserve.errors import ReadError
from ppobserve.kernel import bpf
from ppobserve.model import metrics
from ppobserve.model.series import Counter, Histogram, Series, total
from ppobserve.model.snapshot import ENDED_ID, Pool, PoolSample, State, Tables
from ppobserve.probe import abi
from ppobserve.probe.attach import Attached

UNKNOWN = "unknown"
"""The label of a node that is not told apart, or of a buffer without struct page."""

_TRIES = 100


class Reader:
    """The tables of one :class:`Attached`, mapped. Not for two threads at once."""

    def __init__(self, attached: Attached) -> None:
        tables = attached.tables
        self._attached, self._layout = attached, Layout(tables.nodes)
        self._pools = _mapped(attached.map("pools"), ctypes.sizeof(abi.Pool) * tables.entries)
        self._ledger = _mapped(attached.map("ledgers"), ctypes.sizeof(abi.Ledger))
        slots = _mapped(attached.map("slots"), self._layout.bytes * tables.slots)
        self._slots = memoryview(slots).cast("Q")[: self._layout.words * tables.slots]
        self._counted = frozenset(metric.name for metric in metrics.counters(attached.plan))
        self._kept_type = abi.kept_type(tables.nodes)
        self._kept = _mapped(attached.map("kept"), ctypes.sizeof(self._kept_type))
        self._released_by_pool = not attached.plan.has("return")

    def read(self) -> tuple[tuple[PoolSample, ...], Tables]:
        """Every pool, and how the tables are doing; read again when a pool ended meanwhile."""
        for _ in range(_TRIES):
            before = self._read_ledger()
            samples = self._samples()
            after = self._read_ledger()
            if before.folds_done == after.folds_begun:  # none was under way at first, and none has begun
                return samples, Tables(after.pools_dropped, after.slots_dropped)
        raise ReadError(
            f"pools ended faster than they could be read, {_TRIES} times in a row",
            fix="look for a program that makes and destroys pools in a loop",
        )

    def _read_ledger(self) -> abi.Ledger:
        return abi.Ledger.from_buffer_copy(self._ledger)

    def _samples(self) -> tuple[PoolSample, ...]:
        sums = self._sums()
        none = [0] * self._layout.words
        return tuple(self._sample(index, raw, sums.get(raw.owner, none)) for index, raw in self._entries())

    def _entries(self) -> list[tuple[int, abi.Pool]]:
        """The entries in use, brought up to date."""
        used = [index for index in range(self._attached.tables.entries) if self._entry(index).owner]
        for index in used:
            bpf.test_run(self._attached.program("sample_pool"), context=bpf.u64s([index]))
        return [(index, raw) for index in used if (raw := self._entry(index)).owner]

    def _entry(self, index: int) -> abi.Pool:
        return abi.Pool.from_buffer_copy(self._pools, index * ctypes.sizeof(abi.Pool))

    def _sums(self) -> dict[int, Sequence[int]]:
        """All words of a slot added up over CPUs, by address of the pool or key of the group."""
        sums: dict[int, Sequence[int]] = {}
        width = self._layout.words
        for index, owner in enumerate(self._slots[::width].tolist()):
            if owner:
                words = self._slots[index * width : (index + 1) * width].tolist()
                sums[owner] = list(map(operator.add, sums[owner], words)) if owner in sums else words
        return sums

    def _sample(self, index: int, raw: abi.Pool, words: Sequence[int]) -> PoolSample:
        counters = self._layout.counters(words)
        if self._released_by_pool:
            counters = {**counters, "pages_returned": _returned(raw.released, total(counters["numa_mismatch_pages"]))}
        kept = {name: counter for name, counter in counters.items() if name in self._counted}
        return PoolSample(_pool(index, raw), kept, _gauges(raw), self._remote(index, raw))

    def _remote(self, index: int, raw: abi.Pool) -> Series:
        """Pages on another node than the consumer's; nothing on a host of one node, or while no one refilled."""
        nodes = self._attached.tables.nodes
        if nodes < 2 or raw.owner & 1 or raw.consumer_node >= nodes:
            return {}
        for start in range(0, max(raw.ring_size, 1), abi.RING_STRETCH):
            bpf.test_run(self._attached.program("sample_kept"), context=bpf.u64s([index, start]))
        if self._entry(index).owner != raw.owner:
            return {}  # it ended meanwhile: what was read is anyone's
        kept: Any = self._kept_type.from_buffer_copy(self._kept)
        return {
            (where, str(node), str(raw.consumer_node)): pages[node]
            for where, pages in zip(abi.PLACES, kept.pages, strict=True)
            for node in range(nodes)
            if node != raw.consumer_node
        }


class Layout:
    """Where each counter is among the words of a slot."""

    def __init__(self, nodes: int) -> None:
        slot = abi.slot_type(nodes)
        self.bytes = ctypes.sizeof(slot)
        self.words = self.bytes // 8
        self._at = {name: getattr(slot, name).offset // 8 for name, _ in slot._fields_}  # type: ignore[misc]
        self._names = [*map(str, range(nodes)), UNKNOWN]

    def counters(self, words: Sequence[int]) -> dict[str, Counter]:
        """The counters that one sum of slots holds, by metric name."""
        at = self._at
        batches = tuple(words[at["batch"] : at["batch"] + abi.BATCHES])
        return {
            "refill_batch_pages": Histogram(batches, words[at["batch_pages"]]),
            "refill_misses": self._labelled(words, "miss", abi.MISSES),
            "numa_mismatch_pages": self._matrix(words),
            "slow_refills": {(): words[at["slow"]]},
            "pages_held": {(): words[at["held"]]},
            "pages_returned": self._labelled(words, "returned", abi.RETURNS),
            "nid_updates": {(): words[at["nid_updates"]]},
        }

    def _labelled(self, words: Sequence[int], field: str, labels: Sequence[str]) -> Series:
        return {(label,): words[self._at[field] + place] for place, label in enumerate(labels)}

    def _matrix(self, words: Sequence[int]) -> Series:
        """(page node, wanted node) to pages. Cells with an unknown node are there only once they count something."""
        width, start = len(self._names), self._at["mismatch"]
        pairs = [(page, wanted) for page in range(width) for wanted in range(width)]
        cells = {(self._names[p], self._names[w]): words[start + p * width + w] for p, w in pairs}
        return {
            nodes: pages for nodes, pages in cells.items() if pages or (UNKNOWN not in nodes and nodes[0] != nodes[1])
        }


def _returned(released: int, numa: int) -> Series:
    """Returns by reason where no hook sees them: what the pool itself counted, less what its refills dropped."""
    return {("numa",): numa, ("other",): max(released - numa, 0)}


def _pool(index: int, raw: abi.Pool) -> Pool:
    """Identity of an entry. Before kernel commit f17c69649c69 ("net: page_pool: id the page pools", 6.8) pools have no
    id: then the entry and the millisecond of its first sight make one. (The kernel side uses an entry again at once.)
    """
    ended = raw.owner & 1
    state = State.ENDED if ended else State.DETACHED if raw.detached_ns else State.LIVE
    return Pool(
        id=ENDED_ID if ended else str(raw.id) if raw.id else f"{index}-{raw.seen_ns // 10**6:x}",
        netdev=raw.netdev.decode(errors="replace"),
        netns=raw.netns,
        ifindex=raw.ifindex,
        napi=raw.napi_id,
        driver=raw.driver.decode(errors="replace"),
        device=raw.device.decode(errors="replace"),
        nid=raw.nid,
        state=state,
    )


def _gauges(raw: abi.Pool) -> dict[str, float]:
    """What the pool itself says; an ended group has nothing in flight and no ring."""
    if raw.owner & 1:
        return {}
    gauges: dict[str, float] = {name: getattr(raw, field) for name, field in _GAUGES.items()}
    if raw.detached_ns:
        gauges["pool_detached_seconds"] = (time.monotonic_ns() - raw.detached_ns) / 1e9
    return gauges


_GAUGES = {
    "inflight_pages": "inflight",
    "cache_pages": "cache_pages",
    "ring_pages": "ring_pages",
    "ring_size": "ring_size",
}


def _mapped(fd: int, size: int) -> mmap.mmap:
    """A read-only view of a BPF_F_MMAPABLE array (kernel commit fc9702273e2e, 5.5)."""
    return mmap.mmap(fd, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ)
