"""The plan for kernels that were recorded with ``ppobserve check --save-facts``, of every series from 5.4 on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ppobserve.errors import NotObservable
from ppobserve.model.facts import Facts, from_facts
from ppobserve.model.features import OFFSETS, OPTIONAL, SLOW
from ppobserve.model.plan import Level, Plan, Rung, make_plan

RECORDED = Path(__file__).parent.parent.parent / "data/facts"
NEW, OLD = SLOW
STOCK = {"5.10": OLD, "6.1": OLD, "6.12": OLD, "7.3": NEW}
"""Kernels of a distribution, which hook functions, and the name of their slow path."""

REFUSED = {"fentry": "Operation not permitted", "kprobe": "CONFIG_KPROBES is off"}


def recorded(series: str) -> Facts:
    path = RECORDED / f"{series}.json"
    return from_facts(json.loads(path.read_text()), path.name)


def hooks(plan: Plan) -> list[tuple[str, str]]:
    return [(hook.name, hook.rung.value) for hook in plan.hooks]


def test_every_series_that_is_recorded_is_tested() -> None:
    assert {path.stem for path in RECORDED.iterdir()} == {*STOCK, "5.4", "6.18"}


@pytest.mark.parametrize("path", sorted(RECORDED.iterdir()), ids=lambda path: path.stem)
def test_a_recording_says_where_it_is_from_and_holds_every_offset_that_is_needed(path: Path) -> None:
    facts = recorded(path.stem)
    assert facts.features.kernel.startswith(f"{path.stem}.")
    assert facts.note.startswith("constructed" if path.stem == "5.4" else "recorded")
    assert (facts.features.cache_pages, facts.features.nodes_shift, facts.features.root) == (128, 10, True)
    assert set(OFFSETS) - facts.features.offsets.keys() <= OPTIONAL
    assert not any(mark in path.read_text() for mark in ("/home", "/root", "/tmp", "/work"))


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize(("series", "slow"), STOCK.items())
def test_a_stock_kernel_is_hooked_by_fentry(series: str, slow: str, level: Level) -> None:
    plan = make_plan(recorded(series).features, level)
    lean = [("refill", "fentry"), ("slow", "fentry"), ("release", "tracepoint")]
    rest = [("return", "tracepoint"), ("teardown", "fentry"), ("update_nid", "tracepoint")]
    assert hooks(plan) == (lean if level is Level.LEAN else lean + rest)
    assert plan.hooks[1].symbol == slow
    assert set(plan.unavailable) == ({"reasons"} if level is Level.LEAN else set())
    assert not any(hook.because or hook.fix for hook in plan.hooks)


@pytest.mark.parametrize(("series", "slow"), STOCK.items())
def test_a_stock_kernel_that_refuses_fentry_is_hooked_by_kprobe(series: str, slow: str) -> None:
    refused = replace(recorded(series).features, refusals={"fentry": "EPERM", "kprobe": ""})
    plan = make_plan(refused, Level.STANDARD)
    functions = {"refill", "slow", "teardown"}
    assert {name for name, rung in hooks(plan) if rung == "kprobe"} == functions
    assert (plan.hooks[0].because, plan.hooks[1].symbol) == (("fentry: EPERM",), slow)
    assert plan.unavailable == {}


@pytest.mark.parametrize("series", [*STOCK, "6.18"])
def test_where_functions_cannot_be_hooked_the_tracepoints_are_left(series: str) -> None:
    plan = make_plan(replace(recorded(series).features, refusals=REFUSED), Level.STANDARD)
    tracepoints = ["hold", "release", "return", "update_nid"]
    assert hooks(plan) == [(name, "tracepoint") for name in tracepoints]
    assert set(plan.unavailable) == {"refill"}
    assert plan.hooks[0].because == tuple(f"{rung}: {why}" for rung, why in REFUSED.items())


def test_the_recorded_6_18_refuses_both_by_itself() -> None:
    plan = make_plan(recorded("6.18").features, Level.STANDARD)
    assert plan.rung is Rung.TRACEPOINT
    assert plan.hooks[0].because == (
        "fentry: the kernel refuses tracing programs: Operation not permitted",
        "kprobe: the kernel has no kprobes (CONFIG_KPROBES is off)",
    )
    assert "CONFIG_KPROBES=y" in plan.hooks[0].fix


@pytest.mark.parametrize("forced", [None, *Rung])
def test_5_4_has_no_refill_to_hook_and_another_tracepoint_at_the_end_of_a_pool(forced: Rung | None) -> None:
    with pytest.raises(NotObservable) as caught:
        make_plan(recorded("5.4").features, Level.STANDARD, forced=forced)
    assert str(caught.value) == "the kernel has no tracepoint page_pool_release, which every rung needs"
