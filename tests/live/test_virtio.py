"""The story that this tool exists for, on a real driver: a NIC's interrupt moves to another node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import Counters, Histogram, subtract, total
from ppobserve.model.snapshot import PoolSample
from ppobserve.source.live import Live
from tests.live.conftest import Sources, Start, settled, unmissed
from tests.live.traffic import TRIES
from vmtest.guest import DOWNLOAD_BYTES
from vmtest.nic import DEVICE, SYS, Nic, download, echo, set_up

MOVES = (1, 0, 1, 0)
PAUSE_SECONDS = 0.2


@pytest.fixture(scope="module")
def nic(live: None, require: Callable[..., None]) -> Nic:
    found = set_up()
    require(found, "no virtio NIC with a page_pool", capability="virtio")
    assert found
    return found


def pool_of(source: Live, nic: Nic) -> PoolSample:
    (sample,) = (sample for sample in source.read().pools if sample.pool.id == nic.pool)
    return sample


def quiet(nic: Nic) -> dict[str, int]:
    """The kernel's counters, when they have stopped."""
    return settled(nic.statistics, PAUSE_SECONDS)


Counted = tuple[Mapping[str, int], Mapping[tuple[Level, Rung], Counters]]
"""By the kernel, and by us."""


def both(nic: Nic, sources: Sources) -> Counted:
    """What both sides have counted, when all is quiet."""
    return settled(
        lambda: (nic.statistics(), {key: pool_of(source, nic).counters for key, source in sources.items()}),
        PAUSE_SECONDS,
    )


def test_the_pool_is_known_while_it_is_idle(nic: Nic, start: Start) -> None:
    pool = pool_of(start(), nic).pool
    assert (pool.netdev, pool.driver, pool.ifindex > 0, pool.napi > 0) == ("eth0", "virtio_net", True, True)


@pytest.fixture
def card(nic: Nic) -> Iterator[Path]:
    """Where sysfs says on which node the PCI device above the virtio device is. It can be overridden there."""
    node = (SYS / DEVICE / "device").resolve().parent / "numa_node"
    before = node.read_text()
    yield node
    node.write_text(before)


def nearest_node() -> int:
    """The node of the nearest device above the netdev that has one, as sysfs lists them; -1: none."""
    above = (SYS / DEVICE).resolve().parents
    nodes = [int((device / "numa_node").read_text()) for device in above if (device / "numa_node").exists()]
    return next((node for node in nodes if node >= 0), -1)


def test_the_devices_node_is_that_of_the_nearest_above_it(nic: Nic, card: Path, start: Start) -> None:
    source = start()
    echo(101)  # from its first allocation on the pool is known, with its device
    assert pool_of(source, nic).pool.device_node == nearest_node()
    for node in (1, 0, -1):
        card.write_text(str(node))
        assert pool_of(source, nic).pool.device_node == nearest_node() == node


@dataclass(frozen=True)
class Moves:
    """What both sides counted while the interrupt moved between nodes."""

    kernel: Mapping[str, int]
    gained: Mapping[tuple[Level, Rung], Counters]


@pytest.fixture(scope="module")
def moves(nic: Nic, sources: Sources) -> Moves:
    """Downloads, the interrupt moved before each: once for all programs."""
    echo(101)  # from its first allocation on the pool is known: what was put into its cache before is nobody's
    return unmissed(sources.values(), lambda: moving(nic, sources))


def moving(nic: Nic, sources: Sources) -> Moves:
    """More than once if need be: what is in the ring when the interrupt moves is chance."""
    kernel_before, before = both(nic, sources)
    for _ in range(TRIES):
        for cpu in MOVES:
            nic.consume_on(cpu)
            assert download(cpu) == DOWNLOAD_BYTES
        kernel_after, after = both(nic, sources)
        kernel = {name: count - kernel_before[name] for name, count in kernel_after.items()}
        gained = {key: subtract(after[key], before[key]) for key in sources}
        if kernel["recycle_ring_full"] and met_both_ways(gained[Level.FULL, Rung.TRACEPOINT]):
            break
    return Moves(kernel, gained)


def met_both_ways(gained: Counters) -> bool:
    """Did refills on each node meet pages of the other?"""
    mismatches = gained["numa_mismatch_pages"]
    return isinstance(mismatches, Mapping) and mismatches[("0", "1")] > 0 and mismatches[("1", "0")] > 0


@pytest.mark.parametrize("level", list(Level))
def test_an_interrupt_that_moves_between_nodes(moves: Moves, rung: Rung, level: Level) -> None:
    gained, kernel = moves.gained[level, rung], moves.kernel
    assert ours(gained) == {name: kernel[name] for name in ours(gained)}
    mismatches, returned = gained["numa_mismatch_pages"], gained["pages_returned"]
    assert isinstance(mismatches, Mapping) and isinstance(returned, Mapping)
    assert {wanted for (_, wanted), pages in mismatches.items() if pages} == {"0", "1"}
    at_most_one_a_refill(gained)
    if level is Level.LEAN and rung is not Rung.TRACEPOINT:
        return  # it knows neither a page's node nor why one is returned
    assert met_both_ways(gained)
    assert returned[("ring_full",)] >= kernel["recycle_ring_full"] > 0  # of a bulk, the kernel counts one page


def ours(gained: Counters) -> dict[str, int]:
    """What we counted, under the kernel's names. Of pages that find the ring full in a bulk it counts one."""
    batches, misses = gained.get("refill_batch_pages"), gained.get("refill_misses")
    found = {"alloc_waive": total(gained["numa_mismatch_pages"]), "alloc_slow": total(gained["slow_refills"])}
    if isinstance(batches, Histogram) and isinstance(misses, Mapping):
        found |= {"alloc_refill": batches.filled, "alloc_empty": misses[("ring_empty",)]}
    if isinstance(allocs := gained.get("allocs"), Mapping) and isinstance(recycles := gained["recycles"], Mapping):
        found |= {
            "alloc_fast": allocs[("cache",)],
            "recycle_cached": recycles[("cache",)],
            "recycle_ring": recycles[("ring",)],
        }
    return found


def at_most_one_a_refill(gained: Counters) -> None:
    batches = gained.get("refill_batch_pages")
    if isinstance(batches, Histogram):
        assert total(gained["numa_mismatch_pages"]) <= batches.count


@pytest.mark.parametrize("rung", [Rung.FENTRY.value, Rung.KPROBE.value], indirect=True)
def test_what_the_kernel_cannot_see(nic: Nic, start: Start, rung: Rung) -> None:
    """A consumer that moved goes on with pages of the node it left: they come straight back into its cache, where
    nobody looks at their node. The kernel's waive stays; the walk of the cache finds them."""
    source = start(Level.FULL, rung)
    nic.consume_on(0)
    download(0)
    echo(2_003)
    before = quiet(nic)
    nic.consume_on(1)
    echo(503)
    kernel, sample = quiet(nic), pool_of(source, nic)
    assert kernel["recycle_cached"] > before["recycle_cached"]
    assert kernel["alloc_waive"] == before["alloc_waive"]
    assert sample.remote[("cache", "0", "1")] > 0
    assert sample.remote[("cache", "0", "1")] <= sample.gauges["cache_pages"]
    assert sample.remote[("ring", "0", "1")] == sample.gauges["ring_pages"] > 0  # nothing was taken out of it
