"""The JSON Schema that ships is that of the values, and what we print and answer is valid by it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from ppobserve.model.document import to_document
from ppobserve.model.inventory import inventory_document
from ppobserve.model.plan import Level, Rung
from ppobserve.model.snapshot import Pool, PoolSample
from scripts.output_schemas import schemas
from scripts.snapshot_schema import PAGE, schema
from tests.unit.export.samples import moment
from tests.unit.factories import ZERO, plan, snapshot
from tests.unit.ui.recorded import recorded

SHIPPED = json.loads(PAGE.read_text())
CHECK = jsonschema.Draft202012Validator(SHIPPED)


def document() -> dict[str, Any]:
    return json.loads(json.dumps(to_document(moment())))  # type: ignore[no-any-return]


def test_it_is_up_to_date() -> None:
    """Else: .venv/bin/python scripts/snapshot_schema.py"""
    assert schema() == SHIPPED


@pytest.mark.parametrize("name", ["pools.json", "trace.json"])
def test_those_of_what_else_prints_json_are_up_to_date(name: str) -> None:
    """Else: .venv/bin/python scripts/output_schemas.py"""
    shipped = json.loads((PAGE.parent / name).read_text())
    assert schemas()[name] == shipped
    jsonschema.Draft202012Validator.check_schema(shipped)


def test_pools_of_every_moment_are_valid() -> None:
    check = jsonschema.Draft202012Validator(schemas()["pools.json"])
    for each in (moment(), *recorded()):
        check.validate(json.loads(json.dumps(inventory_document(each))))
    listed = PoolSample(Pool("11", "eth0"), ZERO, {"inflight_pages": 127})
    check.validate(json.loads(json.dumps(inventory_document(snapshot(listed)))))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SHIPPED)


def test_a_moment_is_valid() -> None:
    CHECK.validate(document())


@pytest.mark.parametrize("rung", Rung)
@pytest.mark.parametrize("level", Level)
def test_every_plan_is_valid(level: Level, rung: Rung) -> None:
    CHECK.validate(json.loads(json.dumps(to_document(snapshot(plan=plan(level, rung))))))


def test_what_a_guest_of_two_nodes_recorded_is_valid() -> None:
    assert len(recorded()) == 110
    for each in recorded():
        CHECK.validate(json.loads(json.dumps(to_document(each))))


def _without_time(it: dict[str, Any]) -> None:
    del it["time"]


def _negative(it: dict[str, Any]) -> None:
    it["pools"][0]["counters"]["slow_refills"] = -1


def _unknown_counter(it: dict[str, Any]) -> None:
    it["pools"][0]["counters"]["refills"] = 1


def _flat(it: dict[str, Any]) -> None:
    it["pools"][0]["counters"]["numa_mismatch_pages"] = 7


def _bucket(it: dict[str, Any]) -> None:
    del it["pools"][0]["counters"]["refill_batch_pages"]["buckets"]["64"]


def _newer(it: dict[str, Any]) -> None:
    it["schema"] += 1


def _state(it: dict[str, Any]) -> None:
    it["pools"][0]["state"] = "dead"


@pytest.mark.parametrize("spoil", [_without_time, _negative, _unknown_counter, _flat, _bucket, _newer, _state])
def test_what_is_wrong_is_not_valid(spoil: Callable[[dict[str, Any]], None]) -> None:
    spoiled = copy.deepcopy(document())
    spoil(spoiled)
    assert not CHECK.is_valid(spoiled)
