"""Reads what the attached programs counted: from mapped memory, without a system call but for the gauges."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter

from ppobserve.kernel import bpf, numa
from ppobserve.kernel.clock import Clock
from ppobserve.model import metrics
from ppobserve.model.hooks import Hook
from ppobserve.model.series import Counters, Series
from ppobserve.model.snapshot import ENDED_ID, Pool, PoolSample, State, Tables
from ppobserve.probe import abi
from ppobserve.probe.attach import Attached
from ppobserve.probe.audit import Audit, Found, lasting, noted
from ppobserve.probe.layout import Layout
from ppobserve.probe.tables import Entry, Life, MappedTables, words

NO_SHIFT = Clock()


class Reader:
    """The tables of one :class:`Attached`, mapped. Not for two threads at once."""

    def __init__(
        self, attached: Attached, cpu_nodes: Mapping[int, int] | None = None, *, clock: Clock = NO_SHIFT
    ) -> None:
        nodes, self._clock = attached.tables.nodes, clock
        self._attached, self._layout, self._tables = attached, Layout(nodes), MappedTables(attached)
        self._cpu_nodes = numa.nodes_of_cpus() if cpu_nodes is None else cpu_nodes
        self._counted = frozenset(metric.name for metric in metrics.counters(attached.plan))
        self._kept = words(attached.map("kept"), ctypes.sizeof(abi.kept_type(nodes)) // 8)
        self._derived: dict[tuple[Life, str], tuple[int, ...]] = {}
        self._unseen: dict[Life, Found] = {}
        self._audit = Audit(attached, self._tables.is_alive)
        self._sample_pool = attached.program("sample_pool")
        self._sample_kept = attached.program("sample_kept") if nodes > 1 else -1
        self._counts_recycles = attached.plan.has(Hook.ALLOC)
        self._released_by_pool = not attached.plan.has(Hook.RETURN)

    def read(self) -> tuple[tuple[PoolSample, ...], Tables, Mapping[str, int]]:
        """Every pool, how the tables are doing, and how far from the kernel's own counters we are.

        Pools that came since the beginning of the read are left to the next one: nobody has measured them yet.
        """
        lives = self._tables.lives()
        stats = self._audit.look(lives.items())
        for index in lives:
            bpf.test_run(self._sample_pool, context=bpf.u64s([index]))
        copy = self._tables.copy()
        entries = [(index, raw) for index, raw in copy.entries() if raw.owner & 1 or lives.get(index) == raw.seen_ns]
        samples = self._samples(entries, self._sums(copy.slots))
        counted = ((*entry, sample.counters) for entry, sample in zip(entries, samples, strict=True))
        self._audit.compare(counted, stats)
        return samples, Tables(copy.ledger.pools_dropped, copy.ledger.slots_dropped), self._audit.divergence()

    def adopt(self, former: Reader) -> dict[str, str]:
        """Know every pool that *former* knows, so that no end of one is missed here; both are attached.

        Gives our ids of them to its ids, where they differ: before 6.8 the kernel gives pools none.
        """
        theirs = {raw.owner: (index, raw) for index, raw in former._tables.copy().entries() if not raw.owner & 1}
        for owner, (index, raw) in theirs.items():
            bpf.test_run(self._attached.program("adopt_pool"), context=bpf.u64s([owner, raw.detached_ns]))
            if not former._tables.is_alive((index, raw.seen_ns)):  # we may have been told of its end before we knew it
                bpf.test_run(self._attached.program("pool_released"), context=bpf.u64s([owner, 0]))
        both = (entry for entry in self._tables.copy().entries() if entry[1].owner in theirs)
        names = {_pool(*entry).id: _pool(*theirs[entry[1].owner]).id for entry in both}
        return {ours: name for ours, name in names.items() if ours != name}

    def nothing(self) -> Counters:
        """The counters of a pool that no event has shown."""
        none = [0] * self._layout.words
        counters: Counters = self._layout.counters(none)
        recycles: Series = {(place,): 0 for place in abi.PLACES}
        counters = {**counters, "pages_returned": self._seen_returns(none), "recycles": recycles}
        return {name: counter for name, counter in counters.items() if name in self._counted}

    def _samples(self, entries: Iterable[Entry], sums: Mapping[int, Sequence[int]]) -> tuple[PoolSample, ...]:
        none = [0] * self._layout.words
        samples = tuple(self._sample(index, raw, sums.get(raw.owner, none)) for index, raw in entries)
        alive = {(index, raw.seen_ns) for index, raw in entries}
        self._derived = {key: counts for key, counts in self._derived.items() if key[0] in alive}
        self._unseen = {life: found for life, found in self._unseen.items() if life in alive}
        return samples

    def _sums(self, slots: bytes) -> dict[int, Sequence[int]]:
        """All words of a slot added up over CPUs, by address of the pool or key of the group.

        A slot is one number, whose digits of 64 bits are its counts: one addition for all of them, and no count ever
        gets as far as the next digit.
        """
        sums: dict[int, int] = {}
        width, from_bytes = self._layout.bytes, int.from_bytes
        for index, owner in enumerate(memoryview(slots).cast("Q")[:: self._layout.words].tolist()):
            if owner:
                at = index * width
                sums[owner] = sums.get(owner, 0) + from_bytes(slots[at + 8 : at + width], "little")
        return {owner: self._words(owner, digits) for owner, digits in sums.items()}

    def _words(self, owner: int, digits: int) -> Sequence[int]:
        return memoryview((digits << 64 | owner).to_bytes(self._layout.bytes, "little")).cast("Q").tolist()

    def _sample(self, index: int, raw: abi.Pool, words: Sequence[int]) -> PoolSample:
        counters = self._layout.counters(words)
        counters["pages_returned"] = self._returned((index, raw.seen_ns), raw, words)
        if self._counts_recycles:
            counters = {**counters, "recycles": self._recycles((index, raw.seen_ns), raw, words)}
        kept = {name: counter for name, counter in counters.items() if name in self._counted}
        return PoolSample(_pool(index, raw), kept, self._gauges(raw), self._remote(index, raw))

    def _gauges(self, raw: abi.Pool) -> dict[str, float]:
        """What the pool itself says; an ended group has nothing in flight and no ring."""
        if raw.owner & 1:
            return {}
        gauges: dict[str, float] = {name: getattr(raw, field) for name, field in _GAUGES.items()}
        if raw.detached_ns:
            gauges["pool_detached_seconds"] = (self._clock.monotonic_ns() - raw.detached_ns) / 1e9
        return gauges

    def _returned(self, life: Life, raw: abi.Pool, words: Sequence[int]) -> Series:
        """Returns by reason. What only the pool's own counter knows of is ``other``: without a hook all but what the
        refills dropped, with one those for which the kernel skipped its program."""
        seen = self._seen_returns(words)
        unseen = raw.released - sum(seen.values())
        if not self._released_by_pool:
            unseen = self._lasting(life, unseen, ended=bool(raw.owner & 1))
        if unseen <= 0 and (life, "returned") not in self._derived:  # as nearly always
            return seen
        (more,) = self._never_less(life, "returned", (max(unseen, 0),))
        return {**seen, ("other",): seen["other",] + more}

    def _seen_returns(self, words: Sequence[int]) -> Series:
        if self._released_by_pool:
            return {("numa",): self._layout.mismatches(words), ("other",): 0}
        return self._layout.returned(words)

    def _lasting(self, life: Life, unseen: int, *, ended: bool) -> int:
        """What the last reads found at least; of an ended pool nothing is under way."""
        if ended:
            return unseen
        if unseen <= 0:
            self._unseen.pop(life, None)
            return 0
        self._unseen[life] = found = noted(self._unseen.get(life, ()), unseen)
        return lasting(found)

    def _recycles(self, life: Life, raw: abi.Pool, words: Sequence[int]) -> Series:
        cache, ring = self._never_less(life, "recycles", self._layout.recycled(words, raw))
        return {("cache",): cache, ("ring",): ring}

    def _never_less(self, life: Life, name: str, found: tuple[int, ...]) -> tuple[int, ...]:
        """*found*, or what was found before: it follows from counts and the pool's own state, a moment apart."""
        before = self._derived.get((life, name), found)
        self._derived[life, name] = most = tuple(map(max, found, before))
        return most

    def _remote(self, index: int, raw: abi.Pool) -> Series:
        """Pages on another node than the consumer's; nothing on a host of one node, or while no one refilled."""
        nodes, consumer = self._attached.tables.nodes, self._cpu_nodes.get(raw.consumer_cpu, -1)
        if nodes < 2 or raw.owner & 1 or not 0 <= consumer < nodes:
            return {}
        for start in range(0, max(raw.ring_pages, 1), abi.RING_STRETCH):
            bpf.test_run(self._sample_kept, context=bpf.u64s([index, start]))
        if not self._tables.is_alive((index, raw.seen_ns)):
            return {}  # it ended meanwhile: what was read is anyone's
        labels, pages = _places(nodes, consumer)
        return dict(zip(labels, pages(self._kept.tolist()), strict=True))


@cache
def _places(nodes: int, consumer: int) -> tuple[list[tuple[str, str, str]], Callable[[list[int]], tuple[int, ...]]]:
    """Labels of every place and node but the consumer's, and what picks their pages from ``struct kept``."""
    cells = [(place, node) for place in range(len(abi.PLACES)) for node in range(nodes) if node != consumer]
    labels = [(abi.PLACES[place], str(node), str(consumer)) for place, node in cells]
    return labels, itemgetter(*(place * (nodes + 1) + node for place, node in cells))


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


_GAUGES = {
    "inflight_pages": "inflight",
    "cache_pages": "cache_pages",
    "ring_pages": "ring_pages",
    "ring_size": "ring_size",
}
