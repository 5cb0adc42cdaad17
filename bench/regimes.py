"""Ways that pages go through a pool, as traffic whose cost is the same every time. For bench/inside.py, in a guest.

In a guest where one instruction takes one nanosecond, time spent is instructions.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ppobserve.kernel import programs
from ppobserve.lab.affinity import pin
from ppobserve.lab.frames import XDP_DROP, run_frames
from ppobserve.lab.isolation import own_network
from ppobserve.lab.redirect import veth_that_drops
from ppobserve.lab.veth import VethLab, find_ip

DATAGRAM = bytes(61_440)
PORT = 9
LO = 1
SECOND_CPU = Path("/sys/devices/system/cpu/cpu1/online")
BURST, WARM_UP = 1_000_003, 20
"""Bytes that wait for their reader: some 700 pages, and a ring of veth takes 256."""
STORM, STORMS = 100_003, 8
"""Bytes a burst, and bursts from one node before the other has its turn."""
SYSCTL = Path("/proc/sys/net")
SETTINGS = {"ipv4/tcp_rmem": "4096 33554432 33554432", "core/skb_defer_max": "0"}
"""A receive buffer that takes a burst, and no page that is given back by another CPU than its reader's."""


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
        Regime("cache", 200, 2_000, lambda units: own(lambda: datagrams(units))),
        Regime("ring", 100_000, 500_000, lambda units: own(lambda: dropped(units))),
        Regime("ring, redirected", 50_000, 250_000, lambda units: own(lambda: redirected(units))),
        Regime("ring full", 5, 25, stream.bursts),
        Regime("mismatches", 2, 8, stream.storms, cpus=2),
    ]


def own(work: Callable[[], object]) -> int:
    """Nanoseconds that *work* took this thread, with the softirqs in it."""
    before = time.thread_time_ns()
    work()
    return time.thread_time_ns() - before


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
    program = programs.load(programs.TYPE_XDP, programs.returning(XDP_DROP), "bench", flags=programs.XDP_HAS_FRAGS)
    link = programs.attach_xdp(program, LO, programs.XDP_FLAGS_SKB_MODE)
    try:
        yield
    finally:
        os.close(link)
        os.close(program)


class Stream:
    """TCP over veth, in bursts: a burst waits in the receiver's socket until all of it is there, and is read at once.

    Sender and reader take turns, on one CPU or on two, and what the two processes have run is counted.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    @cached_property
    def _lab(self) -> VethLab:
        for name, value in SETTINGS.items():
            (SYSCTL / name).write_text(value)
        lab = self._stack.enter_context(VethLab(receiver_cpu=0))
        lab.send(WARM_UP * BURST, cpu=0)  # the windows grow first
        return lab

    def bursts(self, units: int) -> int:
        """Nanoseconds of so many bursts that overflow the ring."""
        return self._spent(BURST, [0] * units)

    def storms(self, units: int) -> int:
        """Nanoseconds of so many turns of either node."""
        return self._spent(STORM, [cpu for cpu in (0, 1) for _ in range(STORMS)] * units)

    def _spent(self, nbytes: int, cpus: Iterable[int]) -> int:
        """Nanoseconds of a burst from each of *cpus* in turn; the reader is on CPU 0."""
        lab = self._lab
        threads = [lab.sender.pid, lab.receiver.pid, *softirq_threads()]
        before = ran(threads)
        for cpu in cpus:
            lab.park(nbytes, cpu=cpu)
            lab.read_parked(nbytes)
        return ran(threads) - before


def softirq_threads() -> list[int]:
    """The kernel's threads for softirqs that nobody's time is taken for."""
    names = {int(path.parent.name): path.read_text() for path in Path("/proc").glob("[0-9]*/comm")}
    return [pid for pid, name in names.items() if name.startswith("ksoftirqd/")]


def ran(pids: Iterable[int]) -> int:
    """Nanoseconds that these have run so far, with the softirqs that met them."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)
