"""What a hook is made of: for each event of the kernel the kind of hook and the BPF function that runs there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from ppobserve.model.features import DESTROY, RELEASE_RETRY
from ppobserve.model.plan import Hook, Plan, Rung

STAND_INS = {"pool_released": "pool_released_too"}
"""Programs that hang beside another, and do what is to be done when the kernel skips that one (bpf/life.c)."""

Item: TypeAlias = dict[str, str]
"""``kind``, ``function`` and ``event`` of one program."""
Pieces: TypeAlias = Callable[[Rung, str, Plan], list[Item]]


def pieces(hook: Hook, plan: Plan) -> list[Item]:
    """What to attach for a hook."""
    return [item for symbol in hook.symbol.split(",") for item in _PIECES[hook.name](hook.rung, symbol, plan)]


def in_order(plan: Plan) -> list[Item]:
    """Everything to attach for a plan, in the order in which that may happen."""
    return sorted((item for hook in plan.hooks for item in pieces(hook, plan)), key=_exits_first)


def stand_ins(plan: Plan) -> list[Item]:
    """What hangs beside others."""
    replaceable = (item for item in in_order(plan) if item["function"] in STAND_INS)
    return [{**item, "function": STAND_INS[item["function"]]} for item in replaceable]


def on_demand(function: str) -> Item:
    """A program that is loaded and not attached."""
    return _item("raw_tracepoint", function, "")


def _item(kind: str, function: str, event: str) -> Item:
    return {"kind": kind, "function": function, "event": event}


def _entry(name: str, rung: Rung, symbol: str) -> Item:
    return _item("kprobe" if rung is Rung.KPROBE else "fentry", f"{name}_entry", symbol)


def _exit(name: str, rung: Rung, symbol: str) -> Item:
    return _item("kretprobe" if rung is Rung.KPROBE else "fexit", f"{name}_exit", symbol)


def _exits_first(item: Item) -> bool:
    """An entry without its exit would leave a refill open."""
    return item["kind"] not in ("fexit", "kretprobe")


def _around(name: str) -> Pieces:
    return lambda rung, symbol, plan: [_exit(name, rung, symbol), _entry(name, rung, symbol)]


def _refill(rung: Rung, symbol: str, plan: Plan) -> list[Item]:
    """At level lean by trampoline, where it ends is enough."""
    return [_exit("refill", rung, symbol)] if plan.refill_by_exit else _around("refill")(rung, symbol, plan)


def _slow(rung: Rung, symbol: str, plan: Plan) -> list[Item]:
    """An exit program by trampoline sees the pool; the entry is needed where it ends an inlined refill."""
    if rung is Rung.KPROBE or plan.inlined_refill:
        return _around("slow")(rung, symbol, plan)
    return [_exit("slow", rung, symbol)]


def _alloc(rung: Rung, symbol: str, plan: Plan) -> list[Item]:
    return _around("alloc")(rung, symbol, plan) if plan.inlined_refill else [_entry("alloc", rung, symbol)]


def _teardown(rung: Rung, symbol: str, plan: Plan) -> list[Item]:
    return [_entry("destroy", rung, DESTROY), _entry("release_retry", rung, RELEASE_RETRY)]


def _create(rung: Rung, symbol: str, plan: Plan) -> list[Item]:
    return [_exit("create", rung, symbol)]


def _tracepoint(function: str) -> Pieces:
    return lambda rung, symbol, plan: [_item("raw_tracepoint", function, symbol)]


_PIECES: Mapping[str, Pieces] = {
    "refill": _refill,
    "slow": _slow,
    "hold": _tracepoint("page_held"),
    "return": _tracepoint("page_returned"),
    "release": _tracepoint("pool_released"),
    "create": _create,
    "teardown": _teardown,
    "alloc": _alloc,
    "fragment": _around("fragment"),
    "update_nid": _tracepoint("nid_updated"),
}
