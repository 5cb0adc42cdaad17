"""What went into cache and ring, from what came out: against a pool that counts its puts, whatever happens to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from ppobserve.probe import abi
from ppobserve.probe.layout import Layout, Recycled

NODES, CACHE, BATCH, ROOM = 2, 128, 64, 61
LAYOUT = Layout(NODES)
STEPS = st.lists(
    st.sampled_from(["alloc", "alloc", "alloc", "cache", "cache", "ring", "ring", "stale", "move", "reuse", "end"])
)


@dataclass
class PagePool:
    """The kernel's page_pool in small, as net/core/page_pool.c has it, with the slot that our programs keep."""

    cache: int = 0
    ring: list[bool] = field(default_factory=list)
    """Each page: is it on the wrong node?"""
    into: dict[str, int] = field(default_factory=lambda: {"cache": 0, "ring": 0})
    slot: abi.ctypes.Structure = field(default_factory=lambda: abi.slot_type(NODES)())
    seen: tuple[int, int] = (0, 0)

    def alloc(self) -> None:
        if self.cache:
            self.slot.alloc_cache += 1
        elif not self.refill():
            self.slot.slow += 1
            self.slot.held += BATCH
            self.cache += BATCH
        self.cache -= 1

    def refill(self) -> int:
        pages = 0
        while self.ring and pages < BATCH:
            if self.ring.pop(0):
                self.slot.mismatch[1] += 1
                break
            pages += 1
        self.slot.batch[1 if pages else 0] += 1
        self.slot.batch_pages += pages
        self.cache += pages
        return pages

    def put_cache(self) -> None:
        if self.cache < CACHE:
            self.cache += 1
            self.into["cache"] += 1

    def put_ring(self, *, stale: bool = False) -> None:
        if len(self.ring) < ROOM:
            self.ring.append(stale)
            self.into["ring"] += 1

    def move(self) -> None:
        self.slot.returned[abi.RETURNS.index("nid_update")] += self.cache
        self.cache = 0

    def reuse(self) -> None:
        self.slot.frag_reuse += 1
        self.into["cache"] += 1

    def end(self) -> None:
        self.slot.scrubbed[0] += self.cache
        self.slot.scrubbed[1] += len(self.ring)
        self.cache, self.ring = 0, []

    def do(self, step: str) -> None:
        {
            "alloc": self.alloc, "cache": self.put_cache, "ring": self.put_ring, "move": self.move,
            "stale": lambda: self.put_ring(stale=True), "reuse": self.reuse, "end": self.end,
        }[step]()  # fmt: skip

    def first_sight(self) -> None:
        """Our programs are attached to a pool that has been in use."""
        self.slot = abi.slot_type(NODES)()
        self.seen = self.cache, len(self.ring)
        self.into = {"cache": 0, "ring": 0}

    def recycled(self, owner: int) -> Recycled:
        words = memoryview(bytes(self.slot)).cast("Q").tolist()
        first_cache, first_ring = self.seen
        raw = abi.Pool(owner=owner, first_cache=first_cache, first_ring=first_ring)
        raw.cache_pages, raw.ring_pages = self.cache, len(self.ring)
        return LAYOUT.recycled(words, raw)


@given(before=STEPS, after=STEPS)
def test_what_was_put_follows_from_what_was_taken_and_what_is_left(before: list[str], after: list[str]) -> None:
    pool = PagePool()
    for step in before:
        pool.do(step)
    pool.first_sight()
    for step in after:
        pool.do(step)
    assert pool.recycled(owner=0xFFFF888000000000) == (pool.into["cache"], pool.into["ring"])


@given(STEPS)
def test_a_pool_that_ended_leaves_the_same_in_its_group_which_keeps_nothing(steps: list[str]) -> None:
    pool = PagePool()
    for step in [*steps, "end"]:
        pool.do(step)
    group = 1
    assert pool.recycled(group) == (pool.into["cache"], pool.into["ring"])
