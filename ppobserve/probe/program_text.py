"""The C that is compiled for a plan: which files, which -D."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import ppobserve
from ppobserve.errors import LoaderError
from ppobserve.model.audit import RECYCLE_STATS
from ppobserve.model.features import (
    CREATE,
    DESTROY,
    PER_CPU_OFFSET,
    REFILL,
    RELEASE_RETRY,
    SYSTEM_RECYCLE_STATS,
    UPDATE_NID_FUNCTION,
    Features,
)
from ppobserve.model.hooks import Hook
from ppobserve.model.plan import Level, Plan, Rung
from ppobserve.probe import abi, hook_code
from ppobserve.probe.hook_code import Purpose
from ppobserve.probe.include import joined

_PACKAGE = Path(ppobserve.__file__).parent

SAMPLES = ("sample/pool.c", "sample/kept.c")
AUDIT = "sample/stats.c"


def bpf_folder() -> Path:
    """Where the kernel side is: inside an installed wheel, or beside the package in a source tree."""
    for folder in (_PACKAGE / "_bpf", _PACKAGE.parent / "bpf"):
        if (folder / "abi.h").is_file():
            return folder
    raise LoaderError(
        f"the BPF sources are missing: neither {_PACKAGE / '_bpf'} nor {_PACKAGE.parent / 'bpf'} has them",
        because="the package was built without its bpf/ folder",
        fix="reinstall ppobserve",
    )


def shim_folder() -> Path:
    """The header tree that stands in for the kernel's, as BCC_KERNEL_SOURCE."""
    return bpf_folder() / "shim"


def files(plan: Plan, *, audits: bool = False) -> tuple[str, ...]:
    """The files of a plan that counts. What else they need they include themselves."""
    return (*hook_code.files(plan, Purpose.COUNT), *SAMPLES, *((AUDIT,) if audits else ()))


def text(plan: Plan, tables: abi.Tables, folder: Path | None = None, *, audits: bool = False) -> str:
    """The translation unit of a plan that counts."""
    return unit(files(plan, audits=audits), abi.assertions(tables.nodes), folder)


def unit(names: Iterable[str], assertions: str, folder: Path | None = None) -> str:
    """These files and what they include as one, with *assertions* at the end."""
    return f'{joined(names, folder or bpf_folder())}#line 1 "assertions of ppobserve/probe"\n{assertions}'


def tables(features: Features) -> abi.Tables:
    """Table sizes for this machine."""
    return abi.Tables(cpus=features.cpus, nodes=abi.nodes_told_apart(features.nodes))


def defines(features: Features, plan: Plan, sizes: abi.Tables) -> dict[str, int | str]:
    """Everything the kernel side takes as -D."""
    hook = {hook.name: hook.symbols for hook in plan.hooks}
    values: dict[str, int | str] = {
        **features.offsets,
        **sizes.defines(),
        **_ranges(features),
        "RING_STRETCH": abi.RING_STRETCH,
        "CACHE_PAGES": features.cache_pages,
        "NODES_SHIFT_IN_FLAGS": features.nodes_shift_in_flags,
        "NODES_MASK": features.nodes_mask,
    }
    values |= {f"HOOK_{name.upper()}": 1 for name in hook}
    if features.allocators.intersection(hook.get(Hook.FRAGMENT, ())):
        values["FRAG_ALLOCATES"] = 1
    values |= _recycle_stats(features)
    if CREATE[0] in hook.get(Hook.CREATE, ()):
        values["CREATE_PERCPU"] = 1
    if plan.inlined_refill:
        values["INLINED_REFILL"] = 1
    if plan.level is Level.LEAN:
        values["MISMATCH_FROM_RING"] = 1
    if plan.rung is Rung.FENTRY:
        values["BY_TRAMPOLINE"] = 1
    if plan.refill_by_exit:
        values["REFILL_BY_EXIT"] = 1
    if plan.rung is not Rung.TRACEPOINT:  # whose programs ask the callers: bpf/reason.h
        values["REASON_BY_STATE"] = 1
    return values


def _recycle_stats(features: Features) -> dict[str, str]:
    """Where the kernel's counters of recycling are; nothing where it has none, or hides where."""
    own, shared = (features.variables.get(name, 0) for name in (PER_CPU_OFFSET, SYSTEM_RECYCLE_STATS))
    if RECYCLE_STATS not in features.offsets or not own:
        return {}
    return {"PER_CPU_OFFSET": f"{own}ULL", "SYSTEM_RECYCLE_STATS": f"{shared}ULL"}


_CALLERS = {
    "REFILL": REFILL,
    "DESTROY": DESTROY,
    "RELEASE_RETRY": RELEASE_RETRY,
    "UPDATE_NID": UPDATE_NID_FUNCTION,
}


def _ranges(features: Features) -> dict[str, str]:
    """Where the functions are that a stack is searched for; zeros for one that this kernel does not have."""
    ranges = {name: features.symbols.get(function, (0, 0)) for name, function in _CALLERS.items()}
    starts = {f"{name}_START": f"{start}ULL" for name, (start, _) in ranges.items()}
    return {**starts, **{f"{name}_END": f"{end}ULL" for name, (_, end) in ranges.items()}}
