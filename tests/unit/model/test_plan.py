"""Which rung is taken on which kernel, what it can't count, and what an operator reads when none is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ppobserve.errors import NotObservable
from ppobserve.model.features import (
    ALLOC,
    DESTROY,
    FRAG,
    OPTIONAL,
    POOL_RELEASE,
    REFILL,
    RELEASE_RETRY,
    SLOW,
    STATE_HOLD,
    STATE_RELEASE,
    TRACEPOINTS,
    UPDATE_NID,
)
from ppobserve.model.hooks import COST_NS, LADDER, End, Hook
from ppobserve.model.metrics import counters
from ppobserve.model.plan import Level, Plan, Rung, make_plan
from tests.unit.factories import KERNEL, kernel

NEW, OLD = SLOW
HIDDEN = {REFILL: (0, 0), NEW: (0, 0)}


def without(*names: str) -> frozenset[str]:
    return frozenset(TRACEPOINTS) - set(names)


def but(known: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {other: value for other, value in known.items() if other != name}


def chosen(level: Level = Level.STANDARD, **changes: Any) -> Plan:
    return make_plan(kernel(**changes), level)


@pytest.mark.parametrize(
    ("changes", "rung", "because"),
    [
        ({}, Rung.FENTRY, ()),
        ({"functions": {}}, Rung.KPROBE, (f"fentry: BTF has no {REFILL}",)),
        ({"functions": {REFILL: 1}}, Rung.KPROBE, (f"fentry: BTF has no {NEW}",)),
        ({"functions": {NEW: 2}}, Rung.KPROBE, (f"fentry: BTF has no {REFILL}",)),
        ({"functions": {REFILL: 1, OLD: 2}, "symbols": {}}, Rung.FENTRY, ()),
        ({"refusals": {"fentry": "EPERM"}}, Rung.KPROBE, ("fentry: EPERM",)),
        ({"refusals": {"fentry": "E", "kprobe": "K"}}, Rung.TRACEPOINT, ("fentry: E", "kprobe: K")),
        (
            {"functions": {}, "symbols": {REFILL: (1, 2)}},
            Rung.TRACEPOINT,
            (f"fentry: BTF has no {REFILL}", f"kprobe: kallsyms has no {NEW}"),
        ),
        ({"functions": {}, "symbols": HIDDEN}, Rung.KPROBE, (f"fentry: BTF has no {REFILL}",)),
        ({"root": False, "refusals": {}}, Rung.FENTRY, ()),
    ],
)
def test_the_best_rung_that_this_kernel_allows(changes: dict[str, Any], rung: Rung, because: tuple[str, ...]) -> None:
    plan = chosen(**changes)
    assert plan.rung is rung
    assert plan.hooks[0].because == because


@pytest.mark.parametrize("rung", LADDER)
@pytest.mark.parametrize("level", Level)
def test_a_forced_rung_is_taken_without_excuses(rung: Rung, level: Level) -> None:
    plan = make_plan(KERNEL, level, forced=rung)
    assert (plan.rung, plan.level) == (rung, level)
    assert not any(hook.because for hook in plan.hooks)


@pytest.mark.parametrize(
    ("rung", "changes", "sentence"),
    [
        (Rung.FENTRY, {"functions": {}}, f"cannot use the fentry rung: BTF has no {REFILL}"),
        (Rung.FENTRY, {"refusals": {"fentry": "EPERM"}}, "cannot use the fentry rung: EPERM"),
        (Rung.KPROBE, {"symbols": {}}, f"cannot use the kprobe rung: kallsyms has no {REFILL}"),
        (Rung.KPROBE, {"refusals": {"kprobe": "no kprobes"}}, "cannot use the kprobe rung: no kprobes"),
        (Rung.TRACEPOINT, {"symbols": {}}, f"cannot use the tracepoint rung: kallsyms has no {REFILL}"),
        (Rung.TRACEPOINT, {"symbols": HIDDEN}, "kernel.kptr_restrict"),
        (Rung.TRACEPOINT, {"tracepoints": without(STATE_HOLD)}, f"the kernel has no tracepoint {STATE_HOLD}"),
        (Rung.FENTRY, {"tracepoints": without(*POOL_RELEASE)}, f"the kernel has no tracepoint {POOL_RELEASE[0]}"),
    ],
)
def test_a_forced_rung_that_is_refused_says_why(rung: Rung, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NotObservable) as caught:
        make_plan(kernel(**changes), Level.STANDARD, forced=rung)
    assert sentence in str(caught.value)


def test_a_rung_that_failed_to_attach_falls_to_the_next() -> None:
    plan = make_plan(KERNEL, Level.STANDARD, failed={Rung.FENTRY: "-EBUSY"})
    assert (plan.rung, plan.hooks[0].because) == (Rung.KPROBE, ("fentry: -EBUSY",))
    plan = make_plan(KERNEL, Level.STANDARD, failed={Rung.FENTRY: "-EBUSY", Rung.KPROBE: "-EINVAL"})
    assert (plan.rung, plan.hooks[0].because) == (Rung.TRACEPOINT, ("fentry: -EBUSY", "kprobe: -EINVAL"))


def test_when_every_rung_failed_each_reason_and_lockdown_are_told() -> None:
    failed = {rung: f"no {rung.value} today" for rung in Rung}
    with pytest.raises(NotObservable) as caught:
        make_plan(kernel(lockdown="confidentiality"), Level.STANDARD, failed=failed)
    told = str(caught.value)
    assert "refused" in told.splitlines()[0]
    for words in ("no fentry today", "no kprobe today", "no tracepoint today", "lockdown: confidentiality"):
        assert words in told


def test_addresses_hidden_from_a_user_who_is_not_root_are_no_reason_against_the_tracepoints() -> None:
    plan = chosen(functions={}, root=False, symbols={REFILL: (0, 0)}, refusals={})
    assert plan.rung is Rung.TRACEPOINT


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"no_btf": "this kernel has no type information"}, "this kernel has no type information"),
        ({"no_btf": "cannot read it", "no_btf_fix": "a newer ppobserve"}, "try: a newer ppobserve"),
        ({"offsets": {}, "tracepoints": frozenset()}, "this kernel has no page_pool"),
        ({"offsets": but(KERNEL.offsets, "PP_NID")}, "lack page_pool.p.nid"),
        ({"offsets": but(KERNEL.offsets, "PAGE_FLAGS")}, "lack page.flags"),
        ({"tracepoints": without(STATE_RELEASE)}, f"the kernel has no tracepoint {STATE_RELEASE}"),
    ],
)
def test_what_cannot_be_observed_is_a_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(NotObservable) as caught:
        chosen(**changes)
    assert words in str(caught.value)
    assert caught.value.exit_status == 1


@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_a_member_that_older_kernels_lack_is_not_missed(name: str) -> None:
    assert chosen(offsets=but(KERNEL.offsets, name)).rung is Rung.FENTRY


STANDARD = ["refill", "slow", "release", "return", "create", "teardown"]
HOOKS = {
    (Rung.FENTRY, Level.LEAN): ["refill", "slow", "release"],
    (Rung.FENTRY, Level.STANDARD): [*STANDARD, "update_nid"],
    (Rung.KPROBE, Level.LEAN): ["refill", "slow", "release"],
    (Rung.KPROBE, Level.STANDARD): [*STANDARD, "update_nid"],
    (Rung.TRACEPOINT, Level.LEAN): ["hold", "release", "return"],
    (Rung.TRACEPOINT, Level.STANDARD): ["hold", "release", "return", "update_nid"],
    (Rung.FENTRY, Level.FULL): [*STANDARD, "alloc", "fragment", "update_nid"],
    (Rung.KPROBE, Level.FULL): [*STANDARD, "alloc", "fragment", "update_nid"],
    (Rung.TRACEPOINT, Level.FULL): ["hold", "release", "return", "update_nid"],
}


@pytest.mark.parametrize(("rung", "level"), HOOKS)
def test_hooks(rung: Rung, level: Level) -> None:
    plan = make_plan(KERNEL, level, forced=rung)
    assert [hook.name for hook in plan.hooks] == HOOKS[rung, level]
    assert set(plan.unavailable) == not_counted(rung, level)


def not_counted(rung: Rung, level: Level) -> set[str]:
    if rung is Rung.TRACEPOINT:
        return {"refill", "alloc"} if level is Level.FULL else {"refill"}
    return {"reasons"} if level is Level.LEAN else set()


@pytest.mark.parametrize(
    ("rung", "changes", "why"),
    [
        (Rung.FENTRY, {"functions": but(KERNEL.functions, DESTROY)}, f"BTF has no {DESTROY}"),
        (Rung.FENTRY, {"functions": but(KERNEL.functions, RELEASE_RETRY)}, f"BTF has no {RELEASE_RETRY}"),
        (Rung.KPROBE, {"symbols": but(KERNEL.symbols, RELEASE_RETRY)}, f"kallsyms has no {RELEASE_RETRY}"),
        (Rung.KPROBE, {"offsets": but(KERNEL.offsets, "PP_RELEASE_DW")}, "BTF has no page_pool.release_dw"),
        (Rung.TRACEPOINT, {"symbols": but(KERNEL.symbols, RELEASE_RETRY)}, f"kallsyms has no {RELEASE_RETRY}"),
    ],
)
def test_a_kernel_that_hides_the_end_of_a_pool_is_observed_without_that_reason(
    rung: Rung, changes: dict[str, Any], why: str
) -> None:
    plan = make_plan(kernel(**changes), Level.STANDARD, forced=rung)
    assert not plan.has(Hook.TEARDOWN)
    told = f"{why}: returns at the end of a pool are counted by what their pages look like"
    assert plan.unavailable["teardown"] == told
    lean = make_plan(kernel(**changes), Level.LEAN, forced=rung)
    assert ("teardown" in lean.unavailable) is (rung is Rung.TRACEPOINT)


def test_the_tracepoint_rung_needs_no_offset_to_tell_the_end_of_a_pool() -> None:
    features = kernel(offsets=but(KERNEL.offsets, "PP_RELEASE_DW"))
    assert "teardown" not in make_plan(features, Level.STANDARD, forced=Rung.TRACEPOINT).unavailable


@pytest.mark.parametrize(("rung", "cost"), [(rung, COST_NS[rung, End.ENTRY]) for rung in (Rung.FENTRY, Rung.KPROBE)])
def test_the_end_of_a_pool_is_hooked_as_the_refill_is(rung: Rung, cost: int) -> None:
    plan = make_plan(KERNEL, Level.STANDARD, forced=rung)
    (hook,) = (hook for hook in plan.hooks if hook.name == "teardown")
    assert (hook.rung, hook.symbol, hook.cost_ns) == (rung, DESTROY, cost)


@pytest.mark.parametrize(("rung", "level"), HOOKS)
def test_what_a_plan_counts(rung: Rung, level: Level) -> None:
    counted = {metric.name for metric in counters(make_plan(KERNEL, level, forced=rung))}
    assert {"numa_mismatch_pages", "slow_refills", "pages_held", "pages_returned"} <= counted
    assert ("refill_batch_pages" in counted) is ("refill_misses" in counted) is (rung is not Rung.TRACEPOINT)
    assert ("nid_updates" in counted) is (level is not Level.LEAN)
    seen = level is Level.FULL and rung is not Rung.TRACEPOINT
    assert ("allocs" in counted) is ("recycles" in counted) is seen


FUNCTIONS, SYMBOLS = but(KERNEL.functions, REFILL), but(KERNEL.symbols, REFILL)


@pytest.mark.parametrize(
    ("allocators", "hooked"),
    [
        ({ALLOC[0]}, ALLOC[0]),
        ({ALLOC[2]}, ALLOC[2]),
        ({ALLOC[2], ALLOC[0]}, f"{ALLOC[0]},{ALLOC[2]}"),
        ({ALLOC[0], FRAG[0]}, ALLOC[0]),  # a fragment's allocation is seen by the fragment's own hook
    ],
)
def test_every_function_that_has_the_fast_path_in_it_is_hooked_and_no_other(allocators: set[str], hooked: str) -> None:
    plan = chosen(Level.FULL, allocators=frozenset(allocators))
    assert [hook.symbol for hook in plan.hooks if hook.name in ("alloc", "fragment")] == [hooked, FRAG[0]]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"allocators": frozenset()}, "which functions allocate could not be read from the kernel's code"),
        ({"functions": but(but(KERNEL.functions, ALLOC[0]), ALLOC[2])}, f"BTF has none of {ALLOC[0]}, {ALLOC[2]}"),
    ],
)
def test_level_full_without_allocations_counts_what_standard_does(changes: dict[str, Any], why: str) -> None:
    plan = chosen(Level.FULL, **changes)
    assert plan.unavailable == {"alloc": f"{why}: level full counts what standard does"}
    assert [hook.name for hook in plan.hooks] == HOOKS[Rung.FENTRY, Level.STANDARD]


def test_a_kernel_without_fragments_is_observed_without_them() -> None:
    assert not chosen(Level.FULL, offsets=but(KERNEL.offsets, "PP_FRAG_USERS")).has(Hook.FRAGMENT)


@pytest.mark.parametrize("rung", [Rung.FENTRY, Rung.KPROBE])
def test_a_refill_inside_the_allocation_is_seen_by_level_full(rung: Rung) -> None:
    plan = make_plan(kernel(functions=FUNCTIONS, symbols=SYMBOLS), Level.FULL, forced=rung)
    assert plan.inlined_refill
    assert [hook.name for hook in plan.hooks] == [
        "slow", "release", "return", "create", "teardown", "alloc", "fragment", "update_nid",
    ]  # fmt: skip
    assert {"refill_batch_pages", "refill_misses", "allocs"} <= {metric.name for metric in counters(plan)}


@pytest.mark.parametrize("level", [Level.LEAN, Level.STANDARD])
def test_a_refill_inside_the_allocation_is_seen_by_no_other_level(level: Level) -> None:
    with pytest.raises(NotObservable) as caught:
        make_plan(kernel(functions=FUNCTIONS, symbols=SYMBOLS), level)
    assert str(caught.value).count("its refills are inside the allocation, which level full hooks") == 2


def test_the_slow_path_is_hooked_by_its_name_on_this_kernel() -> None:
    plan = chosen(functions={REFILL: 1, OLD: 2}, symbols={})
    assert [hook.symbol for hook in plan.hooks if hook.name == "slow"] == [OLD]


def test_a_kernel_without_nid_updates_is_observed_without_them() -> None:
    assert not chosen(tracepoints=without(UPDATE_NID)).has(Hook.UPDATE_NID)


def test_refills_cost_less_by_fentry_than_by_kprobe() -> None:
    fentry, kprobe = (make_plan(KERNEL, Level.LEAN, forced=rung) for rung in (Rung.FENTRY, Rung.KPROBE))
    for cheap, dear in zip(fentry.hooks[:2], kprobe.hooks[:2], strict=True):
        assert (cheap.name, cheap.cost_ns < dear.cost_ns) == (dear.name, True)


def test_only_level_lean_by_trampoline_needs_no_entry_of_a_refill() -> None:
    plans = [make_plan(KERNEL, level, forced=rung) for rung in (Rung.FENTRY, Rung.KPROBE) for level in Level]
    assert [(plan.level, plan.rung) for plan in plans if plan.refill_by_exit] == [(Level.LEAN, Rung.FENTRY)]
    costs = {(plan.level, plan.rung): plan.hooks[0].cost_ns for plan in plans}
    assert costs[Level.LEAN, Rung.FENTRY] < costs[Level.STANDARD, Rung.FENTRY] == costs[Level.FULL, Rung.FENTRY]
    assert costs[Level.LEAN, Rung.KPROBE] == costs[Level.STANDARD, Rung.KPROBE]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"functions": {}}, ""),  # BTF without these functions: they were inlined
        ({"refusals": {"fentry": "E", "kprobe": "CONFIG_KPROBES is off"}}, "CONFIG_KPROBES=y"),
        ({"refusals": {"fentry": "E", "kprobe": "K"}, "lockdown": "integrity"}, "lockdown: integrity"),
    ],
)
def test_the_fix_is_the_one_thing_that_would_let_a_better_rung_in(changes: dict[str, Any], words: str) -> None:
    fix = chosen(**changes).hooks[0].fix
    assert words in fix if words else not fix
