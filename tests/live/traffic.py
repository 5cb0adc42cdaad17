"""Traffic that several tests share."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from functools import cache
from itertools import cycle, pairwise, repeat
from pathlib import Path

from ppobserve.errors import LabError
from ppobserve.kernel.bpf import TEST_XDP_LIVE_FRAMES, test_run
from ppobserve.lab.frames import run_frames
from ppobserve.lab.redirect import veth_that_drops
from ppobserve.lab.veth import VethLab
from ppobserve.model.features import Features
from ppobserve.source.live import Live
from tests.live.dawdle import dawdling

FRAMES = 100_003
MOVING_FRAMES = 500_009
MOVES_SECONDS = 0.02
STAYS_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016)
FEW = 4  # a thread may be moved before and after its run, too
STAYS = "a test run stays on its CPU, whoever else wants it"


@cache
def has_frames() -> bool:
    """Does this kernel have live frames (5.18)?"""
    try:
        run_frames(1, batch=1)
    except LabError:
        return False
    return True


def moving_frames(features: Features, frames: int = FRAMES) -> bool:
    """One pool's frames, by a task that changes its CPU, and with it its node, all the time; then as many that are
    redirected and come back in bulks. Did it go to and fro?"""
    moved = moving_dropped(features)
    _moving(features, threading.Thread(target=send_redirected, args=(frames,)))
    return moved


def moving_dropped(features: Features, frames: int = MOVING_FRAMES) -> bool:
    """The first half of that. What is redirected overflows the pool's ring, a return a frame, also while it ends."""
    return _moving(features, threading.Thread(target=send_dropped, args=(frames,)))


def moving_slowly(features: Features, frames: int, batch: int) -> bool:
    """Dropped frames that take a while each, through a ring of a *batch*. Some moves go back before the next refill."""
    return _moving(features, threading.Thread(target=send_slowly, args=(frames, batch)), cycle(STAYS_SECONDS))


def send_dropped(frames: int) -> None:
    run_frames(frames, per_pool=frames)


def send_slowly(frames: int, batch: int) -> None:
    with dawdling() as program:
        test_run(program, data=bytes(64), repeat=frames, flags=TEST_XDP_LIVE_FRAMES, batch=batch)


def send_redirected(frames: int) -> None:
    with veth_that_drops() as out:
        run_frames(frames, per_pool=frames, out=out)


def _moving(features: Features, sender: threading.Thread, stays: Iterable[float] = repeat(MOVES_SECONDS)) -> bool:
    """A test run lets itself be moved only where the scheduler wants its CPU for someone else (need_resched() in
    net/bpf/test_run.c): so this thread is busy there, and goes where the sender went. A kernel that preempts the run
    in its midst never asks it, and it stays: 7.3 does, with its lazy preemption."""
    allowed = os.sched_getaffinity(0)
    sender.start()
    cpu, seen = 0, []
    for seconds in stays:
        if not sender.is_alive():
            break
        _move(threading.get_native_id(), cpu)
        cpu = (cpu + 1) % features.cpus
        _move(sender.native_id or 0, cpu)
        end = time.monotonic() + seconds
        while sender.is_alive() and time.monotonic() < end:
            pass
        seen += _cpu_of(sender)
    os.sched_setaffinity(0, allowed)
    return sum(old != new for old, new in pairwise(seen)) > FEW


def _cpu_of(thread: threading.Thread) -> list[str]:
    """Where it is (proc(5), /proc/PID/stat, field 39); nowhere once it has ended."""
    try:
        return [Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()[36]]
    except OSError:
        return []


def _move(thread: int, cpu: int) -> None:
    try:
        os.sched_setaffinity(thread, {cpu})
    except OSError:
        return  # it has ended, or that CPU is not there


def veth_has_pools(source: Live) -> bool:
    """Does this kernel's veth have page_pools (6.4)?"""
    with VethLab(receiver_cpu=0) as lab:
        lab.send(10_007, cpu=0)
        return any(sample.pool.ifindex == lab.receiver.ifindex for sample in source.read().pools)
