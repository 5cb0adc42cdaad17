"""Where each counter is among the words of a slot, and what follows from them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import NamedTuple

from ppobserve.model.series import Counter, Histogram, Series
from ppobserve.probe import abi

UNKNOWN = "unknown"
"""The label of a node that is not told apart, or of a buffer without struct page."""


_MISSES, _RETURNS = ([(name,) for name in names] for names in (abi.MISSES, abi.RETURNS))


class Recycled(NamedTuple):
    """Pages that came back and were kept."""

    cache: int
    ring: int


class Layout:
    """Where each counter is among the words of a slot."""

    def __init__(self, nodes: int) -> None:
        slot = abi.slot_type(nodes)
        self.bytes = ctypes.sizeof(slot)
        self.words = self.bytes // 8
        self._at = {name: getattr(slot, name).offset // 8 for name, _ in slot._fields_}  # type: ignore[misc]
        names = [*map(str, range(nodes)), UNKNOWN]
        self._cells = [(page, wanted) for page in names for wanted in names]
        apart = (cell for cell in self._cells if UNKNOWN not in cell and cell[0] != cell[1])
        self._no_mismatch: Series = dict.fromkeys(apart, 0)

    def counters(self, words: Sequence[int]) -> dict[str, Counter]:
        """The counters that one sum of slots holds alone, by metric name."""
        at = self._at
        batches = tuple(words[at["batch"] : at["batch"] + abi.BATCHES])
        return {
            "refill_batch_pages": Histogram(batches, words[at["batch_pages"]]),
            "refill_misses": self._labelled(words, "miss", _MISSES),
            "numa_mismatch_pages": self._matrix(words),
            "slow_refills": {(): words[at["slow"]]},
            "pages_held": {(): words[at["held"]]},
            "allocs": {
                ("cache",): words[at["alloc_cache"]] + words[at["frag_reuse"]],
                ("refill",): sum(batches[1:]),
                ("slow",): words[at["slow"]],
            },
            "nid_updates": {(): words[at["nid_updates"]]},
        }

    def returned(self, words: Sequence[int]) -> Series:
        """Pages that hooks saw leave, by reason."""
        return self._labelled(words, "returned", _RETURNS)

    def recycled(self, words: Sequence[int], raw: abi.Pool) -> Recycled:
        """What went into cache and ring since first sight: what came out of them, and what is in them now.

        The ring gives batches and mismatches, the cache allocations; a move to another node, and the end, empty them.
        A refill and a slow refill put all their pages but the one handed out into the cache, past any recycling.
        """
        at = self._at
        batches, taken = words[at["batch"] : at["batch"] + abi.BATCHES], words[at["batch_pages"]]
        scrubbed_cache, scrubbed_ring = words[at["scrubbed"] : at["scrubbed"] + len(abi.PLACES)]
        flushed = words[at["returned"] + abi.RETURNS.index("nid_update")]
        moved = taken - sum(batches[1:]) + words[at["held"]] - words[at["slow"]]
        cache = words[at["alloc_cache"]] + flushed + scrubbed_cache - moved - raw.first_cache
        ring = taken + self.mismatches(words) + scrubbed_ring - raw.first_ring
        if not raw.owner & 1:  # a group keeps nothing
            cache, ring = cache + raw.cache_pages, ring + raw.ring_pages
        return Recycled(max(cache, 0) + words[at["frag_reuse"]], max(ring, 0))

    def mismatches(self, words: Sequence[int]) -> int:
        """Pages that refills dropped, whatever their nodes."""
        return sum(words[self._at["mismatch"] :])

    def _labelled(self, words: Sequence[int], field: str, labels: Sequence[tuple[str]]) -> Series:
        return dict(zip(labels, words[self._at[field] : self._at[field] + len(labels)], strict=True))

    def _matrix(self, words: Sequence[int]) -> Series:
        """(page node, wanted node) to pages. Cells with an unknown node are there only once they count something."""
        pages = words[self._at["mismatch"] :]
        if not any(pages):
            return self._no_mismatch
        cells = zip(self._cells, pages, strict=True)
        return {nodes: count for nodes, count in cells if count or nodes in self._no_mismatch}
