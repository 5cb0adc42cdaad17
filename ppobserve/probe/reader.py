"""Reads what the attached programs counted: from mapped memory, without a system call but for the gauges."""

from __future__ import annotations

import ctypes
import mmap
import operator
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ppobserve.errors import ReadError
from ppobserve.kernel import bpf, numa
from ppobserve.model import metrics
from ppobserve.model.series import Counters, Series, total
from ppobserve.model.snapshot import ENDED_ID, Pool, PoolSample, State, Tables
from ppobserve.probe import abi
from ppobserve.probe.attach import Attached
from ppobserve.probe.audit import Audit
from ppobserve.probe.layout import Layout, Recycled

Entry = tuple[int, abi.Pool]

_TRIES = 100


class Reader:
    """The tables of one :class:`Attached`, mapped. Not for two threads at once."""

    def __init__(self, attached: Attached, cpu_nodes: Mapping[int, int] | None = None) -> None:
        tables = attached.tables
        self._cpu_nodes = numa.nodes_of_cpus() if cpu_nodes is None else cpu_nodes
        self._attached, self._layout = attached, Layout(tables.nodes)
        self._pools = _mapped(attached.map("pools"), ctypes.sizeof(abi.Pool) * tables.entries)
        self._ledger = _mapped(attached.map("ledgers"), ctypes.sizeof(abi.Ledger))
        slots = _mapped(attached.map("slots"), self._layout.bytes * tables.slots)
        self._slots = memoryview(slots).cast("Q")[: self._layout.words * tables.slots]
        self._counted = frozenset(metric.name for metric in metrics.counters(attached.plan))
        self._kept_type = abi.kept_type(tables.nodes)
        self._kept = _mapped(attached.map("kept"), ctypes.sizeof(self._kept_type))
        self._recycled: dict[tuple[int, int], Recycled] = {}
        self._audit = Audit(attached)
        self._released_by_pool = not attached.plan.has("return")

    def read(self) -> tuple[tuple[PoolSample, ...], Tables, Mapping[str, int]]:
        """Every pool, how the tables are doing, and how far from the kernel's own counters we are.

        Read again when a pool ended meanwhile.
        """
        for _ in range(_TRIES):
            before = self._read_ledger()
            stats = self._audit.look(self._used())
            entries, samples = self._samples()
            after = self._read_ledger()
            if before.folds_done == after.folds_begun:  # none was under way at first, and none has begun
                counted = ((*entry, sample.counters) for entry, sample in zip(entries, samples, strict=True))
                self._audit.compare(counted, stats)
                return samples, Tables(after.pools_dropped, after.slots_dropped), self._audit.divergence()
        raise ReadError(
            f"pools ended faster than they could be read, {_TRIES} times in a row",
            fix="look for a program that makes and destroys pools in a loop",
        )

    def nothing(self) -> Counters:
        """The counters of a pool that no event has shown."""
        counters: Counters = self._layout.counters([0] * self._layout.words)
        counters = {**counters, "recycles": {(place,): 0 for place in abi.PLACES}}
        return {name: counter for name, counter in counters.items() if name in self._counted}

    def _read_ledger(self) -> abi.Ledger:
        return abi.Ledger.from_buffer_copy(self._ledger)

    def _samples(self) -> tuple[list[Entry], tuple[PoolSample, ...]]:
        sums = self._sums()
        none = [0] * self._layout.words
        entries = self._entries()
        alive = {(index, raw.seen_ns) for index, raw in entries}
        self._recycled = {life: recycled for life, recycled in self._recycled.items() if life in alive}
        return entries, tuple(self._sample(index, raw, sums.get(raw.owner, none)) for index, raw in entries)

    def _used(self) -> list[int]:
        return [index for index in range(self._attached.tables.entries) if self._entry(index).owner]

    def _entries(self) -> list[Entry]:
        """The entries in use, brought up to date."""
        used = self._used()
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
        if self._attached.plan.has("alloc"):
            counters = {**counters, "recycles": self._recycles(index, raw, words)}
        kept = {name: counter for name, counter in counters.items() if name in self._counted}
        return PoolSample(_pool(index, raw), kept, _gauges(raw), self._remote(index, raw))

    def _recycles(self, index: int, raw: abi.Pool, words: Sequence[int]) -> Series:
        """Never less than before: counts, and the pool's own state, are read a moment apart."""
        found, life = self._layout.recycled(words, raw), (index, raw.seen_ns)
        before = self._recycled.get(life, found)
        self._recycled[life] = kept = Recycled(*map(max, found, before))
        return {("cache",): kept.cache, ("ring",): kept.ring}

    def _remote(self, index: int, raw: abi.Pool) -> Series:
        """Pages on another node than the consumer's; nothing on a host of one node, or while no one refilled."""
        nodes, consumer = self._attached.tables.nodes, self._cpu_nodes.get(raw.consumer_cpu, -1)
        if nodes < 2 or raw.owner & 1 or not 0 <= consumer < nodes:
            return {}
        for start in range(0, max(raw.ring_pages, 1), abi.RING_STRETCH):
            bpf.test_run(self._attached.program("sample_kept"), context=bpf.u64s([index, start]))
        if self._entry(index).owner != raw.owner:
            return {}  # it ended meanwhile: what was read is anyone's
        kept: Any = self._kept_type.from_buffer_copy(self._kept)
        return {
            (where, str(node), str(consumer)): pages[node]
            for where, pages in zip(abi.PLACES, kept.pages, strict=True)
            for node in range(nodes)
            if node != consumer
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
        queue=raw.queue,
        cpu=raw.cpu,
        device_node=raw.device_node,
        consumer_cpu=raw.consumer_cpu,
        order=raw.order,
        provider=bool(raw.provider),
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
