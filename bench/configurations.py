"""What is attached while bench/inside.py measures: nothing, each of our plans, empty programs, and peers."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ppobserve.kernel import btf, perf, programs
from ppobserve.kernel.features import gather
from ppobserve.model.features import REFILL
from ppobserve.model.plan import Level, Rung
from ppobserve.probe.attach import attach
from ppobserve.source.live import Live

NOTHING = "nothing"
PEERS = Path(__file__).parent / "peers"
PATIENCE = 1e9
"""Guest seconds: while it waits for its disk, its clock runs ahead."""

SET_BPF, ENABLE = 0x40042408, 0x2400  # PERF_EVENT_IOC_* of include/uapi/linux/perf_event.h


def names() -> list[str]:
    """Every configuration but nothing."""
    levels = [f"{level.value} {rung.value}" for rung in (Rung.FENTRY, Rung.KPROBE) for level in Level]
    peers = [f"bpftrace {script.stem}" for script in sorted(PEERS.glob("*.bt"))]
    return [*(f"empty {way}" for way in _EMPTY), *levels, *peers]


@contextmanager
def attached(name: str) -> Iterator[Live | None]:
    """That configuration at work; the source of what it counts, where it is ours."""
    kind, _, way = name.partition(" ")
    if name == NOTHING:
        yield None
    elif kind == "empty":
        with closing(_EMPTY[way]()):
            yield None
    elif kind == "bpftrace":
        with _peer(PEERS / f"{way}.bt"):
            yield None
    else:
        with attach(gather(), Level(kind), forced=Rung(way), seconds=PATIENCE) as programs:
            yield Live(programs)


@contextmanager
def closing(fds: list[int]) -> Iterator[None]:
    """Have *fds* open for a while."""
    try:
        yield
    finally:
        for fd in fds:
            os.close(fd)


def _trampoline(*kinds: int) -> list[int]:
    """Empty programs by trampoline on the refill: descriptors that keep them there."""
    types = btf.load()
    types.look_up(frozenset({REFILL}))
    function = types.names(frozenset({REFILL}), btf.FUNC)[REFILL]
    loaded = [
        programs.load(programs.TYPE_TRACING, programs.returning(0), "empty", attach=kind, btf_id=function)
        for kind in kinds
    ]
    return [*map(programs.attach_tracing, loaded), *loaded]


def _probes() -> list[int]:
    """Empty programs by kprobe and kretprobe on the refill."""
    program = programs.load(programs.TYPE_KPROBE, programs.returning(0), "empty")
    events = [perf.open_kprobe(REFILL, at_return=at_return) for at_return in (False, True)]
    for event in events:
        fcntl.ioctl(event, SET_BPF, program)
        fcntl.ioctl(event, ENABLE, 0)
    return [*events, program]


_EMPTY: Mapping[str, Callable[[], list[int]]] = {
    "fentry": lambda: _trampoline(programs.ATTACH_FENTRY),
    "fexit": lambda: _trampoline(programs.ATTACH_FEXIT),
    "fentry + fexit": lambda: _trampoline(programs.ATTACH_FENTRY, programs.ATTACH_FEXIT),
    "kprobe + kretprobe": _probes,
}


@contextmanager
def _peer(script: Path) -> Iterator[None]:
    """A bpftrace script at work; what it counted goes to standard error at its end."""
    command = ["bpftrace", "-f", "json", str(script), str(64 - gather(attempt=False).nodes_shift)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        if '"attached_probes"' not in (said := process.stdout.readline()):
            raise RuntimeError(f"bpftrace did not attach {script.name}: {said}")
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            print(process.stdout.read(), file=sys.stderr)
