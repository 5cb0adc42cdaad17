"""Which hooks, by which mechanism, at which cost, and why not a better one: ``make_plan(features, level)``.

A plan is a value. It is made from facts alone, so it can be argued about, tested and replayed without a kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ppobserve.errors import NotObservable
from ppobserve.model.features import (
    DESTROY,
    OFFSETS,
    POOL_RELEASE,
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


class Rung(str, Enum):
    """How a function is hooked, from the cheapest down."""

    FENTRY = "fentry"
    KPROBE = "kprobe"
    TRACEPOINT = "tracepoint"


LADDER = (Rung.FENTRY, Rung.KPROBE, Rung.TRACEPOINT)

# Nanoseconds an event, on a server with mitigations. fentry and kprobe: equal bodies on one Zen 4 machine (Rezolus
# journal, 2026-09-04). Raw tracepoint: the same project's empty programs (2026-10-03). Return probes: their ratio to
# entry probes in the kernel's trigger benchmark (bpf list, 2024-04-25, 2025-08-17). A stack: bench/stack_cost.py.
FENTRY_NS, FEXIT_NS, KPROBE_NS, KRETPROBE_NS, TRACEPOINT_NS, STACK_NS = 48, 55, 110, 250, 38, 1000


@dataclass(frozen=True)
class Hook:
    """One thing that is hooked: what, how, what it costs, and what stood in the way of a better way."""

    name: str
    rung: Rung
    symbol: str
    cost_ns: int
    """Expected cost of one event, in nanoseconds."""
    event: str
    """What makes it run, as the end of "once per …"."""
    because: tuple[str, ...] = ()
    """Why not a better rung, best rung first."""
    fix: str = ""
    """What would make a better rung possible; empty where there is none, or nothing helps."""


@dataclass(frozen=True)
class Plan:
    """What will be attached."""

    level: Level
    rung: Rung
    hooks: tuple[Hook, ...]
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """What can't be counted under this plan, by hook name, with the reason."""

    def has(self, hook: str) -> bool:
        """Is this hook part of the plan?"""
        return any(hook == each.name for each in self.hooks)


def make_plan(
    features: Features, level: Level, *, forced: Rung | None = None, failed: Mapping[Rung, str] | None = None
) -> Plan:
    """The best plan for this kernel. *forced* allows one rung only; *failed* are rungs that did not attach, and why.

    NotObservable when nothing is left.
    """
    require_observable(features)
    reasons: list[str] = []
    for rung in LADDER:
        refusal = (failed or {}).get(rung) or _refusal(features, rung)
        if forced is None and refusal:
            reasons.append(f"{rung.value}: {refusal}")
        elif forced in (None, rung):
            if refusal:
                raise NotObservable(f"cannot use the {rung.value} rung: {refusal}")
            return _plan(features, level, rung, tuple(reasons))
    raise NotObservable(
        "every way to hook page_pool was refused by this kernel",
        because="\n  ".join([*reasons, f"lockdown: {features.lockdown or 'not known'}"]),
    )


def require_observable(features: Features) -> None:
    """NotObservable for a kernel that has nothing to hook, or doesn't say where."""
    if features.no_btf:
        raise NotObservable(features.no_btf, fix="a kernel with CONFIG_DEBUG_INFO_BTF=y")
    if "PP_ALLOC_COUNT" not in features.offsets and STATE_RELEASE not in features.tracepoints:
        raise NotObservable(
            "this kernel has no page_pool", because="its type information knows no struct page_pool (CONFIG_PAGE_POOL)"
        )
    if missing := [name for name in (STATE_HOLD, STATE_RELEASE, POOL_RELEASE) if name not in features.tracepoints]:
        raise NotObservable(f"the kernel has no tracepoint {missing[0]}, which every rung needs")
    if features.missing_offsets:
        raise NotObservable(f"this kernel's structs lack {', '.join(features.missing_offsets)}")


def _refusal(features: Features, rung: Rung) -> str:
    """Why this rung can't be taken; empty when it can, as far as is known without trying."""
    if rung is Rung.TRACEPOINT:
        return _stack_refusal(features)
    return _missing(features, rung, REFILL, features.slow_function) or features.refusals.get(rung.value, "")


def _missing(features: Features, rung: Rung, *functions: str) -> str:
    """Which of *functions* this rung does not find, and where it looked; empty when all are there."""
    where, known = ("BTF", features.functions) if rung is Rung.FENTRY else ("kallsyms", features.symbols)
    return next((f"{where} has no {function}" for function in functions if function not in known), "")


def _stack_refusal(features: Features) -> str:
    """The tracepoint rung looks for the refill among a return's callers, by address."""
    if REFILL not in features.symbols:
        return f"kallsyms has no {REFILL} to look for in stacks"
    if features.root and not features.symbols[REFILL][0]:
        return "addresses in /proc/kallsyms are hidden (kernel.kptr_restrict)"
    return ""


def _fix(features: Features, rung: Rung) -> str:
    """The one thing that would let a better rung in; empty where nothing helps, as for a function that was inlined."""
    if rung is Rung.FENTRY or not {REFILL, features.slow_function} <= features.functions.keys():
        return ""
    if "CONFIG_KPROBES" in features.refusals.get("kprobe", ""):
        return "boot a kernel with CONFIG_KPROBES=y, as every distribution builds them"
    return f"boot a kernel that lets root trace functions (lockdown: {features.lockdown or 'not known'})"


def _plan(features: Features, level: Level, rung: Rung, because: tuple[str, ...]) -> Plan:
    hooks = [
        *_alloc_hooks(features, rung, because),
        Hook("release", Rung.TRACEPOINT, POOL_RELEASE, TRACEPOINT_NS, "end of a pool"),
        *_return_hooks(features, level, rung, because),
    ]
    if level is not Level.LEAN and UPDATE_NID in features.tracepoints:
        hooks.append(Hook("update_nid", Rung.TRACEPOINT, UPDATE_NID, TRACEPOINT_NS, "nid update"))
    return Plan(level, rung, tuple(hooks), _unavailable(features, level, rung))


def _return_hooks(features: Features, level: Level, rung: Rung, because: tuple[str, ...]) -> tuple[Hook, ...]:
    """Pages that leave, and why. On the tracepoint rung mismatches are seen nowhere else, so every level has it."""
    if rung is Rung.TRACEPOINT:
        cost = TRACEPOINT_NS + STACK_NS
        return (Hook("return", rung, STATE_RELEASE, cost, "page returned", because, _fix(features, rung)),)
    if level is Level.LEAN:
        return ()
    hooks = [Hook("return", Rung.TRACEPOINT, STATE_RELEASE, TRACEPOINT_NS, "page returned")]
    if not _no_teardown(features, rung):
        cost = FENTRY_NS if rung is Rung.FENTRY else KPROBE_NS
        hooks.append(Hook("teardown", rung, DESTROY, cost, "end of a pool", because, _fix(features, rung)))
    return tuple(hooks)


def _no_teardown(features: Features, rung: Rung) -> str:
    """Why the end of a pool can't be told; empty when it can."""
    if rung is not Rung.TRACEPOINT and "PP_RELEASE_DW" not in features.offsets:
        return f"BTF has no {OFFSETS['PP_RELEASE_DW']}"
    return _missing(features, rung, DESTROY, RELEASE_RETRY)


def _unavailable(features: Features, level: Level, rung: Rung) -> dict[str, str]:
    """What this plan does not count, and why."""
    if level is Level.LEAN and rung is not Rung.TRACEPOINT:
        return {"reasons": "level lean tells two reasons of a return apart: numa, and other for all the rest"}
    missing = {}
    if rung is Rung.TRACEPOINT:
        missing["refill"] = (
            "a refill that finds what it wants passes no tracepoint: batches and misses need a function hook"
        )
    if why := _no_teardown(features, rung):
        missing["teardown"] = f"{why}: returns at the end of a pool are counted by what their pages look like"
    return missing


def _alloc_hooks(features: Features, rung: Rung, because: tuple[str, ...]) -> tuple[Hook, ...]:
    """Refill and slow path, or what stands for them."""
    if rung is Rung.TRACEPOINT:
        return (Hook("hold", rung, STATE_HOLD, TRACEPOINT_NS, "page held", because, _fix(features, rung)),)
    entry, leave = (FENTRY_NS, FEXIT_NS) if rung is Rung.FENTRY else (KPROBE_NS, KRETPROBE_NS)
    slow = leave if rung is Rung.FENTRY else entry + leave
    return (
        Hook("refill", rung, REFILL, entry + leave, "refill", because, _fix(features, rung)),
        Hook("slow", rung, features.slow_function, slow, "slow refill", because, _fix(features, rung)),
    )
