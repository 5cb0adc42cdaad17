"""Which hooks, by which mechanism, at which cost, and why not a better one: ``make_plan(features, level)``.

A plan is a value. It is made from facts alone, so it can be argued about, tested and replayed without a kernel.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from ppobserve.errors import NotObservable
from ppobserve.model.features import (
    DESTROY,
    OFFSETS,
    REFILL,
    RELEASE_RETRY,
    STATE_HOLD,
    STATE_RELEASE,
    Features,
)
from ppobserve.model.hooks import CATALOGUE, COST_NS, LADDER, End, Hook, Spec
from ppobserve.model.hooks import Level as Level
from ppobserve.model.hooks import Rung as Rung
from ppobserve.model.privileges import better_rung, lacking, require_privileges, spelled


@dataclass(frozen=True)
class PlannedHook:
    """One hook of a plan: how it is hooked here, what it costs, and what stood in the way of a better way."""

    name: str
    """A ``Hook``; in a plan that was read from a document, maybe one that this version does not know."""
    rung: Rung
    symbols: tuple[str, ...]
    cost_ns: int
    """Expected cost of one event, in nanoseconds."""
    event: str
    """What makes it run, as the end of "once per …"."""
    because: tuple[str, ...] = ()
    """Why not a better rung, best rung first."""
    fix: str = ""
    """What would make a better rung possible; empty where there is none, or nothing helps."""
    ends: tuple[End, ...] = field(default=(), compare=False)
    """Where programs run in the functions; empty in a plan that was read from a document."""

    @property
    def symbol(self) -> str:
        """Its symbols as one word, as labels and documents have them."""
        return ",".join(self.symbols)


@dataclass(frozen=True)
class Plan:
    """What will be attached."""

    level: Level
    rung: Rung
    hooks: tuple[PlannedHook, ...]
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """What can't be counted under this plan, by hook name, with the reason."""

    def has(self, hook: Hook) -> bool:
        """True if this hook is part of the plan."""
        return any(hook == each.name for each in self.hooks)

    @property
    def inlined_refill(self) -> bool:
        """Is a refill seen as an allocation that finds the cache empty, because the kernel has it in there?"""
        return self.has(Hook.ALLOC) and not self.has(Hook.REFILL)

    @property
    def refill_by_exit(self) -> bool:
        """True if a refill is seen only where it ends."""
        return any(hook.name == Hook.REFILL and hook.ends == (End.EXIT,) for hook in self.hooks)


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
    planned = (_planned(spec, features, level, rung, because) for spec in CATALOGUE)
    return Plan(level, rung, tuple(filter(None, planned)), _unavailable(features, level, rung))


_ORDER = tuple(Level)


def _planned(spec: Spec, features: Features, level: Level, rung: Rung, because: tuple[str, ...]) -> PlannedHook | None:
    """This hook as the kernel allows it; None if this level, rung or kernel has none."""
    if rung not in spec.since or _ORDER.index(level) < _ORDER.index(spec.since[rung]):
        return None
    symbols = spec.symbols(features, _known(features, rung))
    if not symbols:
        return None
    way, ends = spec.way(rung), spec.ends(features, level, rung)
    cost = sum(COST_NS[way, end] for end in ends) + spec.extra_ns.get(rung, 0)
    if spec.is_at_its_best(rung):
        return PlannedHook(spec.hook, way, symbols, cost, spec.event, ends=ends)
    return PlannedHook(spec.hook, way, symbols, cost, spec.event, because, _fix(features, rung), ends)


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
            "refill batches and misses are not counted: they pass no tracepoint, and need a function hook"
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
