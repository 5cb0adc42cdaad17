"""What ``/metrics`` says of one device, and what the kernel says of it: plain values, compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from ppobserve.model.metrics import TABLE

BATCHES, MISSES, MISMATCHES, SLOW, RETURNED, HELD = (
    TABLE[name].full_name
    for name in (
        "refill_batch_pages",
        "refill_misses",
        "numa_mismatch_pages",
        "slow_refills",
        "pages_returned",
        "pages_held",
    )
)
KERNEL_PREFIX = "rx_pp_"
"""Before the kernel's names in ``ethtool -S`` (net/core/page_pool.c, pp_stats)."""


RACED = 2
"""The kernel looks at a page when it is put, ppobserve when it leaves: between the two, its holder may let go of it.
tests/live/test_counts.py has the same bound."""


@dataclass(frozen=True)
class Series:
    """One line of ``/metrics``."""

    name: str
    labels: Mapping[str, str]
    value: int


@dataclass(frozen=True)
class Pair:
    """A counter of ppobserve and the kernel's own for the same events. None: not counted here."""

    metric: str
    ours: int | None
    kernel_name: str
    kernel: int | None
    slack: int = 0
    """Events by which both may differ and be right."""

    @property
    def apart(self) -> int:
        """By how much both differ; 0 if one does not count."""
        return 0 if self.ours is None or self.kernel is None else abs(self.ours - self.kernel)

    @property
    def is_wrong(self) -> bool:
        """True if one of both must have counted wrongly."""
        return self.apart > self.slack


def series_of(exposition: str, device: str, netns: int) -> list[Series]:
    """The lines about *device* of the network namespace *netns*."""
    whose = {"netdev": device, "netns": str(netns)}
    return [
        Series(sample.name, sample.labels, int(sample.value))
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if whose.items() <= sample.labels.items()
    ]


def total(series: Iterable[Series], name: str, **labels: str) -> int | None:
    """The sum of the lines *name* with these labels; None if there is none."""
    found = [each.value for each in series if each.name == name and labels.items() <= each.labels.items()]
    return sum(found) if found else None


def mismatches_by_node(series: Iterable[Series]) -> dict[tuple[str, str], int]:
    """Pages dropped at refill by (page node, wanted node)."""
    cells: dict[tuple[str, str], int] = {}
    for each in series:
        if each.name == MISMATCHES:
            key = each.labels["page_node"], each.labels["wanted_node"]
            cells[key] = cells.get(key, 0) + each.value
    return cells


def pairs(series: list[Series], kernel: Mapping[str, int]) -> list[Pair]:
    """Each event that both count, by both names. *kernel* is empty without CONFIG_PAGE_POOL_STATS."""
    ours = {
        (f'{BATCHES}_count less le="0"', "alloc_refill"): _filled(series),
        (f'{MISSES}{{cause="ring_empty"}}', "alloc_empty"): total(series, MISSES, cause="ring_empty"),
        (MISMATCHES, "alloc_waive"): total(series, MISMATCHES),
        (SLOW, "alloc_slow"): total(series, SLOW),
        (f'{RETURNED}{{reason="ring_full"}}', "recycle_ring_full"): total(series, RETURNED, reason="ring_full"),
    }
    return [
        Pair(metric, count, name, kernel.get(KERNEL_PREFIX + name), RACED if name == "recycle_ring_full" else 0)
        for (metric, name), count in ours.items()
    ]


def _filled(series: list[Series]) -> int | None:
    """Refills that got a page; the kernel counts no others."""
    refills, empty = total(series, f"{BATCHES}_count"), total(series, f"{BATCHES}_bucket", le="0.0")
    return None if refills is None or empty is None else refills - empty


def parse_ethtool(text: str) -> dict[str, int]:
    """The page_pool counters in what ``ethtool -S DEVICE`` prints."""
    lines = (line.strip().partition(": ") for line in text.splitlines())
    return {name: int(value) for name, _, value in lines if name.startswith(KERNEL_PREFIX)}
