"""Looks at the running kernel and says what it offers, as ``model.features.Features``."""

from __future__ import annotations

import errno
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ppobserve.errors import KernelFactError
from ppobserve.kernel import bpf, btf, capabilities, kallsyms, machine_code, numa, perf, programs
from ppobserve.model.features import ALLOC, FRAG, FUNCTIONS, OFFSETS, SLOW, TRACEPOINTS, VARIABLES, Features
from ppobserve.model.privileges import USED

CPUINFO = Path("/proc/cpuinfo")
LOCKDOWN = Path("/sys/kernel/security/lockdown")
_TYPEDEFS = frozenset(f"btf_trace_{name}" for name in TRACEPOINTS)
_STRUCTS = frozenset({"zonelist", "zone_type", *(path.split(".")[0] for path in OFFSETS.values())})


@dataclass(frozen=True)
class Paths:
    """Where each fact is read."""

    btf: Path = btf.VMLINUX
    kallsyms: Path = kallsyms.KALLSYMS
    cpus: Path = numa.CPUS
    nodes: Path = numa.NODES
    cpuinfo: Path = CPUINFO
    lockdown: Path = LOCKDOWN
    user_namespace: Path = capabilities.USER_NAMESPACE


def gather(paths: Paths | None = None, *, attempt: bool = True) -> Features:
    """The facts of this kernel. *attempt* tries each rung that needs trying, which takes root and leaves nothing."""
    paths = paths or Paths()
    root = os.geteuid() == 0
    types = _types(paths.btf)
    symbols, held = _symbols(paths.kallsyms), capabilities.held(USED)
    return Features(
        kernel=platform.release(),
        machine=platform.machine(),
        root=root,
        lockdown=lockdown(paths.lockdown),
        cpus=numa.possible_cpus(paths.cpus),
        nodes=numa.possible_nodes(paths.nodes),
        emulated="QEMU TCG" in _text(paths.cpuinfo),
        capabilities=held,
        user_namespace=capabilities.in_user_namespace(paths.user_namespace),
        no_bpf=_no_bpf() if attempt and root else "",
        no_btf=types.unreadable,
        no_btf_fix=types.fix,
        no_symbols=symbols.unreadable,
        offsets=types.offsets,
        cache_pages=types.cache_pages,
        nodes_shift=types.nodes_shift,
        functions=types.functions,
        symbols=symbols.functions,
        variables=symbols.variables,
        allocators=_allocators(symbols.functions) if attempt and root else frozenset(),
        tracepoints=types.tracepoints,
        refusals=_refusals(types.ids, held) if attempt and root else {},
    )


def _no_bpf() -> str:
    """Why the smallest map can't be made; empty if it can."""
    try:
        os.close(bpf.create_array(value_bytes=8))
    except bpf.BpfError as error:
        return f"{_who_denies(error)} denies bpf(2): {os.strerror(error.errno or 0)}"
    return ""


def _who_denies(error: bpf.BpfError) -> str:
    """Filters answer EPERM, or ENOSYS; a kernel without memory, for example, is refused by no one else."""
    if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOSYS):
        return "the kernel"
    return "a seccomp filter" if capabilities.is_filtered() else "the kernel or a security module"


def lockdown(path: Path = LOCKDOWN) -> str:
    """The bracketed word of ``none [integrity] confidentiality``; empty where the kernel doesn't tell."""
    text = _text(path)
    return text[text.find("[") + 1 : text.find("]")] if "[" in text else ""


def _text(path: Path) -> str:
    """The text of a file; empty if it is missing, as in /proc mounted with subset=pid, or can't be read."""
    try:
        return path.read_text()
    except OSError:
        return ""


@dataclass(frozen=True)
class _Symbols:
    """What kallsyms says."""

    unreadable: str = ""
    """Why it says nothing; empty when it does."""
    functions: kallsyms.Ranges = field(default_factory=dict)
    variables: Mapping[str, int] = field(default_factory=dict)


def _symbols(path: Path) -> _Symbols:
    try:
        return _Symbols("", *kallsyms.look_up(FUNCTIONS, VARIABLES, path))
    except KernelFactError as error:
        return _Symbols(f"{error.what} ({error.because})")


@dataclass(frozen=True)
class _Types:
    """What the kernel's type information says."""

    unreadable: str = ""
    """Why it says nothing; empty when it does."""
    fix: str = ""
    """What would help then."""
    offsets: Mapping[str, int] = field(default_factory=dict)
    cache_pages: int = 0
    nodes_shift: int = 0
    ids: Mapping[str, int] = field(default_factory=dict)
    """Functions, by name."""
    functions: Mapping[str, int] = field(default_factory=dict)
    """Their numbers of arguments."""
    tracepoints: frozenset[str] = frozenset()


def _types(path: Path) -> _Types:
    """All or nothing: of a blob that is corrupt somewhere, nothing is believed."""
    try:
        types = btf.load(path)
        types.look_up(FUNCTIONS | _TYPEDEFS | _STRUCTS)
        ids = types.names(FUNCTIONS, btf.FUNC)
        return _Types(
            offsets=_offsets(types, OFFSETS),
            cache_pages=_cache_pages(types),
            nodes_shift=_nodes_shift(types),
            ids=ids,
            functions={name: types.argument_count(index) for name, index in ids.items()},
            tracepoints=frozenset(_tracepoints(types)),
        )
    except KernelFactError as error:
        return _Types(": ".join(filter(None, [error.what, error.because])), error.fix)


def _offsets(types: btf.Btf, paths: Mapping[str, str]) -> dict[str, int]:
    found = {}
    for name, path in paths.items():
        try:
            found[name] = types.offset(path)
        except LookupError:
            continue  # what is missing is judged by the plan
    return found


def _cache_pages(types: btf.Btf) -> int:
    try:
        return types.array_length("page_pool.alloc.cache")
    except LookupError:
        return 0


def _nodes_shift(types: btf.Btf) -> int:
    """CONFIG_NODES_SHIFT from the zonelist, which has MAX_NUMNODES * MAX_NR_ZONES + 1 entries (mmzone.h)."""
    try:
        entries = types.array_length("zonelist._zonerefs") - 1
        return (entries // types.enum_value("zone_type", "__MAX_NR_ZONES")).bit_length() - 1
    except (LookupError, ZeroDivisionError):
        return 0


def _tracepoints(types: btf.Btf) -> Iterable[str]:
    """Every tracepoint has a typedef ``btf_trace_NAME`` (include/trace/bpf_probe.h)."""
    return (name.removeprefix("btf_trace_") for name in types.names(_TYPEDEFS, btf.TYPEDEF))


def _allocators(symbols: Mapping[str, tuple[int, int]]) -> frozenset[str]:
    """The functions that go on to the slow path themselves, and so have the fast path in them, too."""
    slow = next((symbols[name][0] for name in SLOW if name in symbols), 0)
    candidates = [name for name in (*ALLOC, *FRAG) if slow and name in symbols]
    try:
        return frozenset(name for name in candidates if machine_code.branches_to(*symbols[name], slow))
    except bpf.BpfError:
        return frozenset()


def _refusals(functions: Mapping[str, int], held: Mapping[str, bool]) -> dict[str, str]:
    """Each rung tried for real on the slow path, which every kernel has: what it said, empty where it let us in."""
    slow = next((name for name in SLOW if name in functions), SLOW[0])
    return {"fentry": _try_fentry(slow, functions.get(slow, 0)), "kprobe": _try_kprobe(slow, held)}


def _try_fentry(function: str, btf_id: int) -> str:
    if not btf_id:
        return f"BTF does not describe {function}"
    fds = []
    try:
        fds.append(
            programs.load(
                programs.TYPE_TRACING, programs.returning(0), "trial", attach=programs.ATTACH_FENTRY, btf_id=btf_id
            )
        )
        fds.append(programs.attach_tracing(fds[0]))
    except bpf.BpfError as error:
        return f"the kernel refuses tracing programs: {os.strerror(error.errno or 0)}"
    finally:
        for fd in fds:
            os.close(fd)
    return ""


def _try_kprobe(function: str, held: Mapping[str, bool]) -> str:
    if not os.path.exists(perf.KPROBE_PMU):
        return "the kernel has no kprobes (CONFIG_KPROBES is off)"
    try:
        os.close(perf.open_kprobe(function))
    except OSError as error:
        why = f"cannot open a kprobe on {function}: {error.strerror}"
        denied = error.errno in (errno.EACCES, errno.EPERM) and not held.get("SYS_ADMIN", True)
        return f"{why} (kernel.perf_event_paranoid 3 asks for CAP_SYS_ADMIN)" if denied else why
    return ""
