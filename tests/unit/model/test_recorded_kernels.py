"""The plan for kernels that were recorded with ``ppobserve check --save-facts``, of every series from 5.4 on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ppobserve.errors import NotObservable
from ppobserve.model.facts import Facts, from_facts
from ppobserve.model.features import OFFSETS, OPTIONAL, SLOW
from ppobserve.model.hooks import Hook
from ppobserve.model.plan import Level, Plan, Rung, make_plan

RECORDED = Path(__file__).parent.parent.parent / "data/facts"
NEW, OLD = SLOW
STOCK = {"5.10": OLD, "6.1": OLD, "6.12": OLD, "7.3": NEW}
"""Kernels of a distribution, which hook functions, and the name of their slow path."""

CONSTRUCTED = ("5.4", "5.5")
"""Kernels from before the refill was a function of its own."""

ALLOCATORS = {
    "5.10": ["page_pool_alloc_pages"],
    "6.1": ["page_pool_alloc_pages", "page_pool_alloc_frag"],
    "6.12": ["page_pool_alloc_netmem,page_pool_alloc_pages", "page_pool_alloc_frag_netmem"],
    "7.3": ["page_pool_alloc_netmems", "page_pool_alloc_frag_netmem"],
}

WIPED = {"6.1": {"pfmemalloc"}}
"""Kernels that wipe the mark of a page before its return can be seen: from 5.14 to 6.10."""

REFUSED = {"fentry": "Operation not permitted", "kprobe": "CONFIG_KPROBES is off"}


def recorded(series: str) -> Facts:
    path = RECORDED / f"{series}.json"
    return from_facts(json.loads(path.read_text()), path.name)


def hooks(plan: Plan) -> list[tuple[str, str]]:
    return [(hook.name, hook.rung.value) for hook in plan.hooks]


def test_every_series_that_is_recorded_is_tested() -> None:
    assert {path.stem for path in RECORDED.iterdir()} == {*STOCK, *CONSTRUCTED, "6.18"}


@pytest.mark.parametrize("path", sorted(RECORDED.iterdir()), ids=lambda path: path.stem)
def test_a_recording_says_where_it_is_from_and_holds_every_offset_that_is_needed(path: Path) -> None:
    facts = recorded(path.stem)
    assert facts.features.kernel.startswith(f"{path.stem}.")
    assert facts.note.startswith("constructed" if path.stem in CONSTRUCTED else "recorded")
    assert (facts.features.cache_pages, facts.features.nodes_shift, facts.features.root) == (128, 10, True)
    assert set(OFFSETS) - facts.features.offsets.keys() <= OPTIONAL
    assert not any(mark in path.read_text() for mark in ("/home", "/root", "/tmp", "/work"))


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize(("series", "slow"), STOCK.items())
def test_a_stock_kernel_is_hooked_by_fentry(series: str, slow: str, level: Level) -> None:
    plan = make_plan(recorded(series).features, level)
    lean = [("refill", "fentry"), ("slow", "fentry"), ("release", "tracepoint")]
    rest = [("return", "tracepoint"), ("create", "fentry"), ("teardown", "fentry"), ("update_nid", "tracepoint")]
    pages = [("alloc", "fentry"), ("fragment", "fentry")][: len(ALLOCATORS[series])]
    rest[3:3] = pages if level is Level.FULL else []
    assert hooks(plan) == (lean if level is Level.LEAN else lean + rest)
    assert [hook.symbol for hook in plan.hooks if (hook.name, hook.rung.value) in pages] == (
        ALLOCATORS[series] if level is Level.FULL else []
    )
    assert plan.hooks[1].symbol == slow
    assert set(plan.unavailable) == ({"reasons"} if level is Level.LEAN else WIPED.get(series, set()))
    assert not any(hook.because or hook.fix for hook in plan.hooks)


@pytest.mark.parametrize(("series", "slow"), STOCK.items())
def test_a_stock_kernel_that_refuses_fentry_is_hooked_by_kprobe(series: str, slow: str) -> None:
    refused = replace(recorded(series).features, refusals={"fentry": "EPERM", "kprobe": ""})
    plan = make_plan(refused, Level.STANDARD)
    functions = {"refill", "slow", "create", "teardown"}
    assert {name for name, rung in hooks(plan) if rung == "kprobe"} == functions
    assert (plan.hooks[0].because, plan.hooks[1].symbol) == (("fentry: EPERM",), slow)
    assert plan.unavailable.keys() == WIPED.get(series, set())


@pytest.mark.parametrize("series", [*STOCK, "6.18"])
def test_where_functions_cannot_be_hooked_the_tracepoints_are_left(series: str) -> None:
    plan = make_plan(replace(recorded(series).features, refusals=REFUSED), Level.STANDARD)
    tracepoints = ["hold", "release", "return", "update_nid"]
    assert hooks(plan) == [(name, "tracepoint") for name in tracepoints]
    assert set(plan.unavailable) == {"refill"} | WIPED.get(series, set())
    assert plan.hooks[0].because == tuple(f"{rung}: {why}" for rung, why in REFUSED.items())


def test_the_recorded_6_18_refuses_both_by_itself() -> None:
    plan = make_plan(recorded("6.18").features, Level.STANDARD)
    assert plan.rung is Rung.TRACEPOINT
    assert plan.hooks[0].because == (
        "fentry: the kernel refuses tracing programs: Operation not permitted",
        "kprobe: the kernel has no kprobes (CONFIG_KPROBES is off)",
    )
    assert "CONFIG_KPROBES=y" in plan.hooks[0].fix


@pytest.mark.parametrize("rung", Rung)
def test_6_1_says_that_it_wipes_the_mark_of_pages_from_the_reserves(rung: Rung) -> None:
    plan = make_plan(recorded("6.1").features, Level.STANDARD, forced=rung)
    assert plan.unavailable["pfmemalloc"] == (
        "this kernel wipes the pfmemalloc mark of a page before the tracepoint: such pages are counted as ring_full"
    )


@pytest.mark.parametrize("series", ["5.4", "5.5", "5.10", "6.12", "6.18", "7.3"])
def test_no_other_kernel_that_was_recorded_does(series: str) -> None:
    assert not recorded(series).features.wipes_pfmemalloc


@pytest.mark.parametrize(("series", "rung"), [("5.4", "kprobe"), ("5.5", "fentry")])
def test_before_5_6_level_full_sees_the_refill_inside_the_allocation(series: str, rung: str) -> None:
    plan = make_plan(recorded(series).features, Level.FULL)
    assert plan.inlined_refill
    functions = [(hook.name, hook.symbol) for hook in plan.hooks if hook.rung.value == rung]
    assert functions == [
        ("slow", OLD),
        ("create", "page_pool_create"),
        ("teardown", "page_pool_destroy"),
        ("alloc", "page_pool_alloc_pages"),
    ]
    assert plan.unavailable == {}


@pytest.mark.parametrize(("series", "tracepoint"), [("5.4", "page_pool_inflight"), ("5.5", "page_pool_release")])
def test_the_end_of_a_pool_is_a_tracepoint_of_another_name_in_5_4(series: str, tracepoint: str) -> None:
    plan = make_plan(recorded(series).features, Level.FULL)
    assert [hook.symbol for hook in plan.hooks if hook.name == "release"] == [tracepoint]
    assert plan.has(Hook.UPDATE_NID) is (series == "5.5")


@pytest.mark.parametrize("series", CONSTRUCTED)
def test_before_5_6_no_other_level_sees_a_refill(series: str) -> None:
    with pytest.raises(NotObservable, match="its refills are inside the allocation, which level full hooks"):
        make_plan(recorded(series).features, Level.STANDARD)
