"""What is wrong, in plain words: rules, each a function of a span, and what they find, the worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from ppobserve.model.finding import Finding, Severity, named
from ppobserve.model.numa import numa_mismatches, remote_pages
from ppobserve.model.series import BOUNDS, total
from ppobserve.model.snapshot import PoolSample, State
from ppobserve.model.span import Device, Span, labelled

RING_SHARE, RING_PAGES = 0.2, 100.0
"""Of returns because the ring was full, and pages a second."""
LEAK_PAGES, LEAK_SECONDS = 128, 30.0
"""By which a leaking pool grows at least: as much as a cache holds. And how long one has to look."""
ZOMBIE_SECONDS = 60.0
"""When the kernel itself begins to warn of a stalled shutdown (DEFER_WARN_INTERVAL)."""
REFILL_PAGES = BOUNDS[-1]
PAGE_KIB = 4


def findings(span: Span) -> tuple[Finding, ...]:
    """Everything that the rules find, the worst first; and that all is well where nothing is worse than a notice."""
    found = [each for rule in RULES for each in rule(span)]
    if all(each.severity < Severity.WARNING for each in found):
        found.insert(0, _healthy(span))
    return tuple(sorted(found, key=lambda each: -max(each.severity, Severity.NOTICE)))


def ring_full(span: Span) -> Iterator[Finding]:
    """Devices that gave pages back, which could have been used again, because the ring had no room."""
    for device in span.devices():
        returned = device.counters.get("pages_returned")
        lost = labelled(returned).get(("ring_full",), 0)
        rate, share = lost / max(span.seconds, 1e-9), lost / max(total(returned), 1)
        if rate >= RING_PAGES and share >= RING_SHARE:
            yield _ring_full(device, lost, rate, share)


def _ring_full(device: Device, lost: int, rate: float, share: float) -> Finding:
    said = (
        f"{device.name} gave {lost:,} pages back because its ring was full: {rate:,.0f} a second, {share:.0%} of all "
        "that it gave back."
    )
    todo = (
        "Make the device's receive ring larger (ethtool -g shows it, -G sets it): drivers size the pool's ring by it. "
        "Or spread what comes over more queues, so that bursts are smaller."
    )
    severity = Severity.WARNING
    if lost <= 1.1 * REFILL_PAGES * total(device.counters.get("numa_mismatch_pages")):
        said += f" Its refills took {REFILL_PAGES} new pages for each one on the wrong node, which the ring can't hold."
        severity, todo = Severity.NOTICE, "It follows from the NUMA mismatches: mend them first."
    evidence = {"ring_full_pages": lost, "pages_per_second": rate, "share_of_returns": share}
    return Finding("ring_full", severity, device.name, said, evidence, todo)


def leaks(span: Span) -> Iterator[Finding]:
    """Live pools whose pages in flight go up and never down again."""
    for key, sample in span.pools.items():
        values = [row.inflight for each in span.moments if (row := each.rows.get(key)) and row.inflight is not None]
        grown = climb(values)
        if grown >= LEAK_PAGES and span.seconds >= LEAK_SECONDS and sample.pool.state is State.LIVE:
            yield _leak(sample, grown, grown / span.seconds)


def _leak(sample: PoolSample, grown: int, rate: float) -> Finding:
    pages = sample.gauges["inflight_pages"]
    return Finding(
        "leak",
        Severity.WARNING,
        named(sample),
        f"{named(sample)} has {pages:,.0f} pages in flight, {grown:,} more than at the beginning, and it only went up: "
        f"{rate:,.1f} pages ({rate * PAGE_KIB:,.0f} KiB) a second. That is a leak, or a queue that fills.",
        {"inflight_pages": pages, "grown_pages": grown, "pages_per_second": rate},
        "Look for sockets with unread data (ss -tm). If there are none, the pages were leaked.",
    )


def climb(values: Sequence[int], parts: int = 4) -> int:
    """By how much values grew each of whose quarters is above all of the one before it; 0 for any others."""
    size = len(values) // parts
    quarters = [values[size * part : size * (part + 1)] for part in range(parts)]
    climbs = size > 1 and all(min(later) > max(earlier) for earlier, later in pairwise(quarters))
    return values[-1] - values[0] if climbs else 0


def zombies(span: Span) -> Iterator[Finding]:
    """Pools that their driver destroyed and that waited for pages, or still do."""
    present = {sample.pool.key for sample in span.last.pools}
    for key, sample in span.pools.items():
        if sample.pool.state is State.DETACHED and "pool_detached_seconds" in sample.gauges:
            yield _zombie(sample, sample.gauges["pool_detached_seconds"], gone=key not in present)


def _zombie(sample: PoolSample, seconds: float, *, gone: bool) -> Finding:
    pages = sample.gauges.get("inflight_pages", 0.0)
    long = seconds >= ZOMBIE_SECONDS
    said = f"{named(sample)} was destroyed by its driver, and {pages:,.0f} pages ({pages * PAGE_KIB:,.0f} KiB)"
    said += (
        f" kept it alive for {seconds:.0f} s; then it ended." if gone else f" have kept it alive for {seconds:.0f} s."
    )
    return Finding(
        "zombie",
        Severity.WARNING if long and not gone else Severity.NOTICE,
        named(sample),
        said,
        {"detached_seconds": seconds, "inflight_pages": pages},
        "Look for sockets that don't read what has come (ss -tm): their buffers are pages of the pool.",
    )


def negative_inflight(span: Span) -> Iterator[Finding]:
    """Pools that got more pages back than they took."""
    for sample in span.pools.values():
        pages = sample.gauges.get("inflight_pages", 0.0)
        if pages < 0:
            said = f"{named(sample)} got {-pages:,.0f} pages more back than it took: some were returned twice."
            todo = "This is a bug in the driver or in code that returns its pages. Report it with this recording."
            evidence = {"inflight_pages": pages}
            yield Finding("negative_inflight", Severity.CRITICAL, named(sample), said, evidence, todo)


def not_counted(span: Span) -> Iterator[Finding]:
    """What found no room in our own tables."""
    pools, events = span.last.tables.pools_dropped, span.last.tables.slots_dropped
    if pools or events:
        said = f"Counts are too low: {pools} pools and {events} events found no room in ppobserve's tables."
        todo = "Report it, with this recording: the tables should be larger."
        evidence = {"pools_dropped": pools, "events_dropped": events}
        yield Finding("not_counted", Severity.WARNING, "", said, evidence, todo)


def disagreement(span: Span) -> Iterator[Finding]:
    """Events that only one of the kernel and us has counted, where nothing explains it."""
    apart = {name: events for name, events in span.last.audit.items() if events}
    if apart and not any(not_counted(span)):
        said = f"ppobserve and the kernel count differently: {', '.join(f'{n} by {e}' for n, e in apart.items())}."
        yield Finding(
            "audit", Severity.WARNING, "", said, apart, "Report it, with this recording: one of both is wrong."
        )


RULES: tuple[Callable[[Span], Iterator[Finding]], ...] = (
    numa_mismatches,
    remote_pages,
    negative_inflight,
    leaks,
    zombies,
    ring_full,
    not_counted,
    disagreement,
)


def _healthy(span: Span) -> Finding:
    counters, seconds = span.counters(), span.seconds
    evidence = {"seconds": seconds, **{name: total(counters.get(name)) for name in _USE}}
    if not any(evidence[name] for name in _USE):
        return Finding(
            "idle", Severity.NOTICE, "", "No pool was used in this time: there is nothing to judge.", evidence
        )
    pools = sum(sample.pool.state is not State.ENDED for sample in span.pools.values())
    which = "the one pool" if pools == 1 else f"any of {pools} pools"
    said = (
        f"Nothing is wrong with {which} in {seconds:.0f} s: no page on the wrong node that matters, no leak, no zombie."
    )
    return Finding("healthy", Severity.GOOD, "", said, evidence)


_USE = ("refill_batch_pages", "slow_refills", "pages_held", "pages_returned")
