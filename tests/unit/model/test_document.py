"""The JSON document: a snapshot comes back as it went, and what is not one is refused with a sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.errors import UsageError
from ppobserve.model.document import from_document, to_document
from ppobserve.model.metrics import TABLE
from ppobserve.model.plan import Level, Rung
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State, Tables
from tests.unit.factories import ZERO, numbers, plan, remotes, snapshot, whole_counters

pools = st.builds(Pool, st.text(max_size=8), st.text(max_size=15), numbers, state=st.sampled_from(State))
gauges = st.dictionaries(st.sampled_from(["inflight_pages", "ring_pages"]), st.floats(allow_nan=False))
plans = st.builds(plan, st.sampled_from(Level), st.sampled_from(Rung))
whole_snapshots = st.builds(
    Snapshot,
    st.floats(0, 1e10),
    plans,
    st.lists(st.builds(PoolSample, pools, whole_counters, gauges, remotes), max_size=3).map(tuple),
    st.builds(Tables, numbers, numbers),
    st.text(),
    st.text(),
)


def test_the_uptime_is_left_out_where_nobody_noted_it() -> None:
    noted = snapshot(uptime=5.5)
    assert to_document(noted)["uptime"] == 5.5 and "uptime" not in to_document(snapshot())
    assert from_document(to_document(noted)) == noted
    with pytest.raises(UsageError, match="cannot read the document"):
        from_document({**to_document(noted), "uptime": "long"})


@given(whole_snapshots)
def test_a_snapshot_comes_back_as_it_went(sent: Snapshot) -> None:
    assert from_document(to_document(sent)) == sent


@given(whole_snapshots)
def test_also_through_json_whatever_order_its_keys_have(sent: Snapshot) -> None:
    assert from_document(json.loads(json.dumps(to_document(sent)))) == sent
    assert from_document(json.loads(json.dumps(to_document(sent), sort_keys=True))) == sent


def one_pool() -> dict[str, Any]:
    return to_document(snapshot(PoolSample(Pool("7", "eth0"), ZERO, {"inflight_pages": 64})))


def test_the_document_has_the_promised_shape() -> None:
    document = one_pool()
    assert list(document) == [
        "schema",
        "time",
        "host",
        "kernel",
        "plan",
        "tables",
        "audit",
        "costs",
        "levels_below",
        "hooks",
        "netns_unreadable",
        "pools",
    ]
    assert document["schema"] == 1
    pool = document["pools"][0]
    assert (pool["id"], pool["netdev"], pool["state"], pool["gauges"]) == ("7", "eth0", "live", {"inflight_pages": 64})
    assert set(pool["counters"]) <= set(TABLE)
    assert pool["counters"]["numa_mismatch_pages"] == {"0": {"1": 0}, "1": {"0": 0}}
    assert pool["counters"]["slow_refills"] == 0


def test_remote_pages_are_a_gauge_with_labels_where_there_are_any() -> None:
    sample = PoolSample(Pool("7"), ZERO, {"ring_pages": 64}, {("cache", "1", "0"): 13, ("ring", "1", "0"): 17})
    (pool,) = to_document(snapshot(sample))["pools"]
    assert pool["gauges"] == {"ring_pages": 64, "remote_pages": {"cache": {"1": {"0": 13}}, "ring": {"1": {"0": 17}}}}
    assert from_document(to_document(snapshot(sample))).pools == (sample,)


@pytest.mark.parametrize("schema", [None, 0, 2, "1"])
def test_another_schema_is_refused(schema: object) -> None:
    with pytest.raises(UsageError, match=r"schema .*\n.*reads schema 1"):
        from_document({**one_pool(), "schema": schema})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("pools",), None),
        (("plan",), None),
        (("plan", "rung"), "uprobe"),
        (("plan", "level"), "everything"),
        (("plan", "hooks"), [None]),
        (("tables",), {"unheard_of": 1}),
        (("pools", 0, "state"), "asleep"),
        (("pools", 0, "counters"), []),
        (("pools", 0, "counters", "unheard_of"), 5),
        (("pools", 0, "counters", "refill_batch_pages"), 5),
        (("pools", 0, "counters", "refill_batch_pages", "buckets"), {"0": 5}),
        (("pools", 0, "counters", "refill_misses"), 5),
        (("pools", 0, "gauges"), None),
        (("pools", 0, "gauges", "remote_pages"), 5),
        (("pools", 0, "gauges", "remote_pages"), {"ring": 5}),
    ],
)
def test_a_malformed_document_is_a_sentence(place: tuple[Any, ...], value: object) -> None:
    document = json.loads(json.dumps(one_pool()))
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(UsageError, match="cannot read the document"):
        from_document(document)


def test_what_an_older_document_does_not_say_of_a_pool_is_not_known() -> None:
    document = one_pool()
    del document["pools"][0]["provider"], document["pools"][0]["queue"]
    (sample,) = from_document(document).pools
    assert (sample.pool.provider, sample.pool.queue) == (False, -1)


def test_what_an_older_document_does_not_say_of_our_cost_is_nothing() -> None:
    document = one_pool()
    del document["costs"], document["levels_below"]
    assert (from_document(document).costs, from_document(document).levels_below) == ({}, 0)


def test_namespaces_that_could_not_be_entered_come_back_and_an_older_document_knows_of_none() -> None:
    document = to_document(snapshot(netns_unreadable=3))
    assert from_document(document).netns_unreadable == 3
    del document["netns_unreadable"]
    assert from_document(document).netns_unreadable == 0


@pytest.mark.parametrize("key", ["time", "host", "kernel", "plan", "tables", "audit", "pools"])
def test_a_document_without_a_key_is_a_sentence(key: str) -> None:
    document = one_pool()
    del document[key]
    with pytest.raises(UsageError, match=key):
        from_document(document)
