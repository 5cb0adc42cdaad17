"""Counts against the kernel's own, to the event: TCP over veth, the sender moved between the nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache

import pytest

from ppobserve.kernel.numa import possible_nodes
from ppobserve.lab.veth import VethLab
from ppobserve.model.features import REFILL, Features
from ppobserve.model.hooks import Hook
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import Counters, Histogram, subtract, total
from ppobserve.model.snapshot import PoolSample
from ppobserve.probe.abi import RETURNS
from ppobserve.probe.attach import attach
from ppobserve.probe.audit import IN_A_ROW
from ppobserve.source.live import Live
from tests.live.conftest import Start, hooks_of, missed, pool_of, settled, unmissed
from tests.live.traffic import TRIES

pytestmark = pytest.mark.usefixtures("veth")

MEGABYTE = 1_000_003
ROUNDS = (0, 1, 0, 1, 0, 1)
BOTH_WAYS = {("0", "1"), ("1", "0")}

Pair = tuple[PoolSample, Mapping[str, int]]


@pytest.fixture
def lab(live: None) -> Iterator[VethLab]:
    with VethLab(receiver_cpu=0) as lab:
        yield lab


@pytest.fixture(scope="module")
def observe(start: Start) -> Callable[[Level, Rung], dict[str, Pair]]:
    """Both ends' pools after traffic from each CPU in turn: our counts, and the kernel's (empty where it has none)."""

    return cache(lambda level, rung: watch(start(level, rung)))


def watch(source: Live) -> dict[str, Pair]:
    """Traffic from each CPU in turn, and what both sides counted."""
    return unmissed([source], lambda: watched(source))


def watched(source: Live) -> dict[str, Pair]:
    """More than once if need be: which pages are in the ring when the sender moves is chance."""
    dropped = source.read().tables.slots_dropped
    with VethLab(receiver_cpu=0) as lab:
        for _ in range(TRIES):
            for cpu in ROUNDS:
                lab.send(3 * MEGABYTE, cpu=cpu)
            lab.send(MEGABYTE, cpu=0, splice=True)
            if has_all(source, lab, possible_nodes()):
                break
        pairs = settled(lambda: pairs_of(source, lab))
        assert source.read().tables.slots_dropped == dropped
        return pairs


def pairs_of(source: Live, lab: VethLab) -> dict[str, Pair]:
    snapshot, kernel = source.read(), lab.kernel_counters()
    return {end.device: (pool_of(snapshot, end), kernel[end.device]) for end in (lab.sender, lab.receiver)}


def has_all(source: Live, lab: VethLab, nodes: int) -> bool:
    """Was there all that this traffic is made for, as far as this level tells it apart?"""
    snapshot = source.read()
    samples = [pool_of(snapshot, end) for end in (lab.sender, lab.receiver)]
    met = {nodes for sample in samples for nodes, pages in mismatches_of(sample).items() if pages}
    if source.plan.level is Level.LEAN:
        return nodes < 2 or bool(met)
    reasons = by_reason(samples[1])
    return reasons["ring_full"] > 0 and reasons["referenced"] > 0 and (nodes < 2 or met == BOTH_WAYS)


def mismatches_of(sample: PoolSample) -> Mapping[tuple[str, ...], int]:
    mismatches = sample.counters["numa_mismatch_pages"]
    assert isinstance(mismatches, Mapping)
    return mismatches


Observe = Callable[[Level, Rung], dict[str, Pair]]


@pytest.mark.parametrize("level", list(Level))
def test_counts_equal_the_pools_own(observe: Observe, rung: Rung, level: Level) -> None:
    for sample, _ in observe(level, rung).values():
        same_as_the_pool_itself(sample)


@pytest.mark.parametrize("level", list(Level))
def test_counts_equal_the_kernels(observe: Observe, rung: Rung, level: Level, require: Callable[..., None]) -> None:
    for device, (sample, kernel) in observe(level, rung).items():
        require(kernel, "the kernel keeps no page_pool statistics", capability="stats")
        same_as_the_kernel(sample, kernel, device, lumped=lumps_reasons(level, rung))


@pytest.mark.parametrize("level", list(Level))
def test_the_audit_finds_nothing(
    observe: Observe, start: Start, rung: Rung, level: Level, require: Callable[..., None]
) -> None:
    """What lasts over some reads is a divergence; every test of this run has gone through these programs by then."""
    source = start(level, rung)
    observe(level, rung)
    for _ in range(IN_A_ROW):
        audit = source.read().audit
    require(audit, "the kernel keeps no page_pool statistics", capability="stats")
    assert all(0 <= apart <= missed(source) for apart in audit.values()), (audit, hooks_of(source))
    assert len(audit) == AUDITED_AT[level, rung is Rung.TRACEPOINT]


AUDITED_AT = {
    (Level.LEAN, False): 4, (Level.STANDARD, False): 5, (Level.FULL, False): 8,
    (Level.LEAN, True): 3, (Level.STANDARD, True): 3, (Level.FULL, True): 3,
}  # fmt: skip


@pytest.mark.parametrize("rung", [Rung.FENTRY.value, Rung.KPROBE.value], indirect=True)
def test_a_refill_inside_the_allocation_counts_the_same(
    rung: Rung, features: Features, require: Callable[..., None]
) -> None:
    """Kernels before 5.6 have no refill function. Without hooking it, level full counts the same on this one."""
    with attach(without_refill(features), Level.FULL, forced=rung) as attached:
        assert not attached.plan.has(Hook.REFILL)
        pairs = watch(Live(attached))
    assert sum(total(sample.counters["refill_batch_pages"]) for sample, _ in pairs.values()) > 0
    for device, (sample, kernel) in pairs.items():
        same_as_the_pool_itself(sample)
        require(kernel, "the kernel keeps no page_pool statistics", capability="stats")
        same_as_the_kernel(sample, kernel, device, lumped=False)


def without_refill(features: Features) -> Features:
    functions = {name: place for name, place in features.functions.items() if name != REFILL}
    symbols = {name: place for name, place in features.symbols.items() if name != REFILL}
    return replace(features, functions=functions, symbols=symbols)


def lumps_reasons(level: Level, rung: Rung) -> bool:
    """Level lean sees no return by itself, but on the tracepoint rung, where every level hooks the same."""
    return level is Level.LEAN and rung is not Rung.TRACEPOINT


def by_reason(sample: PoolSample) -> dict[str, int]:
    """Returned pages by reason; 0 for a reason that this level does not tell apart."""
    returned = sample.counters["pages_returned"]
    assert isinstance(returned, Mapping)
    return {reason: returned.get((reason,), 0) for reason in RETURNS}


def same_as_the_pool_itself(sample: PoolSample) -> None:
    """In every kernel the pool counts what it took and gave back; the pool was seen from its first page."""
    held, returned = total(sample.counters["pages_held"]), total(sample.counters["pages_returned"])
    assert held - returned == sample.gauges["inflight_pages"]
    assert by_reason(sample)["numa"] == total(sample.counters["numa_mismatch_pages"])
    assert sample.gauges["cache_pages"] + sample.gauges["ring_pages"] <= sample.gauges["inflight_pages"]


def same_as_the_kernel(sample: PoolSample, kernel: Mapping[str, int], device: str, *, lumped: bool) -> None:
    counters = sample.counters
    returned = by_reason(sample)
    ours = {
        "waive": total(counters["numa_mismatch_pages"]),
        "slow": total(counters["slow_refills"]),
        "ring_full": returned["ring_full"],
        "referenced": returned["referenced"] + returned["pfmemalloc"],
        "lumped together": returned["other"],
        "at the end or by a move": returned["teardown"] + returned["nid_update"],
    }
    theirs = {
        "waive": kernel["rx_pp_alloc_waive"],
        "slow": kernel["rx_pp_alloc_slow"] + kernel["rx_pp_alloc_slow_ho"],
        "ring_full": kernel["rx_pp_recycle_ring_full"],
        "referenced": kernel["rx_pp_recycle_released_ref"],
        "lumped together": 0,
        "at the end or by a move": 0,
    }
    if lumped:
        theirs |= {"ring_full": 0, "referenced": 0, "lumped together": theirs["ring_full"] + theirs["referenced"]}
    batches, misses = counters.get("refill_batch_pages"), counters.get("refill_misses")
    if isinstance(batches, Histogram) and isinstance(misses, Mapping):
        ours |= {
            "refill": batches.filled,
            "empty": misses[("ring_empty",)],
            "put into the ring": batches.sum + ours["waive"] + int(sample.gauges["ring_pages"]),
        }
        theirs |= {
            "refill": kernel["rx_pp_alloc_refill"],
            "empty": kernel["rx_pp_alloc_empty"],
            "put into the ring": kernel["rx_pp_recycle_ring"],
        }
    allocs, recycles = counters.get("allocs"), counters.get("recycles")
    if isinstance(allocs, Mapping) and isinstance(recycles, Mapping):
        ours |= {f"allocs by {path}": allocs[(path,)] for path in ("cache", "refill", "slow")}
        ours |= {f"recycled into {path}": recycles[(path,)] for path in ("cache", "ring")}
        theirs |= {
            "allocs by cache": kernel["rx_pp_alloc_fast"],
            "allocs by refill": kernel["rx_pp_alloc_refill"],
            "allocs by slow": theirs["slow"],
            "recycled into cache": kernel["rx_pp_recycle_cached"],
            "recycled into ring": kernel["rx_pp_recycle_ring"],
        }
    apart = {name: ours.pop(name) - theirs.pop(name) for name in JUDGED_TWICE}
    assert ours == theirs, device
    assert all(abs(pages) <= RACED for pages in apart.values()), (device, apart)
    assert 0 <= sum(apart.values()) <= RACED, (device, apart)


# The kernel looks at a page when it is put, we when it leaves: one whose holder lets go in between changes sides. And
# page_pool_drain_frag() gives back a page that someone still holds without counting it (net/core/page_pool.c).
JUDGED_TWICE = ("ring_full", "referenced", "lumped together")
RACED = 2


def test_level_lean_counts_a_pool_that_was_in_use_before(
    lab: VethLab, features: Features, require: Callable[..., None]
) -> None:
    """By trampoline it sees a refill's end alone, and works mismatches out from where the one before left the ring."""
    require(not (refusal := features.refusals.get("fentry", "")), refusal, capability="fentry")
    require(any(lab.kernel_counters().values()), "the kernel keeps no page_pool statistics", capability="stats")
    lab.send(MEGABYTE, cpu=0)
    with attach(features, Level.LEAN, forced=Rung.FENTRY) as attached:
        source = Live(attached)
        lab.send(MEGABYTE, cpu=1)  # first sight, from which on all is counted
        (before, kernel), (after, now) = unmissed([source], lambda: until_a_waive(source, lab))
    gained = subtract(after.counters, before.counters)
    names = [f"rx_pp_alloc_{name}" for name in ("refill", "empty", "waive", "slow")]
    assert refills(gained) == tuple(now[name] - kernel[name] for name in names)
    assert now["rx_pp_alloc_waive"] > kernel["rx_pp_alloc_waive"]


def until_a_waive(source: Live, lab: VethLab) -> tuple[Pair, Pair]:
    """What the receiver's pool had counted before and after traffic that met a page of another node."""
    before = settled(lambda: receiver(source, lab))
    for cpu in ROUNDS * TRIES:
        lab.send(MEGABYTE, cpu=cpu)
        if receiver(source, lab)[1]["rx_pp_alloc_waive"] > before[1]["rx_pp_alloc_waive"]:
            break
    return before, settled(lambda: receiver(source, lab))


def receiver(source: Live, lab: VethLab) -> Pair:
    """Its pool alone: level lean sees the sender's only once that refills, which it may not have to."""
    return pool_of(source.read(), lab.receiver), lab.kernel_counters()[lab.receiver.device]


def refills(counters: Counters) -> tuple[int, int, int, int]:
    """Refills that gave pages, that found the ring empty, mismatches, slow refills."""
    batches, misses = counters["refill_batch_pages"], counters["refill_misses"]
    assert isinstance(batches, Histogram) and isinstance(misses, Mapping)
    mismatches, slow = (total(counters[name]) for name in ("numa_mismatch_pages", "slow_refills"))
    return batches.filled, misses[("ring_empty",)], mismatches, slow


def test_reasons_are_told_apart(observe: Observe, rung: Rung) -> None:
    """Bulk TCP overflows the ring of 256; spliced pages come back while the pipe still holds them."""
    sample, _ = observe(Level.STANDARD, rung)["ppv1"]
    reasons = by_reason(sample)
    assert reasons["ring_full"] > 0
    assert reasons["referenced"] > 0
    assert sum(reasons.values()) == total(sample.counters["pages_returned"])


@pytest.mark.parametrize("level", list(Level))
def test_a_sender_that_moves_makes_mismatches(
    observe: Observe, rung: Rung, level: Level, features: Features, require: Callable[..., None]
) -> None:
    require(features.nodes > 1, "one NUMA node", capability="numa")
    assert sum(total(sample.counters["numa_mismatch_pages"]) for sample, _ in observe(level, rung).values()) > 0


def test_mismatches_know_both_nodes(
    observe: Observe, rung: Rung, features: Features, require: Callable[..., None]
) -> None:
    require(features.nodes > 1, "one NUMA node", capability="numa")
    cells: dict[tuple[str, ...], int] = {}
    for sample, _ in observe(Level.STANDARD, rung).values():
        for nodes, pages in mismatches_of(sample).items():
            cells[nodes] = cells.get(nodes, 0) + pages
    assert cells.keys() == BOTH_WAYS
    assert all(cells.values())


def test_a_pool_knows_its_device(lab: VethLab, start: Start) -> None:
    source = start()
    lab.send(MEGABYTE, cpu=0)
    pool = pool_of(source.read(), lab.receiver).pool
    assert (pool.netdev, pool.driver, pool.nid) == (lab.receiver.device, "veth", -1)


def test_ended_pools_keep_their_counts(start: Start) -> None:
    source = start()
    with VethLab(receiver_cpu=0) as lab:
        lab.send(MEGABYTE, cpu=0)
        held = total(pool_of(source.read(), lab.receiver).counters["pages_held"])
        receiver = lab.receiver
    ended = {
        (sample.pool.netns, sample.pool.ifindex): sample for sample in source.read().pools if sample.pool.id == "ended"
    }
    counters = ended[receiver.netns, receiver.ifindex].counters
    assert total(counters["pages_held"]) == total(counters["pages_returned"]) >= held > 0
