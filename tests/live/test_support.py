"""What each rung counts on this kernel, seen to move: written to PPOBSERVE_SUPPORT, for docs/support_matrix.md."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ppobserve.errors import NotObservable
from ppobserve.lab.veth import VethLab
from ppobserve.model.features import Features
from ppobserve.model.metrics import POOL_METRICS, Metric
from ppobserve.model.plan import Level, Plan, Rung, make_plan
from ppobserve.model.series import total
from ppobserve.model.snapshot import Snapshot, delta
from ppobserve.source.live import Live
from tests.live.conftest import Start
from tests.live.traffic import has_frames, moving_frames

# What a metric hangs on, as a plan's ``unavailable`` names it.
REASONS = {"refill_batch_pages": "refill", "refill_misses": "refill", "allocs": "alloc", "recycles": "alloc"}
ONE_NODE = "one NUMA node: nothing is remote"


def test_what_is_counted_here(features: Features, start: Start, require: Callable[..., None]) -> None:
    found = {rung.value: rung_support(features, start, rung) for rung in Rung}
    assert found["tracepoint"]["metrics"]["pages_returned"] in ("yes", "counted")
    if path := os.environ.get("PPOBSERVE_SUPPORT"):
        Path(path).write_text(json.dumps(found))


def rung_support(features: Features, start: Start, rung: Rung) -> dict[str, Any]:
    """{"refused": why or "", "metrics": {metric: "yes", "counted", or why not}}"""
    try:
        plan = make_plan(features, Level.FULL, forced=rung)
    except NotObservable as error:
        return {"refused": error.what, "metrics": {}}
    seen = moved(start(Level.FULL, rung), features)
    return {"refused": "", "metrics": {metric.name: cell(metric, plan, seen, features) for metric in POOL_METRICS}}


def cell(metric: Metric, plan: Plan, seen: Snapshot, features: Features) -> str:
    if not metric.counted_by(plan):
        return plan.unavailable[REASONS[metric.name]]
    if metric.name == "remote_pages" and features.nodes < 2:
        return ONE_NODE
    return "yes" if happened(metric, seen) else "counted"


def happened(metric: Metric, seen: Snapshot) -> bool:
    if metric.name == "remote_pages":
        return any(any(sample.remote.values()) for sample in seen.pools)
    if metric.kind == "gauge":
        return any(sample.gauges.get(metric.name, 0) > 0 for sample in seen.pools)
    return any(total(sample.counters.get(metric.name)) > 0 for sample in seen.pools)


def moved(source: Live, features: Features) -> Snapshot:
    """What all traffic that this kernel can be given made happen; pools read while they are still there."""
    before = source.read()
    if has_frames():
        moving_frames(features)
    with VethLab(receiver_cpu=0) as lab:
        for cpu in (0, 1, 0, 1):
            lab.send(1_000_003, cpu=cpu)
        return delta(source.read(), before)
