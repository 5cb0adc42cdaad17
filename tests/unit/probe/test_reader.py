"""What the kernel side counted, and where pages are, read from tables that this test fills in place of a kernel."""

from __future__ import annotations

import ctypes
import os
import random
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from ppobserve.errors import ReadError
from ppobserve.kernel import bpf
from ppobserve.kernel.clock import Clock
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import Histogram, total
from ppobserve.model.snapshot import PoolSample, State
from ppobserve.probe import abi, tables
from ppobserve.probe.attach import MAPS, Attached
from ppobserve.probe.layout import UNKNOWN
from ppobserve.probe.reader import NO_SHIFT, Reader
from tests.unit.factories import plan

POOL, OTHER, GROUP, REST = 0xFFFF888000000000, 0xFFFF888000001000, (4026531840 << 32) | 7 << 1 | 1, 1
SIZES = abi.Tables(cpus=3, nodes=2, pools=5, groups=3, slots=11)
REST_ENTRY, GROUP_ENTRY = 5, 6
SAMPLE_POOL, SAMPLE_KEPT = 97, 101
NOT_YET = -1
"""The CPU of a consumer that nobody saw refill."""
CPU_NODES = {0: 0, 1: 0, 2: 1}


class Kernel:
    """The mapped tables, and the programs that bring an entry up to date and look where its pages are."""

    def __init__(self) -> None:
        self.sizes = SIZES
        self.fds = {f"map:{name}": os.memfd_create(name) for name in MAPS}
        for fd in self.fds.values():
            os.ftruncate(fd, 16 * os.sysconf("SC_PAGESIZE"))
        self.ledger()
        self.pool(REST_ENTRY, owner=REST, nid=-1)
        self.sampled: list[int] = []
        self.on_sample: Callable[[int], None] = lambda index: None
        self.stretches: list[tuple[int, int]] = []
        self.on_stretch: Callable[[int, int], None] = lambda index, start: None
        self.looks = 0
        self.on_look: Callable[[int], None] = lambda looks: None

    def write(self, table: str, index: int, value: ctypes.Structure) -> None:
        os.pwrite(self.fds[f"map:{table}"], bytes(value), index * ctypes.sizeof(value))

    def pool(self, index: int, **fields: Any) -> None:
        self.write("pools", index, abi.Pool(**{"consumer_cpu": NOT_YET, **fields}))

    def slot(self, index: int, **fields: Any) -> None:
        self.write("slots", index, abi.slot_type(self.sizes.nodes)(**fields))

    def kept(self, *places: tuple[int, ...]) -> None:
        """The pages of each place, by node, the unknown one last."""
        pages = [count for place in places for count in place]
        os.pwrite(self.fds["map:kept"], struct.pack(f"{len(pages)}Q", *pages), 0)

    def ledger(self, **fields: int) -> None:
        self.write("ledgers", 0, abi.Ledger(**fields))

    def look(self, mapped: tables.MappedTables) -> abi.Ledger:
        """The ledger is read before and after everything else is copied."""
        found = abi.Ledger.from_buffer_copy(mapped._facts)
        self.looks += 1
        self.on_look(self.looks)
        return found

    def test_run(self, program: int, *, context: bytes) -> int:
        arguments = struct.unpack(f"<{len(context) // 8}Q", context)
        if program == SAMPLE_POOL:
            self.sampled.append(*arguments)
            self.on_sample(*arguments)
        else:
            assert program == SAMPLE_KEPT
            self.stretches.append(arguments)
            self.on_stretch(*arguments)
        return 0

    def reader(self, level: Level = Level.STANDARD, rung: Rung = Rung.FENTRY, clock: Clock = NO_SHIFT) -> Reader:
        programs = {"program:sample_pool": SAMPLE_POOL, "program:sample_kept": SAMPLE_KEPT}
        return Reader(Attached(plan(level, rung), self.sizes, {**self.fds, **programs}), CPU_NODES, clock=clock)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    kernel = Kernel()
    monkeypatch.setattr(bpf, "test_run", kernel.test_run)
    monkeypatch.setattr(tables.MappedTables, "ledger", lambda mapped: kernel.look(mapped))
    yield kernel
    for fd in kernel.fds.values():
        os.close(fd)


def by_id(reader: Reader) -> dict[str, PoolSample]:
    samples, *_ = reader.read()
    return {sample.pool.id: sample for sample in samples}


def reasons(*pages: int) -> dict[tuple[str], int]:
    return {(reason,): count for reason, count in zip(abi.RETURNS, pages, strict=True)}


def test_the_slots_of_a_pool_add_up_over_cpus(kernel: Kernel) -> None:
    kernel.pool(0, owner=POOL, id=23)
    kernel.pool(1, owner=OTHER, id=29)
    kernel.slot(1, owner=POOL, batch=(1, 0, 0, 0, 0, 0, 0, 2), batch_pages=128, slow=3, held=192, nid_updates=5)
    kernel.slot(2, owner=OTHER, slow=1009)
    kernel.slot(3, owner=POOL, batch=(0, 7, 0, 0, 0, 0, 0, 11), batch_pages=711, miss=(13, 17), held=19)
    kernel.slot(4, owner=POOL, returned=(0, 2, 3, 5))
    kernel.slot(10, owner=POOL, returned=(31, 37, 53, 59, 61, 67, 71), mismatch=(0, 41, 0, 43, 0, 0, 0, 0, 0))
    pools = by_id(kernel.reader())
    assert pools["23"].counters == {
        "refill_batch_pages": Histogram((1, 7, 0, 0, 0, 0, 0, 13), 839),
        "refill_misses": {("ring_empty",): 13, ("numa",): 17},
        "numa_mismatch_pages": {("0", "1"): 41, ("1", "0"): 43},
        "slow_refills": {(): 3},
        "pages_held": {(): 211},
        "pages_returned": reasons(31, 39, 56, 64, 61, 67, 71),
        "nid_updates": {(): 5},
    }
    assert total(pools["29"].counters["slow_refills"]) == 1009


def test_a_free_slot_counts_for_nobody(kernel: Kernel) -> None:
    kernel.pool(0, owner=POOL, id=23)
    kernel.slot(1, owner=0, slow=997)
    assert {name: total(counter) for name, counter in by_id(kernel.reader())["23"].counters.items()} == dict.fromkeys(
        by_id(kernel.reader())["23"].counters, 0
    )


def test_unknown_nodes_show_once_they_count(kernel: Kernel) -> None:
    kernel.pool(0, owner=POOL, id=23)
    reader = kernel.reader()
    assert set(by_id(reader)["23"].counters["numa_mismatch_pages"]) == {("0", "1"), ("1", "0")}
    kernel.slot(1, owner=POOL, mismatch=(0, 0, 0, 0, 5, 0, 0, 7, 11))
    assert by_id(reader)["23"].counters["numa_mismatch_pages"] == {
        ("0", "1"): 0, ("1", "0"): 0, ("1", "1"): 5, (UNKNOWN, "1"): 7, (UNKNOWN, UNKNOWN): 11,
    }  # fmt: skip


def test_who_a_pool_is(kernel: Kernel) -> None:
    kernel.pool(
        3,
        owner=POOL, id=23, nid=-1, netns=4026531840, ifindex=7, napi_id=8193,
        netdev=b"eth0", driver=b"mlx5_core", device=b"0000:5e:00.0\xff",
        inflight=-3, cache_pages=61, ring_pages=509, ring_size=1024,
    )  # fmt: skip
    sample = by_id(kernel.reader())["23"]
    pool = sample.pool
    assert (pool.netdev, pool.driver, pool.device) == ("eth0", "mlx5_core", "0000:5e:00.0\N{REPLACEMENT CHARACTER}")
    assert (pool.nid, pool.netns, pool.ifindex, pool.napi, pool.state) == (-1, 4026531840, 7, 8193, State.LIVE)
    assert sample.gauges == {"inflight_pages": -3, "cache_pages": 61, "ring_pages": 509, "ring_size": 1024}


def test_gauges_are_asked_for_first_and_of_pools_only(kernel: Kernel) -> None:
    kernel.pool(0, owner=POOL, id=23)
    kernel.pool(4, owner=OTHER, id=29)
    kernel.on_sample = lambda index: kernel.pool(index, owner=POOL, id=23, ring_pages=499) if index == 0 else None
    assert by_id(kernel.reader())["23"].gauges["ring_pages"] == 499
    assert kernel.sampled == [0, 4]


@pytest.mark.parametrize("shift", [0, 100_000 * 10**9])
def test_a_detached_pool_knows_for_how_long(kernel: Kernel, shift: int) -> None:
    """The kernel stamped it by its own clock, which a time namespace does not shift."""
    kernel.pool(0, owner=POOL, id=23, detached_ns=time.monotonic_ns() + shift - 61 * 10**9)
    sample = by_id(kernel.reader(clock=Clock(shift)))["23"]
    assert sample.pool.state is State.DETACHED
    assert 61 <= sample.gauges["pool_detached_seconds"] < 120


def test_groups_of_ended_pools_count_and_have_no_gauges(kernel: Kernel) -> None:
    kernel.pool(GROUP_ENTRY, owner=GROUP, nid=-1, netns=4026531840, ifindex=7, netdev=b"eth0", driver=b"veth")
    kernel.slot(1, owner=GROUP, slow=13)
    kernel.slot(2, owner=REST, slow=17)
    samples, *_ = kernel.reader().read()
    assert [(sample.pool.state, sample.pool.id, sample.gauges) for sample in samples] == [
        (State.ENDED, "ended", {})
    ] * 2
    found = {(sample.pool.ifindex, sample.pool.netdev): total(sample.counters["slow_refills"]) for sample in samples}
    assert found == {(7, "eth0"): 13, (0, ""): 17}


@pytest.mark.parametrize("rung", [Rung.FENTRY, Rung.KPROBE])
def test_at_level_lean_returns_are_what_the_pool_says_less_its_mismatches(kernel: Kernel, rung: Rung) -> None:
    kernel.pool(0, owner=POOL, id=23, released=101)
    kernel.slot(1, owner=POOL, mismatch=(0, 0, 0, 0, 0, 0, 5, 6, 0))
    kernel.pool(GROUP_ENTRY, owner=GROUP, released=7)
    pools = by_id(kernel.reader(Level.LEAN, rung))
    assert pools["23"].counters["pages_returned"] == {("numa",): 11, ("other",): 90}
    samples, *_ = kernel.reader(Level.LEAN, rung).read()
    assert sum(total(sample.counters["pages_returned"]) for sample in samples) == 108


def test_at_level_lean_returns_never_go_down(kernel: Kernel) -> None:
    """The pool is asked first, and mismatches that come before its counts are copied are not among what it said."""
    kernel.pool(0, owner=POOL, id=23, released=101)
    kernel.slot(1, owner=POOL, mismatch=(0, 0, 0, 0, 0, 0, 5, 6, 0))
    reader = kernel.reader(Level.LEAN)
    by_id(reader)
    kernel.slot(1, owner=POOL, mismatch=(0, 0, 0, 0, 0, 0, 5, 29, 0))
    assert by_id(reader)["23"].counters["pages_returned"] == {("numa",): 34, ("other",): 90}
    kernel.pool(0, owner=POOL, id=23, released=137)
    assert by_id(reader)["23"].counters["pages_returned"] == {("numa",): 34, ("other",): 103}


def test_on_the_tracepoint_rung_returns_are_counted_at_every_level(kernel: Kernel) -> None:
    kernel.pool(0, owner=POOL, id=23, released=75)
    kernel.slot(1, owner=POOL, returned=(3, 5, 7, 11, 13, 17, 19))
    counters = by_id(kernel.reader(Level.LEAN, Rung.TRACEPOINT))["23"].counters
    assert counters["pages_returned"] == reasons(3, 5, 7, 11, 13, 17, 19)
    assert "refill_batch_pages" not in counters and "refill_misses" not in counters


def test_returns_that_the_kernel_showed_no_program_are_other_once_they_last(kernel: Kernel) -> None:
    """The pool counted 107, its slots have 101. Reads that find fewer, or more, unseen are of returns under way."""
    kernel.slot(1, owner=POOL, returned=(0, 101, 0, 0, 0, 0, 0))
    reader, others = kernel.reader(), []
    for released in (107, 109, 113, 107, 101, 101):
        kernel.pool(0, owner=POOL, id=23, released=released)
        returned = by_id(reader)["23"].counters["pages_returned"]
        assert isinstance(returned, Mapping) and returned[("ring_full",)] == 101
        others.append(returned[("other",)])
    assert others == [0, 0, 6, 6, 6, 6]


def test_what_a_pool_returned_unseen_stays_counted_when_it_ends(kernel: Kernel) -> None:
    kernel.slot(1, owner=POOL, returned=(0, 101, 0, 0, 0, 0, 0))
    kernel.pool(0, owner=POOL, id=23, released=107)
    reader = kernel.reader()
    for _ in range(3):
        alive = by_id(reader)
    assert sum(total(sample.counters["pages_returned"]) for sample in alive.values()) == 107
    kernel.pool(0)
    kernel.slot(1)
    kernel.pool(GROUP_ENTRY, owner=GROUP, released=107)
    kernel.slot(1, owner=GROUP, returned=(0, 101, 0, 0, 0, 0, 0))
    assert by_id(reader)["ended"].counters["pages_returned"] == reasons(0, 101, 0, 0, 0, 0, 6)


def test_before_6_8_a_pool_gets_an_id_of_its_own(kernel: Kernel) -> None:
    """Entries are used again at once, so a pool and its successor may be first seen within a second."""
    kernel.pool(3, owner=POOL, seen_ns=4_000_000_000)
    first = {name for name in by_id(kernel.reader()) if name != "ended"}
    kernel.pool(3, owner=OTHER, seen_ns=4_010_000_000)
    second = {name for name in by_id(kernel.reader()) if name != "ended"}
    kernel.pool(2, owner=POOL, seen_ns=4_010_000_000)
    both = {name for name in by_id(kernel.reader()) if name != "ended"}
    assert len(first) == len(second) == 1
    assert first != second < both and len(both) == 2


@pytest.mark.parametrize(("level", "rung"), [(Level.STANDARD, rung) for rung in Rung] + [(Level.LEAN, Rung.TRACEPOINT)])
def test_where_returns_are_hooked_each_reason_is_told(kernel: Kernel, level: Level, rung: Rung) -> None:
    kernel.pool(0, owner=POOL, id=23, released=1009)
    counters = by_id(kernel.reader(level, rung))["23"].counters
    assert counters["pages_returned"] == reasons(0, 0, 0, 0, 0, 0, 0)


def test_pages_on_another_node_than_the_consumer_s(kernel: Kernel) -> None:
    kernel.pool(0, owner=POOL, id=23, consumer_cpu=1, ring_size=256)
    kernel.pool(1, owner=OTHER, id=29, consumer_cpu=2, ring_size=256)
    places = {0: [(13, 17, 19), (23, 29, 31)], 1: [(37, 41, 43), (47, 53, 59)]}
    kernel.on_stretch = lambda index, start: kernel.kept(*places[index])
    pools = by_id(kernel.reader())
    assert pools["23"].remote == {("cache", "1", "0"): 17, ("ring", "1", "0"): 29}
    assert pools["29"].remote == {("cache", "0", "1"): 37, ("ring", "0", "1"): 47}
    assert pools["ended"].remote == {}
    assert kernel.stretches == [(0, 0), (1, 0)]


@pytest.mark.parametrize(
    ("pages", "starts"), [(0, [0]), (256, [0]), (512, [0]), (513, [0, 512]), (1024, [0, 512]), (1536, [0, 512, 1024])]
)
def test_a_long_ring_is_looked_at_in_stretches(kernel: Kernel, pages: int, starts: list[int]) -> None:
    kernel.pool(3, owner=POOL, id=23, consumer_cpu=0, ring_size=2048, ring_pages=pages)
    by_id(kernel.reader())
    assert kernel.stretches == [(3, start) for start in starts]


@pytest.mark.parametrize("cpu", [NOT_YET, max(CPU_NODES) + 1])
def test_while_the_consumer_is_not_known_nothing_is_remote(kernel: Kernel, cpu: int) -> None:
    kernel.pool(0, owner=POOL, id=23, consumer_cpu=cpu, ring_pages=1024)
    assert by_id(kernel.reader())["23"].remote == {}
    assert kernel.stretches == []


def test_on_one_node_the_kernel_is_asked_nothing(kernel: Kernel) -> None:
    kernel.sizes = replace(SIZES, nodes=1)
    kernel.pool(0, owner=POOL, id=23, consumer_cpu=0, ring_pages=1024)
    assert by_id(kernel.reader())["23"].remote == {}
    assert kernel.stretches == []


@pytest.mark.parametrize("then", [0, POOL, OTHER], ids=["nobody", "the same address", "another"])
def test_of_a_pool_that_ends_while_its_pages_are_looked_at_nothing_is_told(kernel: Kernel, then: int) -> None:
    kernel.pool(0, owner=POOL, id=23, consumer_cpu=0, ring_pages=1024)
    kernel.kept((13, 17, 19), (23, 29, 31))
    kernel.on_stretch = lambda index, start: kernel.pool(0, owner=then, seen_ns=then) if start else None
    assert by_id(kernel.reader())["23"].remote == {}


def ending(kernel: Kernel) -> None:
    """A pool's counts move to the rest."""
    kernel.pool(0)
    kernel.slot(1)
    kernel.slot(2, owner=REST, slow=13)


def whole(samples: tuple[PoolSample, ...]) -> int:
    return sum(total(sample.counters["slow_refills"]) for sample in samples)


@pytest.mark.parametrize(
    ("at_start", "meanwhile"),
    [
        ({}, {"folds_begun": 1, "folds_done": 1}),
        ({"folds_begun": 1}, {"folds_begun": 1, "folds_done": 1}),
        ({"folds_begun": 5, "folds_done": 3}, {"folds_begun": 5, "folds_done": 5}),
    ],
    ids=["began and ended", "was under way, and ended", "two were under way, and ended"],
)
def test_a_pool_that_ends_while_it_is_copied_is_counted_once(
    kernel: Kernel, at_start: dict[str, int], meanwhile: dict[str, int]
) -> None:
    kernel.pool(0, owner=POOL, id=23)
    kernel.slot(1, owner=POOL, slow=13)
    kernel.ledger(**at_start)

    def end(looks: int) -> None:
        if looks == 1:
            ending(kernel)
            kernel.ledger(**meanwhile)

    kernel.on_look = end
    samples, *_ = kernel.reader().read()
    assert whole(samples) == 13
    assert [sample.pool.id for sample in samples] == ["ended"]
    assert kernel.sampled == [0]
    assert kernel.looks > 2


@pytest.mark.parametrize("next_one", [None, OTHER], ids=["and is gone", "and another has its entry"])
def test_a_pool_that_ends_between_its_gauges_and_the_copy_is_counted_once(kernel: Kernel, next_one: int | None) -> None:
    kernel.pool(0, owner=POOL, seen_ns=1, id=23)
    kernel.slot(1, owner=POOL, slow=13)

    def end(index: int) -> None:
        ending(kernel)
        if next_one:
            kernel.pool(0, owner=next_one, seen_ns=2, id=29)
            kernel.slot(1, owner=next_one, slow=17)

    kernel.on_sample = end
    reader = kernel.reader()
    samples, *_ = reader.read()
    assert {sample.pool.id: whole((sample,)) for sample in samples} == {"ended": 13}
    kernel.on_sample = lambda index: None
    samples, *_ = reader.read()
    assert whole(samples) == 13 + (17 if next_one else 0)


def test_a_group_that_came_while_gauges_were_read_is_told(kernel: Kernel) -> None:
    """Its counts were its pools' until then."""
    kernel.pool(0, owner=POOL, seen_ns=1, id=23)
    kernel.slot(1, owner=POOL, slow=13)

    def end(index: int) -> None:
        kernel.pool(0)
        kernel.slot(1)
        kernel.pool(GROUP_ENTRY, owner=GROUP, ifindex=7)
        kernel.slot(10, owner=GROUP, slow=13)

    kernel.on_sample = end
    samples, *_ = kernel.reader().read()
    assert {sample.pool.ifindex: whole((sample,)) for sample in samples} == {0: 0, 7: 13}


@pytest.mark.parametrize("stuck", [True, False], ids=["one end takes for ever", "one after another"])
def test_pools_that_end_all_the_time_are_a_sentence(
    kernel: Kernel, stuck: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "PATIENCE", 0.05)
    kernel.ledger(folds_begun=1)
    if not stuck:
        kernel.on_look = lambda looks: kernel.ledger(folds_begun=looks, folds_done=looks)
    with pytest.raises(ReadError, match=r"pools ended faster than they could be read, for 0.05 seconds"):
        kernel.reader().read()
    assert kernel.looks > 100


def coming_and_going(kernel: Kernel) -> Iterator[int]:
    """A pool comes, counts 64 and ends, again and again, step by step; yields what was counted so far."""
    for ends in count(1):
        kernel.pool(0, owner=POOL, seen_ns=ends, id=23)
        kernel.slot(1, owner=POOL)
        yield 64 * (ends - 1)
        kernel.slot(1, owner=POOL, slow=64)
        yield 64 * ends
        kernel.ledger(folds_begun=ends, folds_done=ends - 1)
        yield 64 * ends
        kernel.slot(2, owner=REST, slow=64 * ends)
        yield 64 * ends
        kernel.slot(1)
        yield 64 * ends
        kernel.pool(0)
        yield 64 * ends
        kernel.ledger(folds_begun=ends, folds_done=ends)
        yield 64 * ends


@pytest.mark.parametrize("seed", range(11))
def test_no_count_is_lost_or_doubled_at_whichever_step_a_pool_is_read(kernel: Kernel, seed: int) -> None:
    """A pool that came after the read began is left out, so what was counted then is the least to be seen."""
    steps, dice = coming_and_going(kernel), random.Random(seed)
    counted = [next(steps)]

    def go_on(_: int) -> None:
        counted.extend(next(steps) for _ in range(dice.randrange(9)))

    kernel.on_sample = kernel.on_look = go_on
    reader, seen = kernel.reader(), [0]
    for _ in range(211):
        go_on(0)
        at_least = counted[-1]
        seen.append(whole(reader.read()[0]))
        assert at_least <= seen[-1] <= counted[-1]
    assert seen == sorted(seen)
    assert kernel.looks > 3 * len(seen)


def test_what_found_no_room_is_told(kernel: Kernel) -> None:
    kernel.ledger(pools_dropped=13, slots_dropped=17)
    _, tables, _ = kernel.reader().read()
    assert (tables.pools_dropped, tables.slots_dropped) == (13, 17)


def test_a_kernel_that_refuses_to_measure_fails_the_read(kernel: Kernel) -> None:
    def refuse(index: int) -> None:
        raise bpf.BpfError("cannot run the BPF program", 1)

    kernel.pool(0, owner=POOL)
    kernel.on_sample = refuse
    with pytest.raises(bpf.BpfError, match="Operation not permitted"):
        kernel.reader().read()
