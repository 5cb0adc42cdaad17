"""The hooks, declared once: what each counts, from which level on, by which rungs, and at which symbols of a kernel.

Planning, attaching, costs, metrics and ``docs/hooks.md`` are loops over ``CATALOGUE``. The C of each hook is declared
once as well, in ``probe/hook_code.py``. docs/develop/add-a-hook.md walks through both.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from enum import Enum

from ppobserve.model.features import (
    DESTROY,
    REFILL,
    RELEASE_RETRY,
    STATE_HOLD,
    STATE_RELEASE,
    UPDATE_NID,
    Features,
)


class Level(str, Enum):
    """How much is counted. Each level counts what the one before it does."""

    LEAN = "lean"
    STANDARD = "standard"
    FULL = "full"


class Rung(str, Enum):
    """How a function is hooked, from the cheapest down."""

    FENTRY = "fentry"
    KPROBE = "kprobe"
    TRACEPOINT = "tracepoint"


LADDER = (Rung.FENTRY, Rung.KPROBE, Rung.TRACEPOINT)
FUNCTION_RUNGS = (Rung.FENTRY, Rung.KPROBE)


class End(str, Enum):
    """Where in a function a program runs."""

    ENTRY = "entry"
    EXIT = "exit"


# Nanoseconds an event, on a server with mitigations. fentry and kprobe: equal bodies on one Zen 4 machine (Rezolus
# journal, 2026-09-04). Raw tracepoint: the same project's empty programs (2026-10-03). Return probes: their ratio to
# entry probes in the kernel's trigger benchmark (bpf list, 2024-04-25, 2025-08-17). A stack: bench/stack_cost.py.
COST_NS: Mapping[tuple[Rung, End], int] = {
    (Rung.FENTRY, End.ENTRY): 48,
    (Rung.FENTRY, End.EXIT): 55,
    (Rung.KPROBE, End.ENTRY): 110,
    (Rung.KPROBE, End.EXIT): 250,
    (Rung.TRACEPOINT, End.ENTRY): 38,
}
STACK_NS = 1000


class Hook(str, Enum):
    """A place in the kernel where ppobserve counts."""

    REFILL = "refill"
    SLOW = "slow"
    HOLD = "hold"
    RELEASE = "release"
    RETURN = "return"
    CREATE = "create"
    TEARDOWN = "teardown"
    ALLOC = "alloc"
    FRAGMENT = "fragment"
    UPDATE_NID = "update_nid"

    def __str__(self) -> str:
        return self.value


Symbols = Callable[[Features, Container[str]], tuple[str, ...]]
Ends = Callable[[Features, Level, Rung], tuple[End, ...]]


def _at_entry(features: Features, level: Level, rung: Rung) -> tuple[End, ...]:
    return (End.ENTRY,)


def _at_exit(features: Features, level: Level, rung: Rung) -> tuple[End, ...]:
    return (End.EXIT,)


def _at_both(features: Features, level: Level, rung: Rung) -> tuple[End, ...]:
    return (End.EXIT, End.ENTRY)


@dataclass(frozen=True)
class Spec:
    """One hook. ``symbols`` and ``ends`` are functions because kernels differ in both."""

    hook: Hook
    event: str
    """What makes it run, as the end of "once per …"."""
    since: Mapping[Rung, Level]
    """The lowest level that has it, by rung. A rung that is missing never has it."""
    symbols: Symbols
    """Where it is hooked, given the names that the rung finds on this kernel; empty if it can't be."""
    ends: Ends = _at_entry
    """Where in these functions."""
    counts: tuple[str, ...] = ()
    """The metrics that need it, or another hook that counts them. Other metrics are read from the pool."""
    runs: str = ""
    """The metric that counts its events; empty if they happen once in the life of a pool."""
    tracepoint: bool = False
    """Hooked by tracepoint on every rung."""
    extra_ns: Mapping[Rung, int] = field(default_factory=dict)
    """What its program does beyond counting, by rung."""

    def way(self, rung: Rung) -> Rung:
        """How it is hooked when functions are hooked by *rung*."""
        return Rung.TRACEPOINT if self.tracepoint else rung

    def is_at_its_best(self, rung: Rung) -> bool:
        """True if no better rung would hook it in a cheaper or better way."""
        return rung not in self.extra_ns and self.tracepoint and rung in self.since and len(self.since) == len(Rung)


def _refill_symbols(features: Features, known: Container[str]) -> tuple[str, ...]:
    """Empty before kernel commit 44768decb7c0 (5.6): the refill is inside the allocation, where ALLOC sees it."""
    return () if features.refill_is_inlined else (REFILL,)


def _refill_ends(features: Features, level: Level, rung: Rung) -> tuple[End, ...]:
    """By trampoline the exit tells all of a refill. Above lean, returns in the middle of one must be recognized."""
    return (End.EXIT,) if rung is Rung.FENTRY and level is Level.LEAN else (End.EXIT, End.ENTRY)


def _slow_ends(features: Features, level: Level, rung: Rung) -> tuple[End, ...]:
    """An exit by trampoline sees the pool. Otherwise the entry notes it, and where the refill is inlined ends that."""
    return (End.EXIT,) if rung is Rung.FENTRY and not features.refill_is_inlined else (End.EXIT, End.ENTRY)


def _alloc_ends(features: Features, level: Level, rung: Rung) -> tuple[End, ...]:
    """The exit ends an inlined refill that got a page."""
    return (End.EXIT, End.ENTRY) if features.refill_is_inlined else (End.ENTRY,)


def _create_symbols(features: Features, known: Container[str]) -> tuple[str, ...]:
    return tuple(name for name in (features.create_function,) if name in known)


def _teardown_symbols(features: Features, known: Container[str]) -> tuple[str, ...]:
    """The work function names its pool by the offset of release_dw."""
    there = "PP_RELEASE_DW" in features.offsets and DESTROY in known and RELEASE_RETRY in known
    return (DESTROY,) if there else ()


def _fragment_symbols(features: Features, known: Container[str]) -> tuple[str, ...]:
    """Fragments are told from pages by their allocation, so without one there are none."""
    there = "PP_FRAG_USERS" in features.offsets and features.alloc_functions(known)
    return tuple(filter(None, [features.frag_function(known)])) if there else ()


_FUNCTIONS_FROM = {level: dict.fromkeys(FUNCTION_RUNGS, level) for level in Level}
_ALWAYS = dict.fromkeys(Rung, Level.LEAN)

CATALOGUE = (
    Spec(
        Hook.REFILL,
        "refill",
        _FUNCTIONS_FROM[Level.LEAN],
        _refill_symbols,
        _refill_ends,
        counts=("refill_batch_pages", "refill_misses", "numa_mismatch_pages"),
        runs="refill_batch_pages",
    ),
    Spec(
        Hook.SLOW,
        "slow refill",
        _FUNCTIONS_FROM[Level.LEAN],
        lambda features, known: (features.slow_function,),
        _slow_ends,
        counts=("slow_refills", "pages_held"),
        runs="slow_refills",
    ),
    Spec(
        Hook.HOLD,
        "page held",
        {Rung.TRACEPOINT: Level.LEAN},
        lambda features, known: (STATE_HOLD,),
        counts=("slow_refills", "pages_held"),
        runs="pages_held",
        tracepoint=True,
    ),
    Spec(
        Hook.RELEASE,
        "end of a pool",
        _ALWAYS,
        lambda features, known: (features.release_tracepoint,),
        tracepoint=True,
    ),
    Spec(
        Hook.RETURN,
        "page returned",
        {**_FUNCTIONS_FROM[Level.STANDARD], Rung.TRACEPOINT: Level.LEAN},  # which sees mismatches nowhere else
        lambda features, known: (STATE_RELEASE,),
        counts=("numa_mismatch_pages",),
        runs="pages_returned",
        tracepoint=True,
        extra_ns={Rung.TRACEPOINT: STACK_NS},
    ),
    Spec(Hook.CREATE, "new pool", _FUNCTIONS_FROM[Level.STANDARD], _create_symbols, _at_exit),
    Spec(Hook.TEARDOWN, "end of a pool", _FUNCTIONS_FROM[Level.STANDARD], _teardown_symbols),
    Spec(
        Hook.ALLOC,
        "page",
        _FUNCTIONS_FROM[Level.FULL],
        lambda features, known: features.alloc_functions(known),
        _alloc_ends,
        counts=("refill_batch_pages", "refill_misses", "allocs", "recycles"),
        runs="allocs",
    ),
    Spec(Hook.FRAGMENT, "fragment", _FUNCTIONS_FROM[Level.FULL], _fragment_symbols, _at_both),
    Spec(
        Hook.UPDATE_NID,
        "nid update",
        dict.fromkeys(Rung, Level.STANDARD),
        lambda features, known: tuple(name for name in (UPDATE_NID,) if name in features.tracepoints),
        counts=("nid_updates",),
        runs="nid_updates",
        tracepoint=True,
    ),
)
"""Every hook, in the order in which a plan lists them."""

SPECS: Mapping[str, Spec] = {spec.hook: spec for spec in CATALOGUE}
