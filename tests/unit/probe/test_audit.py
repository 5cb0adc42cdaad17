"""Our counts beside the kernel's, read by read."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

import pytest

from ppobserve.kernel import bpf
from ppobserve.model.audit import AUDITED
from ppobserve.model.series import Counters
from ppobserve.probe import abi
from ppobserve.probe.attach import AUDIT_MAP, AUDIT_PROGRAM, Attached
from ppobserve.probe.audit import Audit
from tests.unit.make import counted, plan

POOL, GROUP = 0xFFFF888000000000, 1
FRESH, USED = abi.Pool(owner=POOL, seen_ns=101), abi.Pool(owner=POOL, seen_ns=101, first_hold=64)


class Kernel:
    """Counts in step with us, but for *lost* refills."""

    def __init__(self) -> None:
        self.map = os.memfd_create("stats")
        os.ftruncate(self.map, os.sysconf("SC_PAGESIZE"))
        self.counters: Counters = counted(1)
        self.lost = 0
        self.asked: list[int] = []

    def test_run(self, program: int, *, context: bytes) -> None:
        self.asked.append(int.from_bytes(context, "little"))
        ours = {each.name: each.ours(self.counters) for each in AUDITED}
        ours["alloc_refill"] += self.lost
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
    return Audit(Attached(plan(), abi.Tables(2, 2), fds, audits=AUDITED))


def read(audit: Audit, kernel: Kernel, *pools: abi.Pool) -> dict[str, int]:
    """One read of entries 0, 1, 2…, and what is apart."""
    before = audit.look(range(len(pools)))
    audit.compare(((index, raw, kernel.counters) for index, raw in enumerate(pools)), before)
    return {name: events for name, events in audit.divergence().items() if events}


def test_counts_in_step_are_no_divergence(audit: Audit, kernel: Kernel) -> None:
    for events in (1, 2, 3):
        kernel.counters = counted(events)
        assert read(audit, kernel, FRESH) == {}
    assert set(audit.divergence()) == {each.name for each in AUDITED}


def test_what_one_read_finds_may_be_under_way_and_what_two_find_is_told(audit: Audit, kernel: Kernel) -> None:
    kernel.lost = 3
    assert read(audit, kernel, FRESH) == {}
    assert read(audit, kernel, FRESH) == {"alloc_refill": 3}
    kernel.lost = 0
    assert read(audit, kernel, FRESH) == {}


def test_a_pool_that_was_in_use_before_us_is_taken_as_it_is_found(audit: Audit, kernel: Kernel) -> None:
    kernel.lost = 1009
    assert read(audit, kernel, USED) == read(audit, kernel, USED) == {}
    kernel.lost = 1013
    read(audit, kernel, USED)
    assert read(audit, kernel, USED) == {"alloc_refill": 4}


def test_pools_add_up_and_those_that_ended_stay(audit: Audit, kernel: Kernel) -> None:
    kernel.lost = 5
    other = abi.Pool(owner=POOL + 4096, seen_ns=103)
    read(audit, kernel, FRESH, other)
    assert read(audit, kernel, FRESH, other) == {"alloc_refill": 10}
    kernel.lost = 0
    assert read(audit, kernel, FRESH) == {"alloc_refill": 5}
    assert read(audit, kernel) == {"alloc_refill": 5}


def test_groups_are_nobodys_pool(audit: Audit, kernel: Kernel) -> None:
    kernel.lost = 7
    group = abi.Pool(owner=GROUP)
    assert read(audit, kernel, group) == read(audit, kernel, group) == {}


def test_without_counters_of_the_kernels_nothing_is_asked(kernel: Kernel) -> None:
    quiet = Audit(Attached(plan(), abi.Tables(2, 2), {}))
    assert read(quiet, kernel, FRESH) == {}
    assert kernel.asked == []


def test_the_counters_fit_the_page_that_is_mapped() -> None:
    assert ctypes.sizeof(abi.Stats) <= os.sysconf("SC_PAGESIZE")
    assert {each.name for each in AUDITED} <= {name for name, _ in abi.Stats._fields_}
