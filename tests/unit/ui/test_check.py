"""The report of ``ppobserve check`` for people."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.model import document as documents
from ppobserve.model.plan import Level, Plan, Rung, make_plan
from ppobserve.ui.check import report
from tests.unit.factories import kernel, plan


def plan_document(chosen: Plan, *audited: str) -> dict[str, Any]:
    return {**documents.plan_document(chosen), "audited": list(audited)}


def document(**changes: Any) -> dict[str, Any]:
    facts = {"release": "6.12.57-amd64", "machine": "x86_64", "root": True, "lockdown": "none", "cpus": 4, "nodes": 2}
    return {
        "observable": True,
        "kernel": {**facts, "cache_pages": 128, "refill_pages": 64},
        "plan": plan_document(plan()),
        "problems": [],
        **changes,
    }


words = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=200)
sentences = st.lists(words, max_size=30).map(" ".join)


@given(st.lists(st.fixed_dictionaries({"what": sentences, "fix": sentences}), max_size=3))
def test_problems_stay_under_80_columns(problems: list[dict[str, str]]) -> None:
    assert max(map(len, report(document(problems=problems)).split("\n"))) < 80


@pytest.mark.parametrize("release", ["6.12.57-amd64", "r" * 64, "6.1.0-" + "very-long-name-of-a-local-build-" * 2])
def test_any_kernel_stays_under_80_columns(release: str) -> None:
    facts = {**document()["kernel"], "release": release, "cpus": 8192, "nodes": 1024, "lockdown": ""}
    told = report(document(kernel=facts))
    assert max(map(len, told.split("\n"))) < 80
    assert release in told.replace("\n", "").replace(" ", "")


REFUSED = {"fentry": "the kernel refuses tracing programs: Operation not permitted",
           "kprobe": "the kernel has no kprobes (CONFIG_KPROBES is off)"}  # fmt: skip


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("rung", Rung)
def test_every_hook_is_told_whole(rung: Rung, level: Level) -> None:
    chosen = plan(level, rung)
    lines = report(document(plan=plan_document(chosen))).split("\n")
    for hook in chosen.hooks:
        (line,) = (line for line in lines if line.startswith(f"{hook.name} "))
        symbol, *others = hook.symbol.split(",")
        assert line.split()[:3] == [hook.name, hook.rung.value, symbol]
        after = lines.index(line) + 1
        assert [other.strip() for other in lines[after : after + len(others)]] == others
        assert line.endswith(f"~{hook.cost_ns} ns  {hook.event}")
        assert len(line) < 80


def test_what_the_kernel_counts_too_is_told_where_it_does() -> None:
    told = report(document(plan=plan_document(plan(), "alloc_refill", "alloc_waive")))
    assert "compared with the kernel's own: alloc_refill, alloc_waive\n" in told
    assert "compared" not in report(document())


def test_reasons_and_fixes_are_told_once() -> None:
    chosen = make_plan(kernel(refusals=REFUSED), Level.STANDARD)
    told = " ".join(report(document(plan=plan_document(chosen))).split())
    for words in (REFUSED["fentry"], REFUSED["kprobe"], "to do better: boot a kernel with CONFIG_KPROBES=y"):
        assert told.count(words) == 1
    assert told.count("not counted here: refill batches") == 1


@pytest.mark.parametrize(("observable", "word"), [(True, "yes"), (False, "no")])
def test_the_answer_comes_last(observable: bool, word: str) -> None:
    assert report(document(observable=observable)).split("\n")[-1] == f"observable: {word}"


def test_without_a_plan_the_problem_and_the_fix_are_told() -> None:
    problem = {"what": "this kernel has no page_pool", "fix": "boot another kernel"}
    told = report(document(observable=False, plan=None, problems=[problem]))
    assert "problem: this kernel has no page_pool" in told
    assert "fix: boot another kernel" in told
    assert "HOOK" not in told


def test_what_the_maps_take_is_told_where_it_is_known() -> None:
    known = {"maps": {"pools": 1 << 20, "slots": 3 << 19}, "pools": 1024, "slots": 4096}
    assert "memory     2.5 MiB of maps: 1024 pools, 4096 (pool, CPU) pairs\n" in report(document(memory=known))
    assert "MiB of maps" not in report(document(memory=None)) + report(document())
