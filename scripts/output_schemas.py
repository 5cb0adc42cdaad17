"""Writes docs/schema/pools.json and trace.json, the JSON Schemas of what ``pools --json`` and ``trace --json`` print,
from the values that these are made of.

.venv/bin/python scripts/output_schemas.py
"""

from __future__ import annotations

import json
from typing import Any, get_type_hints

from ppobserve.model import inventory, trace
from ppobserve.model.inventory import UNKNOWN_UNTIL_USED, Known
from ppobserve.model.metrics import TABLE
from ppobserve.model.plan import Rung
from ppobserve.model.snapshot import Pool
from ppobserve.model.trace import Event, Kind
from ppobserve.probe.abi import RETURNS
from scripts.snapshot_schema import COUNT, PAGE, TEXT, TYPES, choice, mapping, record

FOLDER = PAGE.parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TEXTS = {"type": "array", "items": TEXT}
STATES = ("live", "idle", "detached")
LEFT_OUT = frozenset({"comm", "netdev", "page_node", "wanted_node", "reason", "pages", "stack"})
"""What an event may have no word for."""


def schemas() -> dict[str, dict[str, Any]]:
    """Each by its file's name."""
    return {"pools.json": pools(), "trace.json": events()}


def pools() -> dict[str, Any]:
    """The one document of ``pools --json``."""
    return {
        "$schema": DIALECT,
        "title": "ppobserve pools",
        "description": "Every page_pool that there is on a host. null: not known.",
        **record(
            {
                "schema": {"const": inventory.SCHEMA},
                "time": {"type": "number", "description": "seconds since the epoch"},
                "host": TEXT,
                "kernel": TEXT,
                "netns_unreadable": {**COUNT, "description": TABLE["netns_unreadable"].help},
                "pools": {"type": "array", "items": pool()},
            }
        ),
    }


def pool() -> dict[str, Any]:
    """Who it is, where null stands for what only its first use tells, and how it stands."""
    identity = {
        name: or_null(TYPES[hint]) if name in UNKNOWN_UNTIL_USED else TYPES[hint]
        for name, hint in get_type_hints(Pool).items()
        if name != "state"
    }
    now = {name: or_null(TYPES[int]) for name, hint in get_type_hints(Known).items() if hint == int | None}
    seconds = {"detached_seconds": or_null({"type": "number", "minimum": 0})}
    return record({**identity, "state": {"enum": list(STATES)}, "used": {"type": "boolean"}, **now, **seconds})


def or_null(kind: dict[str, Any]) -> dict[str, Any]:
    """The same, or null."""
    return {**kind, "type": [kind["type"], "null"]}


def events() -> dict[str, Any]:
    """A line of ``trace --json``."""
    return {
        "$schema": DIALECT,
        "title": "ppobserve trace",
        "description": "A line of a trace: first start, then events and dropped, last end.",
        "oneOf": [start(), event(), line("dropped"), line("end", shown=COUNT)],
    }


def start() -> dict[str, Any]:
    """What is traced."""
    return record(
        {
            "event": {"const": "start"},
            "schema": {"const": trace.SCHEMA},
            "rung": choice(Rung),
            "hooks": TEXTS,
            "kinds": {"type": "array", "items": choice(Kind)},
            "unseen": {**mapping(TEXT), "propertyNames": choice(Kind)},
            "notes": TEXTS,
            "limit": COUNT,
        }
    )


def event() -> dict[str, Any]:
    """Something that happened."""
    hints = get_type_hints(Event)
    del hints["kind"]
    plain = {name: TYPES[int] if hint == int | None else TYPES[hint] for name, hint in hints.items()}
    reason = {"reason": {"enum": [*RETURNS]}}
    return record({"event": choice(Kind), **plain, **reason}, later=LEFT_OUT)


def line(name: str, **more: dict[str, Any]) -> dict[str, Any]:
    """Totals since the start."""
    return record({"event": {"const": name}, **more, "limited": COUNT, "lost": COUNT, "skipped": COUNT})


if __name__ == "__main__":
    for name, schema in schemas().items():
        (FOLDER / name).write_text(json.dumps(schema, indent=2) + "\n")
