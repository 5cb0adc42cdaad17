"""Traffic that several tests share."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import cycle, repeat

from ppobserve.errors import LabError
from ppobserve.kernel.bpf import TEST_XDP_LIVE_FRAMES, test_run
from ppobserve.lab.frames import _burst, run_frames
from ppobserve.lab.redirect import veth_that_drops
from ppobserve.lab.veth import VethLab
from ppobserve.model.features import Features
from ppobserve.source.live import Live
from tests.live.dawdle import dawdling
from tests.live.roaming import roaming

FRAMES = 100_003
MOVING_FRAMES = 500_009
MOVES_SECONDS = 0.02
STAYS_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016)
BATCH, SIZE = 64, 64
TRIES = 5
STAYS = "a test run stays on its CPU, whoever else wants it"


@cache
def has_frames() -> bool:
    """Does this kernel have live frames (5.18)?"""
    try:
        run_frames(1, batch=1)
    except LabError:
        return False
    return True


@dataclass(frozen=True)
class Sent:
    """Frames by a task that is to change its CPU all the time, and whether it did."""

    frames: int
    moved: bool


def moving_frames(features: Features, frames: int = FRAMES) -> Sent:
    """One pool's frames, by a task that changes its CPU, and with it its node, all the time; then as many that are
    redirected and come back in bulks."""
    dropped = moving_dropped(features)
    _moving(features, threading.Thread(target=send_redirected, args=(frames,)))
    return replace(dropped, frames=dropped.frames + frames)


def moving_dropped(features: Features, frames: int = MOVING_FRAMES) -> Sent:
    """The first half of that, again until it went to and fro, as the frames' own program saw: on a busy CPU, and on a
    kernel that may let it stay, that takes some tries. What is redirected overflows the pool's ring, a return a frame,
    also while it ends."""
    sent = 0
    for _ in range(1 if STAYED else TRIES):
        with roaming() as (program, moves):  # anew: from one pool to the next is no move
            _moving(features, threading.Thread(target=_burst, args=(program, frames, BATCH, SIZE)))
            sent += frames
            if moves() > 1:
                return Sent(sent, moved=True)
    STAYED.append(sent)
    return Sent(sent, moved=False)


STAYED: list[int] = []
"""Frames of tasks that did not move: where that was so in all tries, one is enough from then on."""


def moving_slowly(features: Features, frames: int, batch: int) -> None:
    """Dropped frames that take a while each, through a ring of a *batch*. Some moves go back before the next refill."""
    _moving(features, threading.Thread(target=send_slowly, args=(frames, batch)), cycle(STAYS_SECONDS))


def send_slowly(frames: int, batch: int) -> None:
    with dawdling() as program:
        test_run(program, data=bytes(64), repeat=frames, flags=TEST_XDP_LIVE_FRAMES, batch=batch)


def send_redirected(frames: int) -> None:
    with veth_that_drops() as out:
        run_frames(frames, per_pool=frames, out=out)


def _moving(features: Features, sender: threading.Thread, stays: Iterable[float] = repeat(MOVES_SECONDS)) -> None:
    """A test run lets itself be moved only where the scheduler wants its CPU for someone else (need_resched() in
    net/bpf/test_run.c): so this thread is busy there, and goes where the sender went. A kernel that preempts the run
    in its midst never asks it, and it stays: 7.3 does, with its lazy preemption."""
    allowed = os.sched_getaffinity(0)
    sender.start()
    cpu = 0
    for seconds in stays:
        if not sender.is_alive():
            break
        _move(threading.get_native_id(), cpu)
        cpu = (cpu + 1) % features.cpus
        _move(sender.native_id or 0, cpu)
        end = time.monotonic() + seconds
        while sender.is_alive() and time.monotonic() < end:
            pass
    os.sched_setaffinity(0, allowed)


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
