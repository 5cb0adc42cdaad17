"""Which hooks a trace takes, and what it says of what it can't see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ppobserve.errors import NotObservable
from ppobserve.model.features import CREATE
from ppobserve.model.plan import Level, Rung, make_plan
from ppobserve.model.trace import KINDS, Dropped, Event, Kind, Selection, TracePlan, event_document, trace_plan
from tests.unit.factories import KERNEL, kernel, plan

FUNCTION_RUNGS = (Rung.FENTRY, Rung.KPROBE)
NEEDED = {
    Kind.MISMATCH: {"return", "refill"},
    Kind.SLOW: {"slow"},
    Kind.RETURN: {"return", "refill", "teardown", "release", "update_nid"},
    Kind.CREATE: {"create"},
    Kind.DESTROY: {"release"},
    Kind.UPDATE_NID: {"update_nid"},
}
BY_TRACEPOINT = {
    **NEEDED,
    Kind.MISMATCH: {"return"},
    Kind.SLOW: {"hold"},
    Kind.RETURN: {"return", "release", "update_nid"},
    Kind.CREATE: set[str](),
}


def traced(rung: Rung, *kinds: Kind) -> TracePlan:
    return trace_plan(plan(Level.STANDARD, rung), Selection(frozenset(kinds)))


def hooks(what: TracePlan) -> set[str]:
    return {hook.name for hook in what.plan.hooks}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rung", FUNCTION_RUNGS)
def test_an_event_takes_its_hooks_and_no_other(rung: Rung, kind: Kind) -> None:
    what = traced(rung, kind)
    assert hooks(what) == NEEDED[kind]
    assert (what.unseen, what.notes) == ({}, ())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not Kind.CREATE])
def test_tracepoints_see_all_but_a_new_pool(kind: Kind) -> None:
    what = traced(Rung.TRACEPOINT, kind, Kind.CREATE)
    assert hooks(what) == BY_TRACEPOINT[kind]
    assert set(what.unseen) == {Kind.CREATE}
    assert "passes no tracepoint" in what.unseen[Kind.CREATE]


def test_nothing_that_can_be_seen_is_an_error_with_the_reason() -> None:
    with pytest.raises(NotObservable, match="shows none of these events\n  create: a new pool passes no tracepoint"):
        traced(Rung.TRACEPOINT, Kind.CREATE)


def test_a_kernel_that_creates_pools_by_another_name_says_so() -> None:
    functions = {name: place for name, place in KERNEL.functions.items() if name not in CREATE}
    without = make_plan(kernel(functions=functions), Level.STANDARD, forced=Rung.FENTRY)
    what = trace_plan(without, Selection(frozenset({Kind.CREATE, Kind.SLOW})))
    assert what.unseen == {Kind.CREATE: "this kernel has nothing to hook for it"}


def test_all_events_take_all_hooks_of_the_plan() -> None:
    for rung in Rung:
        whole = plan(Level.STANDARD, rung)
        assert trace_plan(whole, Selection()).plan.hooks == whole.hooks


def test_what_tracepoints_see_less_well_is_said() -> None:
    assert "not how many follow" in traced(Rung.TRACEPOINT, Kind.SLOW).notes[0]
    unavailable = {"teardown": "no function: by their looks", "pfmemalloc": "wiped"}
    without = replace(plan(Level.STANDARD, Rung.TRACEPOINT), unavailable=unavailable)
    notes = trace_plan(without, Selection(frozenset({Kind.RETURN}))).notes
    assert notes == ("return: wiped", "return: no function: by their looks")


@pytest.mark.parametrize(
    ("asked", "shown"),
    [({Kind.RETURN}, {Kind.RETURN, Kind.MISMATCH}), ({Kind.MISMATCH}, {Kind.MISMATCH}), ({Kind.SLOW}, {Kind.SLOW})],
)
def test_who_asks_for_returns_gets_the_mismatches_among_them(asked: set[Kind], shown: set[Kind]) -> None:
    assert Selection(frozenset(asked)).shown == shown


def test_what_was_dropped_adds_up() -> None:
    assert Dropped(limited=19, lost=23).total == 42


def test_an_event_as_a_document_has_what_it_knows_and_no_more() -> None:
    event = Event(5, Kind.MISMATCH, 0, 1, 41, "comm", "23", page_node=0, wanted_node=1, reason="numa")
    assert event_document(event) == {
        "event": "mismatch", "time_ns": 5, "cpu": 0, "node": 1, "pid": 41, "comm": "comm", "pool": "23", "netns": 0,
        "ifindex": 0, "napi": 0, "nid": -1, "page_node": 0, "wanted_node": 1, "reason": "numa",
    }  # fmt: skip
