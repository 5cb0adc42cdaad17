"""What each rung counts on this kernel, seen to move: written to PPOBSERVE_SUPPORT, for docs/support_matrix.md."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ppobserve.errors import NotObservable
from ppobserve.lab.veth import VethLab
from ppobserve.model.features import Features
from ppobserve.model.hooks import Hook
from ppobserve.model.metrics import POOL_METRICS, Metric
from ppobserve.model.plan import Level, Plan, Rung, make_plan
from ppobserve.model.series import total
from ppobserve.model.snapshot import Pool, Snapshot, delta
from ppobserve.probe.abi import RETURNS
from ppobserve.probe.audit import IN_A_ROW
from ppobserve.source.live import Live
from tests import support
from tests.live.conftest import SECONDS, Start, eventually, hooks_of, missed, of_device, unmissed
from tests.live.traffic import has_frames, moving_frames
from vmtest.nic import echo, set_up

# What a metric hangs on, as a plan's ``unavailable`` names it.
REASONS = {"refill_batch_pages": "refill", "refill_misses": "refill", "allocs": "alloc", "recycles": "alloc"}
ONE_NODE = "one NUMA node: nothing is remote"
NO_STATISTICS = "the kernel keeps no page_pool statistics to compare with"
PAGES_ONLY = "this kernel's pools have nothing but pages, for which there is a reason"
# What the kernel must have in its structs to fill in a label, and what it means when it has not.
LABELS = {
    "pool": ("PP_USER_ID", "the kernel gives its pools no id: the label is a name of our own"),
    "napi": ("PP_NAPI", "the kernel's pools do not know their NAPI instance"),
    "queue": ("PP_QUEUE", "the kernel's pools do not know their queue"),
}
PARKED = 30_011


@dataclass(frozen=True)
class Seen:
    """What all traffic that this kernel can be given made happen."""

    gained: Snapshot
    """Read while the pools were still there."""
    later: Snapshot
    """When a pool was detached, with pages out, where this kernel can be brought to that; the audit is sure by then."""


@pytest.mark.usefixtures("own_turn")
def test_what_is_counted_here(features: Features, start: Start, require: Callable[..., None]) -> None:
    sources = {rung: start(Level.FULL, rung) for rung in Rung if not refusal(features, rung)}
    seen = unmissed(sources.values(), lambda: moved(sources, features))
    found = {rung.value: rung_support(features, rung, seen.get(rung)) for rung in Rung}
    assert found["tracepoint"]["metrics"]["pages_returned"] in ("yes", "counted")
    assert all(set(cell["metrics"]) == set(() if cell["refused"] else support.ROWS) for cell in found.values())
    if path := os.environ.get("PPOBSERVE_SUPPORT"):
        Path(path).write_text(json.dumps({"kernel": this_kernel(), "rungs": found}))


def this_kernel() -> str:
    """Debian's version of the package, as its kernels have it in uname -v, or the release."""
    debian = re.search(r"Debian \S+", platform.version())
    return debian.group() if debian else platform.release()


def refusal(features: Features, rung: Rung) -> str:
    """Why this kernel refuses a rung; empty when it does not."""
    try:
        make_plan(features, Level.FULL, forced=rung)
    except NotObservable as error:
        return error.what
    return ""


def rung_support(features: Features, rung: Rung, seen: Seen | None) -> dict[str, Any]:
    """{"refused": why or "", "metrics": {row: "yes", "counted", or why not}}"""
    if not seen:
        return {"refused": refusal(features, rung), "metrics": {}}
    plan = make_plan(features, Level.FULL, forced=rung)
    metrics = {metric.name: cell(metric, plan, seen.gained, features) for metric in POOL_METRICS}
    return {"refused": "", "metrics": metrics | dict(details(plan, seen, features))}


def cell(metric: Metric, plan: Plan, seen: Snapshot, features: Features) -> str:
    if not metric.counted_by(plan):
        return plan.unavailable[REASONS[metric.name]]
    if metric.name == "remote_pages" and features.nodes < 2:
        return ONE_NODE
    return mark(happened(metric, seen))


def mark(happened: bool) -> str:
    return "yes" if happened else "counted"


def happened(metric: Metric, seen: Snapshot) -> bool:
    if metric.name == "remote_pages":
        return any(any(sample.remote.values()) for sample in seen.pools)
    if metric.kind == "gauge":
        return any(sample.gauges.get(metric.name, 0) > 0 for sample in seen.pools)
    return any(total(sample.counters.get(metric.name)) > 0 for sample in seen.pools)


def details(plan: Plan, seen: Seen, features: Features) -> Iterator[tuple[str, str]]:
    """Rows that say more of a metric, or of one that only some pools have."""
    for reason in RETURNS:
        yield support.of_reason(reason), not_told(reason, plan, features) or mark(returned(reason, seen.gained))
    detached = [sample.gauges.get("pool_detached_seconds", 0) > 0 for sample in seen.later.pools]
    yield "pool_detached_seconds", mark(any(detached))
    for label, (offset, why_not) in LABELS.items():
        filled = any(map(FILLED_IN[label], (sample.pool for sample in seen.gained.pools)))
        yield support.of_label(label), mark(filled) if offset in features.offsets else why_not
    yield "audit_divergence", "yes" if seen.later.audit else NO_STATISTICS


FILLED_IN: Mapping[str, Callable[[Pool], bool]] = {
    "pool": lambda pool: pool.id.isdecimal(),
    "napi": lambda pool: pool.napi > 0,
    "queue": lambda pool: pool.queue >= 0,
}


def not_told(reason: str, plan: Plan, features: Features) -> str:
    """Why returns for this reason cannot be told from others here; empty when they can."""
    if reason == "nid_update" and not plan.has(Hook.UPDATE_NID) and plan.rung is not Rung.TRACEPOINT:
        return "the kernel has no tracepoint page_pool_update_nid"
    if reason == "other" and "PP_PROVIDER" not in features.offsets:
        return PAGES_ONLY
    return plan.unavailable.get(reason, "")


def returned(reason: str, seen: Snapshot) -> bool:
    counters = (sample.counters["pages_returned"] for sample in seen.pools)
    return any(isinstance(each, Mapping) and each.get((reason,), 0) > 0 for each in counters)


def moved(sources: Mapping[Rung, Live], features: Features) -> dict[Rung, Seen]:
    """All of that traffic, once, seen by every rung."""
    before = {rung: source.read() for rung, source in sources.items()}
    if has_frames():
        moving_frames(features)
    if set_up():
        echo(101)  # a real driver's pool knows its NAPI instance
    with VethLab(receiver_cpu=0) as lab:
        for cpu in (0, 1, 0, 1):
            lab.send(1_000_003, cpu=cpu)
        lab.send(1_000_003, cpu=0, splice=True)
        gained = {rung: delta(source.read(), before[rung]) for rung, source in sources.items()}
        parked = any(of_device(each, lab.receiver) for each in gained.values())
        if parked:
            lab.park(PARKED, cpu=0)
            lab.destroy_pools()
        later = {rung: judged(source) for rung, source in sources.items()}
        if parked:
            lab.read_parked(PARKED)
        # Its end, up to a second later, is no event of the next test.
        assert eventually(lambda: all(not of_device(each.read(), lab.receiver) for each in sources.values()), SECONDS)
    return {rung: Seen(gained[rung], later[rung]) for rung in sources}


def judged(source: Live) -> Snapshot:
    """Read often enough for the audit to be sure, which finds no more than the kernel skipped."""
    snapshot = [source.read() for _ in range(IN_A_ROW)][-1]
    apart = snapshot.audit
    assert all(count <= missed(source) for count in apart.values()), (apart, hooks_of(source))
    return snapshot
