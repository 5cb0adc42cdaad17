"""Which C counts and traces each hook's events, declared once, and what is attached for a hook of a plan.

``bpf/count`` and ``bpf/trace`` have a file for each hook. The hooks themselves are in ``model/hooks.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ppobserve.model.features import RELEASE_RETRY
from ppobserve.model.hooks import End, Hook, Rung
from ppobserve.model.plan import Plan, PlannedHook


class Purpose(str, Enum):
    """What programs are for: a folder of ``bpf``."""

    COUNT = "count"
    TRACE = "trace"

    @property
    def prefix(self) -> str:
        """How the names of its programs begin: no function has two bodies."""
        return "" if self is Purpose.COUNT else f"{self.value}_"


@dataclass(frozen=True)
class Code:
    """The C of one hook."""

    file: str
    """In the folder of its purpose."""
    programs: tuple[str, ...]
    """By tracepoint the program itself. In a function its name is this, ``_``, and the end where it runs."""
    at: Mapping[str, str]
    """Functions of the kernel that are not the hook's own symbols, by program."""
    stand_in: str = ""
    """A program that does the same, for when the kernel skips the first: see bpf/count/release.c."""


def _code(file: str, *programs: str, at: Mapping[str, str] | None = None, stand_in: str = "") -> Code:
    return Code(file, programs, at or {}, stand_in)


HOOK_CODE: dict[str, Code] = {
    Hook.REFILL: _code("refill.c", "refill"),
    Hook.SLOW: _code("slow.c", "slow"),
    Hook.HOLD: _code("hold.c", "page_held"),
    Hook.RELEASE: _code("release.c", "pool_released", stand_in="pool_released_too"),
    Hook.RETURN: _code("return.c", "page_returned"),
    Hook.CREATE: _code("create.c", "create"),
    Hook.TEARDOWN: _code("teardown.c", "destroy", "release_retry", at={"release_retry": RELEASE_RETRY}),
    Hook.ALLOC: _code("alloc.c", "alloc"),
    Hook.FRAGMENT: _code("fragment.c", "fragment"),
    Hook.UPDATE_NID: _code("update_nid.c", "nid_updated"),
}

_KINDS = {
    (Rung.FENTRY, End.ENTRY): "fentry",
    (Rung.FENTRY, End.EXIT): "fexit",
    (Rung.KPROBE, End.ENTRY): "kprobe",
    (Rung.KPROBE, End.EXIT): "kretprobe",
    (Rung.TRACEPOINT, End.ENTRY): "raw_tracepoint",
}
EXITS = frozenset({"fexit", "kretprobe"})

Item: TypeAlias = dict[str, str]
"""One program: the ``kind`` of hook, the ``function`` in the C, and the ``event`` of the kernel that it is for."""


def files(plan: Plan, purpose: Purpose) -> list[str]:
    """The C of a plan's hooks, by its place in ``bpf``."""
    return [f"{purpose.value}/{HOOK_CODE[hook.name].file}" for hook in plan.hooks]


def items(hook: PlannedHook, purpose: Purpose) -> list[Item]:
    """What is attached for a hook."""
    return [
        _item(_KINDS[hook.rung, end], _function(program, hook, end, purpose), event)
        for program in HOOK_CODE[hook.name].programs
        for event in _events(program, hook)
        for end in hook.ends
    ]


def _events(program: str, hook: PlannedHook) -> Iterable[str]:
    own = HOOK_CODE[hook.name].at
    return (own[program],) if program in own else hook.symbols


def _function(program: str, hook: PlannedHook, end: End, purpose: Purpose) -> str:
    return purpose.prefix + (program if hook.rung is Rung.TRACEPOINT else f"{program}_{end.value}")


def end_of(item: Item) -> str:
    """Return ``_entry`` or ``_exit`` for a program in a function, and nothing for one at a tracepoint."""
    rung, end = next(where for where, kind in _KINDS.items() if kind == item["kind"])
    return "" if rung is Rung.TRACEPOINT else f"_{end.value}"


def in_order(plan: Plan, purpose: Purpose) -> list[Item]:
    """Everything to attach for a plan. Exits come first: an entry without its exit would leave a refill open."""
    wanted = (item for hook in plan.hooks for item in items(hook, purpose))
    return sorted(wanted, key=lambda item: item["kind"] not in EXITS)


STAND_INS = {code.programs[0]: code.stand_in for code in HOOK_CODE.values() if code.stand_in}


def stand_ins(wanted: Iterable[Item]) -> list[Item]:
    """What hangs beside some of the *wanted*."""
    return [{**item, "function": STAND_INS[item["function"]]} for item in wanted if item["function"] in STAND_INS]


def on_demand(function: str) -> Item:
    """A program that is loaded and not attached."""
    return _item("raw_tracepoint", function, "")


def _item(kind: str, function: str, event: str) -> Item:
    return {"kind": kind, "function": function, "event": event}
