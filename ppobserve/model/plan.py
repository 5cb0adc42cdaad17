"""Which hooks, by which mechanism, at which cost, and why not a better one: ``make_plan(features, level)``.

A plan is a value. It is made from facts alone, so it can be argued about, tested and replayed without a kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from ppobserve.errors import NotObservable
from ppobserve.model.features import (
    DESTROY,
    OFFSETS,
    REFILL,
    RELEASE_RETRY,
    STATE_HOLD,
    STATE_RELEASE,
    UPDATE_NID,
    Features,
)
from ppobserve.model.privileges import better_rung, lacking, require_privileges, spelled


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

    @property
    def inlined_refill(self) -> bool:
        """Is a refill seen as an allocation that finds the cache empty, because the kernel has it in there?"""
        return self.has("alloc") and not self.has("refill")

    @property
    def refill_by_exit(self) -> bool:
        """Is a refill seen only where it ends?"""
        return _refill_by_exit(self.level, self.rung)


def make_plan(
    features: Features, level: Level, *, forced: Rung | None = None, failed: Mapping[Rung, str] | None = None
) -> Plan:
    """The best plan for this kernel. *forced* allows one rung only; *failed* are rungs that did not attach, and why.

    NotObservable when nothing is left.
    """
    require_observable(features)
    require_privileges(features)
    reasons: list[str] = []
    for rung in LADDER:
        refusal = (failed or {}).get(rung) or _refusal(features, rung, level)
        if forced is None and refusal:
            reasons.append(f"{rung.value}: {refusal}")
        elif forced in (None, rung):
            if refusal:
                raise NotObservable(f"cannot use the {rung.value} rung: {refusal}", fix=better_rung(features))
            return _plan(features, level, rung, tuple(reasons))
    raise NotObservable(
        "every way to hook page_pool was refused",
        because="\n  ".join([*reasons, f"lockdown: {features.lockdown or 'not known'}"]),
        fix=better_rung(features),
    )


def require_observable(features: Features) -> None:
    """NotObservable for a kernel that has nothing to hook, or doesn't say where."""
    if features.no_btf:
        raise NotObservable(features.no_btf, fix=features.no_btf_fix)
    if "PP_ALLOC_COUNT" not in features.offsets and STATE_RELEASE not in features.tracepoints:
        raise NotObservable(
            "this kernel has no page_pool", because="its type information knows no struct page_pool (CONFIG_PAGE_POOL)"
        )
    needed = (STATE_HOLD, STATE_RELEASE, features.release_tracepoint)
    if missing := [name for name in needed if name not in features.tracepoints]:
        raise NotObservable(f"the kernel has no tracepoint {missing[0]}, which every rung needs")
    if features.missing_offsets:
        raise NotObservable(f"this kernel's structs lack {', '.join(features.missing_offsets)}")


def _refusal(features: Features, rung: Rung, level: Level) -> str:
    """Why this rung can't be taken; empty when it can, as far as is known without trying."""
    if rung is Rung.TRACEPOINT:
        return _stack_refusal(features)
    refusal = features.refusals.get(rung.value, "")
    if features.refill_is_inlined:
        return refusal or _missing(features, rung, features.slow_function) or _inlined_refusal(features, rung, level)
    return _missing(features, rung, REFILL, features.slow_function) or refusal


def _inlined_refusal(features: Features, rung: Rung, level: Level) -> str:
    """A refill that is inside the allocation is seen by who hooks every allocation, and only then."""
    if level is not Level.FULL:
        return f"this kernel has no {REFILL}: its refills are inside the allocation, which level full hooks"
    if not features.alloc_functions(_known(features, rung)):
        return _no_allocators(features, rung)
    return ""


def _no_allocators(features: Features, rung: Rung) -> str:
    """Why no allocation function can be hooked."""
    where = "BTF" if rung is Rung.FENTRY else "kallsyms"
    if not features.allocators:
        return "which functions allocate could not be read from the kernel's code"
    return f"{where} has none of {', '.join(sorted(features.allocators))}"


def _known(features: Features, rung: Rung) -> Container[str]:
    """The functions that this rung finds."""
    return features.functions if rung is Rung.FENTRY else features.symbols


def _missing(features: Features, rung: Rung, *functions: str) -> str:
    """Which of *functions* this rung does not find, and where it looked; empty when all are there."""
    where, known = "BTF" if rung is Rung.FENTRY else "kallsyms", _known(features, rung)
    missing = next((f"{where} has no {function}" for function in functions if function not in known), "")
    return features.no_symbols or missing if missing and rung is not Rung.FENTRY else missing


def _stack_refusal(features: Features) -> str:
    """The tracepoint rung looks for the refill among a return's callers, by address."""
    if REFILL not in features.symbols:
        return features.no_symbols or f"kallsyms has no {REFILL} to look for in stacks"
    if features.root and not features.symbols[REFILL][0]:
        missing = lacking(features, "SYSLOG")
        why = f": this process lacks {spelled(missing)}" if missing else " (kernel.kptr_restrict)"
        return f"addresses in /proc/kallsyms are hidden{why}"
    return ""


def _fix(features: Features, rung: Rung) -> str:
    """The one thing that would let a better rung in; empty where nothing helps, as for a function that was inlined."""
    if rung is Rung.FENTRY or not {REFILL, features.slow_function} <= features.functions.keys():
        return ""
    if "CONFIG_KPROBES" in features.refusals.get("kprobe", ""):
        return "boot a kernel with CONFIG_KPROBES=y, as every distribution builds them"
    return f"boot a kernel that lets root trace functions (lockdown: {features.lockdown or 'not known'})"


def _plan(features: Features, level: Level, rung: Rung, because: tuple[str, ...]) -> Plan:
    function = _function_hook(features, rung, because)
    hooks = [
        *_refill_hooks(features, level, rung, function),
        Hook("release", Rung.TRACEPOINT, features.release_tracepoint, TRACEPOINT_NS, "end of a pool"),
        *_return_hooks(features, level, rung, function),
    ]
    if level is Level.FULL and rung is not Rung.TRACEPOINT:
        hooks += _page_hooks(features, rung, function)
    if level is not Level.LEAN and UPDATE_NID in features.tracepoints:
        hooks.append(Hook("update_nid", Rung.TRACEPOINT, UPDATE_NID, TRACEPOINT_NS, "nid update"))
    return Plan(level, rung, tuple(hooks), _unavailable(features, level, rung))


FunctionHook: TypeAlias = Callable[[str, str, int, str], Hook]


def _function_hook(features: Features, rung: Rung, because: tuple[str, ...]) -> FunctionHook:
    """(name, symbol, cost, event) to a hook of this rung, with why it is no better one."""
    fix = _fix(features, rung)
    return lambda name, symbol, cost, event: Hook(name, rung, symbol, cost, event, because, fix)


def _costs(rung: Rung) -> tuple[int, int]:
    """Nanoseconds of an entry and of an exit."""
    return (FENTRY_NS, FEXIT_NS) if rung is Rung.FENTRY else (KPROBE_NS, KRETPROBE_NS)


def _refill_by_exit(level: Level, rung: Rung) -> bool:
    """By trampoline the end of a refill tells all of it; above lean, returns in its midst must be told."""
    return rung is Rung.FENTRY and level is Level.LEAN


def _refill_hooks(features: Features, level: Level, rung: Rung, function: FunctionHook) -> tuple[Hook, ...]:
    """Refill and slow path, or what stands for them."""
    if rung is Rung.TRACEPOINT:
        return (function("hold", STATE_HOLD, TRACEPOINT_NS, "page held"),)
    entry, leave = _costs(rung)
    inlined = features.refill_is_inlined
    slow_cost = leave if rung is Rung.FENTRY and not inlined else entry + leave
    slow = function("slow", features.slow_function, slow_cost, "slow refill")
    cost = leave if _refill_by_exit(level, rung) else entry + leave
    return (slow,) if inlined else (function("refill", REFILL, cost, "refill"), slow)


def _return_hooks(features: Features, level: Level, rung: Rung, function: FunctionHook) -> tuple[Hook, ...]:
    """Pages that leave, and why. On the tracepoint rung mismatches are seen nowhere else, so every level has it."""
    if rung is Rung.TRACEPOINT:
        return (function("return", STATE_RELEASE, TRACEPOINT_NS + STACK_NS, "page returned"),)
    if level is Level.LEAN:
        return ()
    hooks = [Hook("return", Rung.TRACEPOINT, STATE_RELEASE, TRACEPOINT_NS, "page returned")]
    if not _missing(features, rung, features.create_function):
        hooks.append(function("create", features.create_function, _costs(rung)[1], "new pool"))
    if not _no_teardown(features, rung):
        hooks.append(function("teardown", DESTROY, _costs(rung)[0], "end of a pool"))
    return tuple(hooks)


def _page_hooks(features: Features, rung: Rung, function: FunctionHook) -> tuple[Hook, ...]:
    """Every allocation: each enters one of the functions of the first hook. A fragment may reuse its page past them."""
    known = _known(features, rung)
    entry, leave = _costs(rung)
    functions = features.alloc_functions(known)
    if not functions:
        return ()
    cost = entry + leave if features.refill_is_inlined else entry
    hooks = [function("alloc", ",".join(functions), cost, "page")]
    if "PP_FRAG_USERS" in features.offsets and (fragment := features.frag_function(known)):
        hooks.append(function("fragment", fragment, entry + leave, "fragment"))
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
    if level is Level.FULL and (why := _no_allocs(features, rung)):
        missing["alloc"] = f"{why}: level full counts what standard does"
    if features.wipes_pfmemalloc:
        missing["pfmemalloc"] = (
            "this kernel wipes the pfmemalloc mark of a page before the tracepoint: such pages are counted as ring_full"
        )
    if why := _no_teardown(features, rung):
        missing["teardown"] = f"{why}: returns at the end of a pool are counted by what their pages look like"
    return missing


def _no_allocs(features: Features, rung: Rung) -> str:
    """Why allocations and recycles can't be counted; empty when they can."""
    if rung is Rung.TRACEPOINT:
        return "an allocation passes no tracepoint"
    return "" if features.alloc_functions(_known(features, rung)) else _no_allocators(features, rung)
