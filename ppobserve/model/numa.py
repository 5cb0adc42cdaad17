"""Findings about traffic between NUMA nodes: pages that refills drop, and pages that are used all the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from ppobserve.model.finding import Finding, Severity
from ppobserve.model.recording import clock
from ppobserve.model.span import Device, Span, labelled

STORM_SHARE, SOME_SHARE = 0.1, 0.01
"""Of refills that ended at a page on the wrong node. A refill ends there, and takes 64 new pages instead."""
STORM_PAGES, SOME_PAGES = 50.0, 5.0
"""Of mismatches a second, below which a share says little: refills are few then."""
STORM_ALONE, SOME_ALONE = 1000.0, 10.0
"""The same where refills are not counted, so that there is no share."""
REMOTE_SHARE, REMOTE_PAGES = 0.5, 64
"""Of the pages that wait in cache and ring, and how many have to wait for that to mean something."""
BOTH_WAYS = 0.1
"""Of the mismatches with another wanted node than most: a consumer that moves."""


def numa_mismatches(span: Span) -> Iterator[Finding]:
    """Devices whose refills met pages on another node than the wanted one."""
    for device in span.devices():
        nodes = {key: count for key, count in labelled(device.counters.get("numa_mismatch_pages")).items() if count}
        if nodes:
            yield _mismatches(device, nodes, _worst(span, device))


@dataclass(frozen=True)
class _Worst:
    """The tenth of a span with the most mismatches: rates a second; None where refills are not counted."""

    position: float
    mismatches: float
    refills: float | None

    @property
    def share(self) -> float | None:
        """Of refills that ended at a page on the wrong node; one is dropped by each of them."""
        return min(self.mismatches / self.refills, 1.0) if self.refills else None

    @property
    def severity(self) -> Severity:
        share = self.share
        if share is None:
            storm, some = self.mismatches >= STORM_ALONE, self.mismatches >= SOME_ALONE
        else:
            storm = share >= STORM_SHARE and self.mismatches >= STORM_PAGES
            some = share >= SOME_SHARE and self.mismatches >= SOME_PAGES
        return Severity.CRITICAL if storm else Severity.WARNING if some else Severity.NOTICE


def _worst(span: Span, device: Device) -> _Worst:
    mismatches, refills = (device.values(span.moments, quantity) for quantity in ("mismatches", "refills"))
    width = max(len(mismatches) // 10, 1)
    begins = range(max(len(mismatches) - width + 1, 1))
    begin = max(begins, key=lambda at: _mean(mismatches[at : at + width]) or 0.0)
    position = span.moments[begin].position if span.moments else 0.0
    return _Worst(position, _mean(mismatches[begin : begin + width]) or 0.0, _mean(refills[begin : begin + width]))


def _round(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _mismatches(device: Device, nodes: Mapping[tuple[str, ...], int], worst: _Worst) -> Finding:
    page_node, wanted_node = max(nodes, key=lambda key: nodes[key])
    pages, share = sum(nodes.values()), worst.share
    ended = "" if share is None else f", and {share:.0%} of its refills ended so"
    return Finding(
        "numa_mismatch",
        worst.severity,
        device.name,
        f"{device.name} dropped {pages:,} pages for being on the wrong NUMA node, most of them on node {page_node} "
        f"while node {wanted_node} was wanted. At its worst, at {clock(worst.position)}, it was "
        f"{_round(worst.mismatches)} pages a second{ended}.",
        {
            "mismatch_pages": pages,
            "worst_pages_per_second": worst.mismatches,
            "worst_at_seconds": worst.position,
            **({} if share is None else {"worst_share_of_refills": share}),
        },
        _mismatch_todo(device, nodes),
        far=True,
    )


def _mismatch_todo(device: Device, nodes: Mapping[tuple[str, ...], int]) -> str:
    wanted: dict[str, int] = {}
    for (_, node), count in nodes.items():
        wanted[node] = wanted.get(node, 0) + count
    most = max(wanted, key=lambda node: wanted[node])
    keep = (
        "keep the device's interrupts (look at irqbalance), its NAPI threads and the local programs that send to it on "
        "CPUs of one node, best the device's own."
    )
    if (fixed := {str(pool.nid) for pool in device.pools}) == set(wanted):
        made_for = f"node{'s' * (len(fixed) > 1)} {' and '.join(sorted(fixed))}"
        return f"The driver made the device's pools for {made_for}, and pages come from another: {keep}"
    if sum(wanted.values()) - wanted[most] >= BOTH_WAYS * sum(wanted.values()):
        return f"The consumer moves between nodes: {keep}"
    return f"The consumer runs on node {most}, and the pages were taken on another: {keep}"


def remote_pages(span: Span) -> Iterator[Finding]:
    """Devices that go on using pages on another node than their consumer's, which no refill drops."""
    for device in span.devices():
        remote, cache, ring = (device.values(span.moments, each) for each in ("remote", "cache", "ring"))
        waiting = ((far or 0, (near or 0) + (more or 0)) for far, near, more in zip(remote, cache, ring, strict=True))
        shares = [far / pages for far, pages in waiting if pages >= REMOTE_PAGES]
        if shares and median(shares) >= REMOTE_SHARE:
            yield _remote(device.name, median(shares), max(filter(None, remote)))


def _remote(device: str, share: float, pages: float) -> Finding:
    return Finding(
        "remote_pages",
        Severity.WARNING,
        device,
        f"{device} keeps {share:.0%} of its waiting pages on another NUMA node than the CPU that consumes them, up to "
        f"{pages:,.0f} pages. Refills don't drop these, so no counter of the kernel's shows them: each is read across "
        "nodes.",
        {"median_share_of_waiting_pages": share, "most_remote_pages": pages},
        "Move the consumer (the device's interrupts, its NAPI threads) to the pages' node; or take the device down and "
        "up again, so that the driver recreates its pools for the node where they are consumed.",
        far=True,
    )
