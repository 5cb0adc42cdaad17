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
from ppobserve.model.plan import Level, Plan, Rung
from ppobserve.probe import abi

_PACKAGE = Path(ppobserve.__file__).parent

COMMON = ("abi.h", "page_pool.h", "page.h", "device.h", "identity.h", "table.h", "cpu.h", "slot.h")
BY_RUNG = {
    Rung.FENTRY: ("refill.h", "trampoline.h", "refill_fentry.c"),
    Rung.KPROBE: ("refill.h", "refill_kprobe.c"),
    Rung.TRACEPOINT: ("returns.h", "callers.h", "return_stack.c"),
}
TRACE = ("abi.h", "page_pool.h", "page.h", "device.h", "identity.h", "trace_abi.h", "trace.h", "trace_events.h")
TRACE_BY_RUNG = {
    Rung.FENTRY: ("cpu.h", "trace_life.c", "reason.h", "trace_return.c", "trampoline.h", "trace_fentry.c"),
    Rung.KPROBE: ("cpu.h", "trace_life.c", "reason.h", "trace_return.c", "trace_kprobe.c"),
    Rung.TRACEPOINT: ("trace_life.c", "callers.h", "trace_stack.c"),
}


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
    """The files of one plan, in the order in which they are compiled."""
    chosen = [*COMMON, *BY_RUNG[plan.rung]]
    if plan.rung is not Rung.TRACEPOINT and plan.has("return"):
        chosen += ["returns.h", "reason.h", "return_refill.c"]
    if plan.has("alloc"):
        chosen += ["alloc.h", f"alloc_{plan.rung.value}.c"]
    if plan.has("fragment"):
        chosen += ["fragment.h", f"fragment_{plan.rung.value}.c"]
    if plan.has("create"):
        chosen += ["create.h", f"create_{plan.rung.value}.c"]
    if plan.has("teardown"):
        chosen += ["teardown.h", f"teardown_{plan.rung.value}.c"]
    chosen += ["group.h", "fold.c", "life.c"]
    if plan.has("update_nid"):
        chosen.append("nid.c")
    return (*chosen, "sample.c", "remote.c", *(("audit.c",) if audits else ()))


def text(plan: Plan, tables: abi.Tables, folder: Path | None = None, *, audits: bool = False) -> str:
    """One translation unit. BCC rewrites map access in the main file only, so files are joined, not included."""
    return joined(files(plan, audits=audits), abi.assertions(tables.nodes), folder)


def trace_files(plan: Plan) -> tuple[str, ...]:
    """The files of a plan that traces."""
    shared = (f"{hook}_{plan.rung.value}.c" for hook in ("create", "teardown") if plan.has(hook))
    return (*TRACE, *TRACE_BY_RUNG[plan.rung], *shared)


def joined(names: Iterable[str], assertions: str, folder: Path | None = None) -> str:
    """These files as one, with *assertions* behind them; each has its name for the compiler."""
    folder = folder or bpf_folder()
    parts = [f'#line 1 "bpf/{name}"\n{(folder / name).read_text()}' for name in names]
    return "\n".join([*parts, '#line 1 "assertions of ppobserve/probe"', assertions])


def tables(features: Features) -> abi.Tables:
    """Table sizes for this machine."""
    return abi.Tables(cpus=features.cpus, nodes=abi.nodes_told_apart(features.nodes))


def defines(features: Features, plan: Plan, sizes: abi.Tables) -> dict[str, int | str]:
    """Everything the kernel side takes as -D."""
    hook = {hook.name: hook.symbol for hook in plan.hooks}
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
    if "fragment" in hook and hook["fragment"] in features.allocators:
        values["FRAG_ALLOCATES"] = 1
    values |= _recycle_stats(features)
    if hook.get("create") == CREATE[0]:
        values["CREATE_PERCPU"] = 1
    if plan.inlined_refill:
        values["INLINED_REFILL"] = 1
    if plan.level is Level.LEAN:
        values["MISMATCH_FROM_RING"] = 1
    if plan.rung is Rung.FENTRY:
        values["BY_TRAMPOLINE"] = 1
    if plan.refill_by_exit:
        values["REFILL_BY_EXIT"] = 1
    if plan.rung is not Rung.TRACEPOINT:  # whose programs ask the callers: bpf/callers.h
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
