"""Ways that pages go through a pool, as traffic whose cost is the same every time. For bench/inside.py, in a guest.

In a guest where one instruction takes one nanosecond, time spent is instructions.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ppobserve.kernel import bpf
from ppobserve.lab.affinity import pin
from ppobserve.lab.frames import XDP_DROP, run_frames
from ppobserve.lab.isolation import own_network
from ppobserve.lab.redirect import veth_that_drops
from ppobserve.lab.veth import VethLab, find_ip

DATAGRAM = bytes(61_440)
PORT = 9
LO = 1
SECOND_CPU = Path("/sys/devices/system/cpu/cpu1/online")
MEGABYTE, WARM_UP = 1_000_003, 20
MOVE_SECONDS, MOVING_BATCH = 0.001, 256


@dataclass(frozen=True)
class Regime:
    """One way: *run* sends so many units and returns the nanoseconds that it took."""

    name: str
    small: int
    large: int
    run: Callable[[int], int]
    cpus: int = 1


def regimes(stack: ExitStack) -> list[Regime]:
    """All of them, set up until *stack* is closed."""
    stream = Stream(stack)
    return [
        Regime("cache", 200, 1_000, lambda units: own(lambda: datagrams(units))),
        Regime("ring", 100_000, 500_000, lambda units: own(lambda: dropped(units))),
        Regime("ring, redirected", 50_000, 250_000, lambda units: own(lambda: redirected(units))),
        Regime("ring full", 2, 10, stream.spent),
        Regime("mismatches", 100_000, 500_000, moving, cpus=2),
    ]


def own(work: Callable[[], object]) -> int:
    """Nanoseconds that *work* took this thread, with the softirqs in it."""
    before = time.thread_time_ns()
    work()
    return time.thread_time_ns() - before


@contextmanager
def idler() -> Iterator[int]:
    """The pid of a process that takes what CPU 0 has left."""
    with subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) as process:
        os.sched_setaffinity(process.pid, {0})
        os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))
        try:
            yield process.pid
        finally:
            process.kill()


def use_cpus(count: int) -> None:
    """With one CPU nothing happens beside the traffic; two are for traffic that moves between two nodes."""
    if SECOND_CPU.read_text() != f"{count - 1}\n":
        SECOND_CPU.write_text(str(count - 1))
    pin(0)


def dropped(frames: int) -> None:
    """Live frames that come back through the ring, one by one."""
    run_frames(frames, per_pool=frames, cpu=0)


def redirected(frames: int) -> None:
    """Live frames that another device's NAPI gives back through the ring, in bulks."""
    with veth_that_drops() as device:
        run_frames(frames, per_pool=frames, cpu=0, out=device)


def datagrams(count: int) -> None:
    """Packets over lo that XDP drops: each is copied into pages of the CPU's system pool, which come straight back into
    its cache (kernel commit e6d5dbdd20aa, "xdp: add multi-buff support for xdp running in generic mode", 6.9)."""
    with own_network(), lo_that_drops(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(DATAGRAM, ("127.0.0.1", PORT))


@contextmanager
def lo_that_drops() -> Iterator[None]:
    """The loopback device of this network namespace drops all that it is given."""
    subprocess.run([find_ip(), "link", "set", "lo", "up"], check=True)
    program = bpf.load_program(bpf.TYPE_XDP, bpf.returning(XDP_DROP), "bench", flags=bpf.XDP_HAS_FRAGS)
    link = bpf.attach_xdp(program, LO, bpf.XDP_FLAGS_SKB_MODE)
    try:
        yield
    finally:
        os.close(link)
        os.close(program)


class Stream:
    """TCP over veth: the reader returns pages from process context, more at once than the ring of 256 takes.

    Several processes and softirqs have a part in it, so all of CPU 0 is counted but what nobody else wanted.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    @cached_property
    def _lab(self) -> VethLab:
        lab = self._stack.enter_context(VethLab(receiver_cpu=0))
        lab.send(WARM_UP * MEGABYTE, cpu=0)  # the windows grow first
        return lab

    def spent(self, megabytes: int) -> int:
        """Nanoseconds for so many megabytes."""
        lab = self._lab
        with idler() as pid:
            before = busy(pid)
            lab.send(megabytes * MEGABYTE, cpu=0)
            return busy(pid) - before


def busy(idle: int) -> int:
    """Nanoseconds that CPU 0 did not leave to the process *idle*."""
    return time.monotonic_ns() - int(Path(f"/proc/{idle}/schedstat").read_text().split()[0])


def moving(frames: int) -> int:
    """One pool's frames, by a task that is moved to the other node every few milliseconds; what this task took."""
    took: list[int] = []

    def run() -> None:
        took.append(own(lambda: run_frames(frames, per_pool=frames, batch=MOVING_BATCH)))

    runner, cpu = threading.Thread(target=run), 0
    runner.start()
    while runner.is_alive():
        cpu = 1 - cpu
        if runner.native_id:
            _move(runner.native_id, cpu)
        runner.join(MOVE_SECONDS)
    return took[0]


def _move(thread: int, cpu: int) -> None:
    try:
        os.sched_setaffinity(thread, {cpu})
    except OSError:
        return  # it has ended
