"""Our counts beside the kernel's, read by read."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator

import pytest

from ppobserve.kernel import bpf
from ppobserve.model.audit import AUDITED
from ppobserve.model.series import Counters, total
from ppobserve.probe import abi
from ppobserve.probe.attach import AUDIT_MAP, AUDIT_PROGRAM, Attached
from ppobserve.probe.audit import IN_A_ROW, Audit
from ppobserve.probe.tables import Life
from tests.unit.factories import counted, plan

POOL, GROUP = 0xFFFF888000000000, 1
FRESH, USED = abi.Pool(owner=POOL, seen_ns=101), abi.Pool(owner=POOL, seen_ns=101, first_hold=64)


class Kernel:
    """Counts in step with us, but for *lost* refills, and *recycled* pages that we count too many."""

    def __init__(self) -> None:
        self.map = os.memfd_create("stats")
        os.ftruncate(self.map, os.sysconf("SC_PAGESIZE"))
        self.counters: Counters = counted(1)
        self.lost = 0
        self.recycled = 0
        self.asked: list[int] = []
        self.ended: set[Life] = set()
        self.meanwhile: Callable[[], None] = lambda: None

    def is_alive(self, life: Life) -> bool:
        return life not in self.ended

    def test_run(self, program: int, *, context: bytes) -> None:
        self.asked.append(int.from_bytes(context, "little"))
        ours = {each.names[0]: each.ours(self.counters) for each in AUDITED}
        ours["alloc_refill"] += self.lost
        ours["recycle_cached"] -= self.recycled
        self.meanwhile()
        os.pwrite(self.map, bytes(abi.Stats(has_recycled=1, **ours)), 0)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    fake = Kernel()
    monkeypatch.setattr(bpf, "test_run", fake.test_run)
    yield fake
    os.close(fake.map)


@pytest.fixture
def audit(kernel: Kernel) -> Audit:
    fds = {f"map:{AUDIT_MAP}": kernel.map, f"program:{AUDIT_PROGRAM}": 97}
    return Audit(Attached(plan(), abi.Tables(2, 2), fds, audits=AUDITED), kernel.is_alive)


def read(audit: Audit, kernel: Kernel, *pools: abi.Pool) -> dict[str, int]:
    """One read of entries 0, 1, 2…, and what is apart."""
    before = audit.look((index, raw.seen_ns) for index, raw in enumerate(pools) if not raw.owner & 1)
    audit.compare(((index, raw, kernel.counters) for index, raw in enumerate(pools)), before)
    return {name: events for name, events in audit.divergence().items() if events}


def reads(audit: Audit, kernel: Kernel, *pools: abi.Pool) -> dict[str, int]:
    """As many as make a finding last, and what is apart then."""
    return [read(audit, kernel, *pools) for _ in range(IN_A_ROW)][-1]


def test_counts_in_step_are_no_divergence(audit: Audit, kernel: Kernel) -> None:
    for events in (1, 2, 3):
        kernel.counters = counted(events)
        assert read(audit, kernel, FRESH) == {}
    assert set(audit.divergence()) == {each.name for each in AUDITED}


def test_what_a_few_reads_find_may_be_under_way_and_what_one_more_finds_is_told(audit: Audit, kernel: Kernel) -> None:
    kernel.lost = 3
    for _ in range(IN_A_ROW - 1):
        assert read(audit, kernel, FRESH) == {}
    assert read(audit, kernel, FRESH) == {"alloc_refill": 3}
    kernel.lost = 0
    assert read(audit, kernel, FRESH) == {}


def test_a_pool_that_was_in_use_before_us_is_taken_as_it_is_found(audit: Audit, kernel: Kernel) -> None:
    kernel.lost = 1009
    assert reads(audit, kernel, USED) == {}
    kernel.lost = 1013
    assert reads(audit, kernel, USED) == {"alloc_refill": 4}


def test_pools_add_up_and_those_that_ended_stay(audit: Audit, kernel: Kernel) -> None:
    kernel.lost = 5
    other = abi.Pool(owner=POOL + 4096, seen_ns=103)
    assert reads(audit, kernel, FRESH, other) == {"alloc_refill": 10}
    kernel.lost = 0
    assert read(audit, kernel, FRESH) == {"alloc_refill": 5}
    assert read(audit, kernel) == {"alloc_refill": 5}


@pytest.mark.parametrize("looks", [1, 2], ids=["before our counts are read", "after"])
def test_of_a_pool_that_ends_while_it_is_compared_what_was_known_stays(
    audit: Audit, kernel: Kernel, looks: int
) -> None:
    """What the program finds in the entry then is nothing, or the counters of the next pool."""
    kernel.lost = 5
    read(audit, kernel, USED)
    kernel.lost = 12
    assert reads(audit, kernel, USED) == {"alloc_refill": 7}
    asked = len(kernel.asked)

    def end() -> None:
        if len(kernel.asked) - asked == looks:
            kernel.ended.add((0, USED.seen_ns))

    kernel.meanwhile, kernel.lost = end, 1009
    assert read(audit, kernel, USED) == {"alloc_refill": 7}
    assert read(audit, kernel) == {"alloc_refill": 7}


def test_a_pool_in_the_entry_of_another_begins_anew(audit: Audit, kernel: Kernel) -> None:
    kernel.lost = 5
    read(audit, kernel, USED)
    kernel.lost, other = 1009, abi.Pool(owner=POOL, seen_ns=103, first_hold=64)
    assert reads(audit, kernel, other) == {}


def test_what_follows_from_the_cache_is_compared_while_no_slow_refill_is_filling_it(
    audit: Audit, kernel: Kernel
) -> None:
    held = total(kernel.counters["pages_held"])
    kernel.recycled = 20
    filling = abi.Pool(owner=POOL, seen_ns=101, inflight=held + 20)
    assert reads(audit, kernel, filling) == {}
    still = abi.Pool(owner=POOL, seen_ns=101, inflight=held - 7, release_cnt=7)
    assert reads(audit, kernel, still) == {"recycle_cached": 20}


def test_groups_are_nobodys_pool(audit: Audit, kernel: Kernel) -> None:
    kernel.lost = 7
    group = abi.Pool(owner=GROUP)
    assert reads(audit, kernel, group) == {}


def test_without_counters_of_the_kernels_nothing_is_asked(kernel: Kernel) -> None:
    quiet = Audit(Attached(plan(), abi.Tables(2, 2), {}), kernel.is_alive)
    assert read(quiet, kernel, FRESH) == {}
    assert kernel.asked == []


def test_the_counters_fit_the_page_that_is_mapped() -> None:
    assert ctypes.sizeof(abi.Stats) <= os.sysconf("SC_PAGESIZE")
    assert {name for each in AUDITED for name in each.names} <= {name for name, _ in abi.Stats._fields_}
