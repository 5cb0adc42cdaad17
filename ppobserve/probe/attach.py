"""From a plan to attached programs: asks the loader child, and falls down the ladder when a rung does not hold."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any

from ppobserve.errors import LoaderError, NotObservable
from ppobserve.kernel import bpf, speed
from ppobserve.model.audit import Audited, audited
from ppobserve.model.features import Features
from ppobserve.model.plan import Level, Plan, Rung, make_plan
from ppobserve.model.snapshot import HookState
from ppobserve.probe import abi, child, program_text
from ppobserve.probe.hook_code import STAND_INS, Item, Purpose, end_of, in_order, items, on_demand, stand_ins
from ppobserve.probe.toolchain import no_bcc, wrong_bcc

MAPS = ("pools", "slots", "ledgers", "kept")
ON_DEMAND = ("sample_pool", "sample_kept", "adopt_pool")
TAIL_CALLS = {"fold_program": "fold_further"}
"""Programs that others go on with, by the map through which they do. The kernel empties such a map when its last
descriptor is closed (prog_array_map_clear in kernel/bpf/arraymap.c)."""
AUDIT_MAP, AUDIT_PROGRAM = "stats", "sample_stats"
SECONDS, SECONDS_EMULATED, MOST_SECONDS = 30.0, 120.0, 600.0
"""Limits of the loader: on an idle core, the least on an emulated one, the most on any."""
PROBES = ("kprobe", "kretprobe")
FILES = "ulimit -n 1024"
_NO_ROOM_FOR_MAP = re.compile(r"could not open bpf map: \w+, error: (Cannot allocate memory|Too many open files)")
"""What BCC prints: it makes the maps itself, and raises no error number."""
ROOM = f"{FILES}  (a service: LimitNOFILE=, MemoryMax=)"


@dataclass
class Attached:
    """Programs at work, kept there by their descriptors alone: when this process ends, however it ends, they go."""

    plan: Plan
    tables: abi.Tables
    fds: Mapping[str, int]
    log: tuple[str, ...] = ()
    """Rungs that were tried and fell, as sentences."""
    audits: tuple[Audited, ...] = ()
    """The kernel's own counters that ours can be compared with."""
    purpose: Purpose = Purpose.COUNT
    closed: bool = field(default=False, init=False)

    def map(self, name: str) -> int:
        """The descriptor of a map."""
        return self.fds[f"map:{name}"]

    def program(self, name: str) -> int:
        """The descriptor of a loaded program; of one that is loaded for several events, the first."""
        key = f"program:{name}"
        return next(fd for each, fd in self.fds.items() if each == key or each.startswith(f"{key}:"))

    def hooks_attached(self) -> dict[str, bool]:
        """Every hook of the plan: do all its programs still hang on a link or a perf event of the kernel's?"""
        return {
            hook.name: all(_holds(self._link(item)) for item in items(hook, self.purpose)) for hook in self.plan.hooks
        }

    def hooks_missed(self) -> dict[str, int]:
        """Every hook of the plan: how often the kernel skipped one of its programs, or the probe that runs it."""
        return {hook.name: self._missed(items(hook, self.purpose)) for hook in self.plan.hooks}

    def hooks(self) -> dict[str, HookState]:
        """Return the state of every hook of the plan."""
        missed = self.hooks_missed()
        return {name: HookState(attached, missed[name]) for name, attached in self.hooks_attached().items()}

    def _missed(self, attached: list[Item]) -> int:
        programs = {self._programs(item) for item in attached}
        skipped = sum(min(bpf.program_statistics(fd).misses for fd in each) for each in programs)
        return skipped + sum(bpf.probe_misses(self._link(item)) for item in attached if item["kind"] in PROBES)

    def _programs(self, item: Mapping[str, str]) -> frozenset[int]:
        """Descriptors of an event's program, and of its stand-in if that is loaded."""
        functions = item["function"], STAND_INS.get(item["function"])
        names = (f"program:{function}:{item['event']}" for function in functions)
        return frozenset(self.fds[name] for name in names if name in self.fds)

    def programs(self) -> dict[str, frozenset[int]]:
        """Descriptors of the attached programs by hook, and by whether they run at its function's entry or exit."""
        found: dict[str, frozenset[int]] = {}
        for hook in self.plan.hooks:
            for item in items(hook, self.purpose):
                name = hook.name + end_of(item)
                found[name] = found.get(name, frozenset()) | self._programs(item)
        return found

    def _link(self, item: Mapping[str, str]) -> int:
        return self.fds.get(f"link:{item['function']}:{item['event']}", -1)

    def close(self) -> None:
        """Detach everything."""
        if not self.closed:
            self.closed = True
            _close(self.fds.values())

    def __enter__(self) -> Attached:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def attach(
    features: Features,
    level: Level,
    *,
    forced: Rung | None = None,
    seconds: float | None = None,
    tables: abi.Tables | None = None,
) -> Attached:
    """Attach the best plan; where its rung fails at the last moment, the next one, and ``log`` says so.

    *seconds* is the loader's limit, *tables* the sizes of the tables: both fit this machine when left out.
    NotObservable when no rung holds, LoaderError when the loader itself fails.
    """
    return climb(
        features,
        lambda failed: make_plan(features, level, forced=forced, failed=failed),
        lambda plan: _load(features, plan, tables or program_text.tables(features), seconds or patience(features)),
    )


def trial(features: Features, level: Level, *, forced: Rung | None = None) -> Plan:
    """The plan that holds on this kernel: compiled, and one program of its rung loaded. Nothing is attached, or left.

    NotObservable when no rung holds, LoaderError when the loader itself fails.
    """
    with climb(
        features,
        lambda failed: make_plan(features, level, forced=forced, failed=failed),
        lambda plan: _load_one(features, plan),
    ) as loaded:
        return loaded.plan


def climb(
    features: Features, choose: Callable[[Mapping[Rung, str]], Plan], hold: Callable[[Plan], Attached]
) -> Attached:
    """Attach by *hold* what *choose* plans, given the rungs that failed and why: down the ladder until one holds.

    NotObservable when none does, or we are not root.
    """
    if not features.root:
        raise NotObservable("ppobserve needs root to attach BPF programs", fix="run it with sudo")
    failed: dict[Rung, str] = {}
    while True:
        plan = choose(failed)
        try:
            attached = hold(plan)
        except _RungFailed as error:
            failed[plan.rung] = str(error)
            continue
        attached.log = tuple(f"{rung.value} did not hold, took the next rung: {why}" for rung, why in failed.items())
        return attached


class _RungFailed(Exception):
    """The kernel refused a program or a hook of this rung."""


def _holds(fd: int) -> bool:
    """Is this descriptor open, and the kernel's own? One that was closed, or given to a file since, is not."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("anon_inode:")
    except OSError:
        return False


def patience(features: Features) -> float:
    """Return the seconds that the loader has on this machine, as busy as it is now."""
    least = SECONDS_EMULATED if features.emulated else SECONDS
    return max(least, min(SECONDS * speed.slowness(), MOST_SECONDS))


def _load(features: Features, plan: Plan, tables: abi.Tables, seconds: float) -> Attached:
    audits = audited(features, plan)
    wanted = in_order(plan, Purpose.COUNT)
    maps = [*MAPS, *([AUDIT_MAP] if audits else [])]
    request = {
        **_compilation(features, plan, tables),
        "tables": asdict(tables),
        "maps": [*maps, *TAIL_CALLS],
        "freeze": maps,
        "tail_calls": TAIL_CALLS,
        "load": [on_demand(name) for name in (*TAIL_CALLS.values(), *_sampled(tables, audits=bool(audits)))],
        "attach": [*wanted, *stand_ins(wanted)],
    }
    return Attached(plan, tables, load(request, seconds), audits=audits)


def _compilation(features: Features, plan: Plan, tables: abi.Tables) -> dict[str, Any]:
    """What BCC is asked to compile."""
    return {
        "text": program_text.text(plan, tables, audits=bool(audited(features, plan))),
        "cflags": [f"-D{name}={value}" for name, value in program_text.defines(features, plan, tables).items()],
        "shim": str(program_text.shim_folder()),
    }


def _load_one(features: Features, plan: Plan) -> Attached:
    tables = program_text.tables(features)
    nothing: dict[str, Any] = {"tables": {}, "maps": [], "freeze": [], "tail_calls": {}, "attach": []}
    request = {**_compilation(features, plan, tables), **nothing, "load": in_order(plan, Purpose.COUNT)[:1]}
    return Attached(plan, tables, load(request, patience(features)))


def load(request: Mapping[str, Any], seconds: float) -> dict[str, int]:
    """The descriptors, by name, that the loader child has for a request. Its refusal moves :func:`climb` on.

    LoaderError when it crashed, hung, or not all of them arrived.
    """
    reply, fds = child.ask(request, seconds)
    if "error" in reply:
        raise _error(reply)
    if len(fds) != len(reply["fds"]):
        _close(fds)
        raise LoaderError(
            f"only {len(fds)} of {len(reply['fds'])} descriptors arrived from the BCC loader",
            because="this process may not have that many open files",
            fix=FILES,
        )
    return dict(zip(reply["fds"], fds, strict=True))


def _sampled(tables: abi.Tables, *, audits: bool) -> list[str]:
    """The programs that a read runs. On one node no page is remote: that walk takes the verifier 0.1 s."""
    wanted = {"sample_kept": tables.nodes > 1, AUDIT_PROGRAM: audits}
    return [name for name in (*ON_DEMAND, AUDIT_PROGRAM) if wanted.get(name, True)]


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)


def _error(reply: Mapping[str, str]) -> Exception:
    kind, message = reply["kind"], reply["error"]
    if kind == "no_bcc":
        return no_bcc(message)
    if kind == "wrong_bcc":
        return wrong_bcc(message)
    if kind == "exhausted" or _NO_ROOM_FOR_MAP.search(reply["log"]):
        return LoaderError(message, because=reply["log"], fix=ROOM)
    return _RungFailed("\n  ".join(filter(None, [message, reply["log"]])))
