"""A snapshot as the JSON document that ``top --json`` prints and that recordings and other readers use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from ppobserve.errors import UsageError
from ppobserve.model.cost import Cost
from ppobserve.model.metrics import TABLE
from ppobserve.model.plan import Level, Plan, PlannedHook, Rung
from ppobserve.model.series import BOUNDS, Counter, Histogram
from ppobserve.model.snapshot import HookState, Pool, PoolSample, Snapshot, State, Tables

REMOTE = "remote_pages"

SCHEMA = 1
"""Goes up when a reader of the older form would misread the newer one."""


def to_document(snapshot: Snapshot) -> dict[str, Any]:
    """Plain dicts, lists, numbers and strings. Labels become nested keys, in the order of the metric's labels."""
    return {
        "schema": SCHEMA,
        "time": snapshot.time,
        **({} if snapshot.uptime is None else {"uptime": snapshot.uptime}),
        "host": snapshot.host,
        "kernel": snapshot.kernel,
        "plan": plan_document(snapshot.plan),
        "tables": asdict(snapshot.tables),
        "audit": dict(snapshot.audit),
        "costs": {program: asdict(cost) for program, cost in snapshot.costs.items()},
        "levels_below": snapshot.levels_below,
        "hooks": {name: asdict(hook) for name, hook in snapshot.hooks.items()},
        "netns_unreadable": snapshot.netns_unreadable,
        "pools": [_pool_document(sample) for sample in snapshot.pools],
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan: level, rung, and every hook with its cost and the reasons against a better rung."""
    hooks = [_hook_document(hook) for hook in plan.hooks]
    return {"level": plan.level.value, "rung": plan.rung.value, "hooks": hooks, "unavailable": dict(plan.unavailable)}


def _hook_document(hook: PlannedHook) -> dict[str, Any]:
    return {
        "name": str(hook.name),
        "rung": hook.rung.value,
        "symbol": hook.symbol,
        "cost_ns": hook.cost_ns,
        "event": hook.event,
        "because": list(hook.because),
        "fix": hook.fix,
    }


def _pool_document(sample: PoolSample) -> dict[str, Any]:
    counters = {name: _counter_document(counter) for name, counter in sample.counters.items()}
    return {
        **asdict(sample.pool),
        "state": sample.pool.state.value,
        "counters": counters,
        "gauges": {**sample.gauges, **({REMOTE: _counter_document(sample.remote)} if sample.remote else {})},
    }


def _counter_document(counter: Counter) -> Any:
    if isinstance(counter, Histogram):
        return {"buckets": dict(zip(map(str, BOUNDS), counter.buckets, strict=True)), "sum": counter.sum}
    document: dict[str, Any] = {}
    for labels, value in counter.items():
        if not labels:
            return value
        inner = document
        for label in labels[:-1]:
            inner = inner.setdefault(label, {})
        inner[labels[-1]] = value
    return document


def from_document(document: Mapping[str, Any]) -> Snapshot:
    """The snapshot back from its document; UsageError for one that this version can't read."""
    if document.get("schema") != SCHEMA:
        raise UsageError(
            f"cannot read a document of schema {document.get('schema')}",
            because=f"this ppobserve reads schema {SCHEMA}",
            fix="a ppobserve of the version that wrote it",
        )
    try:
        return Snapshot(
            time=document["time"],
            host=document["host"],
            kernel=document["kernel"],
            plan=_plan(document["plan"]),
            tables=Tables(**document["tables"]),
            audit=document["audit"],
            costs={program: Cost(**cost) for program, cost in document.get("costs", {}).items()},
            levels_below=document.get("levels_below", 0),
            hooks={name: HookState(**hook) for name, hook in document.get("hooks", {}).items()},
            netns_unreadable=document.get("netns_unreadable", 0),
            uptime=float(document["uptime"]) if "uptime" in document else None,
            pools=tuple(map(_sample, document["pools"])),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"cannot read the document: {type(error).__name__}: {error}") from None


def _plan(document: Mapping[str, Any]) -> Plan:
    hooks = tuple(map(_hook, document["hooks"]))
    return Plan(Level(document["level"]), Rung(document["rung"]), hooks, document["unavailable"])


def _hook(document: Mapping[str, Any]) -> PlannedHook:
    return PlannedHook(
        name=document["name"],
        rung=Rung(document["rung"]),
        symbols=tuple(document["symbol"].split(",")),
        cost_ns=document["cost_ns"],
        event=document["event"],
        because=tuple(document["because"]),
        fix=document["fix"],
    )


def _sample(document: Mapping[str, Any]) -> PoolSample:
    counters = {name: _counter(name, value) for name, value in document["counters"].items()}
    # What a pool was not asked for when this was written is left at its default.
    known = {field.name: document[field.name] for field in fields(Pool) if field.name in document}
    pool = Pool(**known | {"state": State(document["state"])})
    gauges = {name: value for name, value in document["gauges"].items() if name != REMOTE}
    remote = dict(_flat(document["gauges"].get(REMOTE, {}), len(TABLE[REMOTE].labels)))
    return PoolSample(pool, counters, gauges, remote)


def _counter(name: str, document: Any) -> Counter:
    if TABLE[name].kind == "histogram":
        return Histogram(tuple(document["buckets"][str(bound)] for bound in BOUNDS), document["sum"])
    return dict(_flat(document, len(TABLE[name].labels)))


def _flat(document: Any, depth: int) -> Iterable[tuple[tuple[str, ...], int]]:
    """Label tuples and values of a nest *depth* labels deep."""
    if not depth:
        yield (), document
        return
    for label, inner in document.items():
        for rest, value in _flat(inner, depth - 1):
            yield (label, *rest), value
