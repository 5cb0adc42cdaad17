"""Events as they happen: which there are, which hooks each needs, and what is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any

from ppobserve.errors import NotObservable
from ppobserve.model.hooks import Hook
from ppobserve.model.plan import Plan, Rung

SCHEMA = 1
"""Of the JSON lines; goes up when a reader of the older form would misread the newer one."""

DEFAULT_LIMIT = 1000
"""Events a second on each CPU, where nobody says otherwise: a terminal shows no more, and a CPU hardly feels it."""


class Kind(str, Enum):
    """What can be traced, in the kernel side's order (bpf/trace/event.h)."""

    MISMATCH = "mismatch"
    SLOW = "slow"
    RETURN = "return"
    CREATE = "create"
    DESTROY = "destroy"
    UPDATE_NID = "update_nid"


KINDS = tuple(Kind)

# The hook of a plan that a kind needs; of several the first that the plan has. The reason of a return is what its
# pool is going through, so that takes more hooks than the return itself, as far as the plan has them.
_NEEDS: Mapping[Kind, tuple[Hook, ...]] = {
    Kind.MISMATCH: (Hook.RETURN,),
    Kind.SLOW: (Hook.SLOW, Hook.HOLD),
    Kind.RETURN: (Hook.RETURN,),
    Kind.CREATE: (Hook.CREATE,),
    Kind.DESTROY: (Hook.RELEASE,),
    Kind.UPDATE_NID: (Hook.UPDATE_NID,),
}
_HELPS: Mapping[Kind, frozenset[Hook]] = {
    Kind.MISMATCH: frozenset({Hook.REFILL}),
    Kind.RETURN: frozenset({Hook.REFILL, Hook.TEARDOWN, Hook.RELEASE, Hook.UPDATE_NID}),
}
# Reasons of a return that a plan may be unable to tell.
_REASONS = ("pfmemalloc", "teardown")


@dataclass(frozen=True)
class Selection:
    """What is asked for. Empty sets let everything through."""

    kinds: frozenset[Kind] = frozenset(Kind)
    netdevs: frozenset[str] = frozenset()
    """Names of devices; an empty name stands for pools without a device."""
    nodes: frozenset[int] = frozenset()
    """NUMA nodes: the CPU's, the page's, or the one that was wanted must be among them."""
    limit: int = DEFAULT_LIMIT
    """Events a second on each CPU; 0: all."""
    stack: bool = False

    @property
    def shown(self) -> frozenset[Kind]:
        """The kinds that lines may have: who asks for returns gets the mismatches among them."""
        return self.kinds | {Kind.MISMATCH} if Kind.RETURN in self.kinds else self.kinds


@dataclass(frozen=True)
class Event:
    """One event. Nodes are None where there is none, or nobody knows it."""

    time_ns: int
    """Since the epoch."""
    kind: Kind
    cpu: int
    node: int
    """Of the CPU."""
    pid: int
    comm: str
    """Of the thread that was running; an interrupt's victim, often."""
    pool: str
    netdev: str = ""
    netns: int = 0
    ifindex: int = 0
    napi: int = 0
    nid: int = -1
    """The pool's node before the event; -1: the consumer's, wherever that runs."""
    page_node: int | None = None
    wanted_node: int | None = None
    """Of an update_nid, the new one."""
    reason: str = ""
    """Of a return."""
    pages: int | None = None
    """Of a slow refill, held, None where they can't be counted; of a destroyed pool, still out."""
    stack: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dropped:
    """Events that were asked for and not told."""

    limited: int = 0
    """Past the limit."""
    lost: int = 0
    """Found the buffer full: the reader was too slow."""
    skipped: int = 0
    """Not shown to our programs by the kernel, asked for or not."""

    @property
    def total(self) -> int:
        """All together."""
        return self.limited + self.lost + self.skipped


@dataclass(frozen=True)
class TracePlan:
    """The hooks of the events asked for, and what can't be traced, or not well, with the reason."""

    plan: Plan
    unseen: Mapping[Kind, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def event_document(event: Event) -> dict[str, Any]:
    """An event as a JSON document; what it has no word for is left out."""
    document = {"event": event.kind.value, **asdict(event)}
    del document["kind"]
    return {name: value for name, value in document.items() if value not in (None, "", ())}


def start_document(what: TracePlan, selection: Selection) -> dict[str, Any]:
    """What is traced, as the first line of a JSON trace."""
    return {
        "event": "start",
        "schema": SCHEMA,
        "rung": what.plan.rung.value,
        "hooks": [str(hook.name) for hook in what.plan.hooks],
        "kinds": [kind.value for kind in KINDS if kind in selection.kinds - what.unseen.keys()],
        "unseen": {kind.value: why for kind, why in what.unseen.items()},
        "notes": list(what.notes),
        "limit": selection.limit,
    }


def trace_plan(plan: Plan, selection: Selection) -> TracePlan:
    """What of *plan*, one of level standard, *selection* needs. NotObservable when that shows none of its events."""
    unseen = {kind: _why_unseen(plan, kind) for kind in KINDS if kind in selection.kinds and not _needed(plan, kind)}
    if unseen.keys() == selection.kinds:
        because = "\n  ".join(f"{kind.value}: {why}" for kind, why in unseen.items())
        raise NotObservable(f"the {plan.rung.value} rung shows none of these events", because=because)
    names = frozenset(name for kind in selection.kinds for name in _needed(plan, kind))
    hooks = tuple(hook for hook in plan.hooks if hook.name in names)
    return TracePlan(replace(plan, hooks=hooks), unseen, tuple(_notes(plan, selection.kinds)))


def _needed(plan: Plan, kind: Kind) -> frozenset[Hook]:
    """The hooks of *plan* that a kind takes; empty if it can't be seen."""
    has = frozenset(filter(plan.has, Hook))
    need = frozenset([hook for hook in _NEEDS[kind] if hook in has][:1])
    return need | _HELPS.get(kind, frozenset()) & has if need else need


def _why_unseen(plan: Plan, kind: Kind) -> str:
    if kind is Kind.CREATE and plan.rung is Rung.TRACEPOINT:
        return "a new pool passes no tracepoint: that needs a function hook"
    return "this kernel has nothing to hook for it"


def _notes(plan: Plan, kinds: Iterable[Kind]) -> Iterable[str]:
    """What is seen less well than on another kernel."""
    if Kind.SLOW in kinds and plan.has(Hook.HOLD):
        yield "slow: a tracepoint sees the first page of a slow refill, and not how many follow"
    if Kind.RETURN in kinds:
        yield from (f"return: {plan.unavailable[reason]}" for reason in _REASONS if reason in plan.unavailable)
