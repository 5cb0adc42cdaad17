"""Every pool, once: what is known of it, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from ppobserve.model.inventory import UNKNOWN_UNTIL_USED, Known, inventory, inventory_document
from ppobserve.model.plan import Level, Rung
from ppobserve.model.snapshot import ENDED_ID, Pool, PoolSample, State
from ppobserve.ui.pools import WIDTH, age, table
from tests.unit.factories import ZERO, plan, snapshot

GAUGES = {"inflight_pages": 1024.0, "cache_pages": 17.0, "ring_pages": 41.0, "ring_size": 1024.0}


def sample(pool: Pool, **gauges: float) -> PoolSample:
    return PoolSample(pool, ZERO, gauges)


BUSY = sample(
    Pool("23", "eth0", 4026531840, 2, 8193, "mlx5_core", "0000:81:00.0", nid=1, queue=3, device_node=1), **GAUGES
)
ANYWHERE = sample(Pool("29", "", driver="bpf"), **GAUGES)
ZOMBIE = sample(Pool("7", "eth0", 4026531840, 2, state=State.DETACHED), **GAUGES, pool_detached_seconds=200.5)
IDLE = sample(Pool("31", "eth1", 4026531840, 3, 8194, "ice"), inflight_pages=0.0)
ENDED = sample(Pool(ENDED_ID, "eth0", state=State.ENDED))
EVERY = (ANYWHERE, ENDED, IDLE, BUSY, ZOMBIE)


def rows(*samples: PoolSample, wide: bool = False, rung: Rung = Rung.FENTRY) -> list[list[str]]:
    text = table(inventory(snapshot(*samples)), plan(Level.LEAN, rung), wide=wide)
    return [line.split() for line in text.split("\n\n")[0].split("\n")]


def test_pools_are_in_the_order_of_their_devices_and_ended_groups_are_none() -> None:
    assert [known.pool.id for known in inventory(snapshot(*EVERY))] == ["7", "23", "31", "29"]


def test_a_line_says_whose_a_pool_is_and_how_it_stands() -> None:
    _, zombie, busy, idle, anywhere = rows(*EVERY)
    assert busy == ["23", "eth0", "mlx5_core", "3", "8193", "1", "1", "1024", "1024", "live"]
    assert zombie == ["7", "eth0", "-", "-", "-", "any", "-", "1024", "1024", "detached", "3m"]
    assert idle == ["31", "eth1", "ice", "-", "8194", "-", "-", "-", "0", "idle"]
    assert anywhere == ["29", "-", "bpf", "-", "-", "any", "-", "1024", "1024", "live"]


def test_wide_has_everything_and_clips_nothing() -> None:
    heads, *lines = rows(*EVERY, wide=True)
    assert "CONSUMER" in heads and "PROVIDER" in heads
    assert all(len(line) >= len(heads) for line in lines)
    assert {"0000:81:00.0", "4026531840", "41", "17"} <= set(lines[1])


@pytest.mark.parametrize(
    ("namespaces", "said"),
    [(1, "of 1 network namespace are not listed"), (3, "of 3 network namespaces are not listed")],
)
def test_the_pools_of_namespaces_that_cannot_be_entered_are_not_missing_in_silence(namespaces: int, said: str) -> None:
    whole = table(inventory(snapshot(*EVERY)), plan(Level.LEAN), wide=False)
    text = table(inventory(snapshot(*EVERY)), plan(Level.LEAN), wide=False, netns_unreadable=namespaces)
    assert said in text and "network namespace" not in whole
    assert inventory_document(snapshot(*EVERY, netns_unreadable=namespaces))["netns_unreadable"] == namespaces


@pytest.mark.parametrize("rung", Rung)
def test_a_terminal_of_80_columns_is_enough(rung: Rung) -> None:
    long = sample(Pool("12-18fe3a7b9", "enp129s0f1np1v7", driver="a_long_driver_", state=State.DETACHED), **GAUGES)
    text = table(inventory(snapshot(*EVERY, long)), plan(Level.LEAN, rung), wide=False)
    assert max(map(len, text.split("\n"))) <= WIDTH


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, ""), (0.2, "0s"), (41.9, "41s"), (60, "1m"), (7199, "1h"), (200_000, "2d")]
)
def test_ages(seconds: float | None, said: str) -> None:
    assert age(seconds) == said


@pytest.mark.parametrize(
    ("rung", "said"), [(Rung.KPROBE, "is seen when it is refilled"), (Rung.TRACEPOINT, "while it recycles all of them")]
)
def test_who_may_be_missing_is_said(rung: Rung, said: str) -> None:
    text = " ".join(table(inventory(snapshot()), plan(Level.LEAN, rung), wide=False).split())
    assert text.startswith("no pool was seen")
    assert said in text and "idle:" not in text


def test_what_a_dash_means_is_said_where_there_is_one() -> None:
    text = " ".join(table(inventory(snapshot(*EVERY)), plan(), wide=False).split())
    assert "idle: 1 pool was not used while we looked" in text


def document(*samples: PoolSample) -> dict[str, dict[str, Any]]:
    return {pool["id"]: pool for pool in inventory_document(snapshot(*samples))["pools"]}


def test_as_json_what_is_not_known_is_null() -> None:
    found = document(*EVERY)
    assert {found["31"][name] for name in UNKNOWN_UNTIL_USED} == {None}
    assert (found["31"]["state"], found["31"]["used"], found["31"]["ring_size"]) == ("idle", False, None)
    assert (found["23"]["nid"], found["23"]["ring_size"], found["23"]["used"]) == (1, 1024, True)
    assert found["7"]["detached_seconds"] == 200.5
    assert set(found["23"]) == set(found["31"])


def test_a_detached_pool_that_nobody_used_is_detached() -> None:
    assert Known(Pool("1", state=State.DETACHED), used=False).state == "detached"
