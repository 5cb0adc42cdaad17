"""Writes docs/schema/snapshot.json, the JSON Schema of a snapshot, from the values that a snapshot is made of.

.venv/bin/python scripts/snapshot_schema.py
"""

from __future__ import annotations

import json
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

from ppobserve.model.cost import Cost
from ppobserve.model.document import REMOTE, SCHEMA
from ppobserve.model.metrics import INFO_METRICS, POOL_METRICS, TABLE, Metric
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import BOUNDS
from ppobserve.model.snapshot import HookState, Pool, Tables

PAGE = Path(__file__).parent.parent / "docs" / "schema" / "snapshot.json"
LATER = frozenset({"costs", "hooks", "levels_below", "netns_unreadable", "uptime"})
COUNT = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}
TYPES = {
    int: {"type": "integer"},
    float: {"type": "number"},
    str: TEXT,
    bool: {"type": "boolean"},
    tuple[str, ...]: {"type": "array", "items": TEXT},
}


def schema() -> dict[str, Any]:
    """What ``top --json`` prints a line, ``/snapshot`` answers, and a recording keeps."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ppobserve snapshot",
        "description": "Every page_pool of a host at one moment. Counters count since the programs were attached.",
        **record(
            {
                "schema": {"const": SCHEMA},
                "time": {"type": "number", "description": "seconds since the epoch"},
                "uptime": {"type": "number", "description": "seconds since the host was started, asleep or not"},
                "host": TEXT,
                "kernel": TEXT,
                "plan": plan(),
                "tables": record({field.name: COUNT for field in fields(Tables)}),
                "audit": {**mapping(COUNT), "description": TABLE["audit_divergence"].help},
                "pools": {"type": "array", "items": pool()},
                "costs": {**mapping(record(dataclass(Cost))), "description": TABLE["bpf_seconds"].help},
                "levels_below": COUNT,
                "hooks": mapping(record({**dataclass(HookState), "missed": COUNT})),
                "netns_unreadable": {**COUNT, "description": TABLE["netns_unreadable"].help},
            },
            later=LATER,
        ),
    }


def record(
    properties: dict[str, Any], *, optional: bool = False, later: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """An object with these properties and no others. Those that came *later* are not in older recordings."""
    required = {} if optional else {"required": [name for name in properties if name not in later]}
    return {"type": "object", "properties": properties, **required, "additionalProperties": False}


def mapping(values: dict[str, Any]) -> dict[str, Any]:
    """An object of any names."""
    return {"type": "object", "additionalProperties": values}


def plan() -> dict[str, Any]:
    """How it is counted."""
    hook = {
        "name": TEXT,
        "rung": choice(Rung),
        "symbol": TEXT,
        "cost_ns": TYPES[int],
        "event": TEXT,
        "because": TYPES[tuple[str, ...]],
        "fix": TEXT,
    }
    hooks = {"type": "array", "items": record(hook)}
    return record({"level": choice(Level), "rung": choice(Rung), "hooks": hooks, "unavailable": mapping(TEXT)})


def pool() -> dict[str, Any]:
    """One pool, or the sum of a device's ended pools."""
    counters = {each.name: counter(each) for each in POOL_METRICS if each.kind != "gauge"}
    known = [each for each in (*POOL_METRICS, *INFO_METRICS) if each.kind == "gauge" and each.name != "pool_info"]
    gauges = {each.name: gauge(each) for each in known}
    return record(
        {**dataclass(Pool), "counters": record(counters, optional=True), "gauges": record(gauges, optional=True)}
    )


def dataclass(kind: type) -> dict[str, Any]:
    """A property for each field."""
    return {name: choice(hint) if hint not in TYPES else TYPES[hint] for name, hint in get_type_hints(kind).items()}


def choice(kind: type[Enum]) -> dict[str, Any]:
    """One of the values of an enum."""
    return {"enum": [member.value for member in kind]}


def counter(metric: Metric) -> dict[str, Any]:
    """A count, nested by its labels; a histogram by the upper bounds of its buckets."""
    if metric.kind == "histogram":
        buckets = record({str(bound): COUNT for bound in BOUNDS})
        return {"description": metric.help, **record({"buckets": buckets, "sum": COUNT})}
    return {"description": metric.help, **nested(metric, COUNT)}


def gauge(metric: Metric) -> dict[str, Any]:
    """A number; pages on another node are nested by labels."""
    number = COUNT if metric.name == REMOTE else {"type": "number"}
    return {"description": metric.help, **nested(metric, number)}


def nested(metric: Metric, value: dict[str, Any]) -> dict[str, Any]:
    """An object for each label, in their order."""
    for label in reversed(metric.labels):
        value = {**mapping(value), "propertyNames": {"description": label}}
    return value


if __name__ == "__main__":
    PAGE.write_text(json.dumps(schema(), indent=2) + "\n")
