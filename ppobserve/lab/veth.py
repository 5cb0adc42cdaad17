"""Real TCP traffic through a real page_pool, on any machine: a veth pair with native XDP on both ends.

veth has a page_pool per queue while native XDP is attached (kernel commit 0ebab78cbcbf, "net: veth: add page_pool for
page recycling", 6.4). The sender's packets are copied into pages of the *receiver's* pool by its NAPI, which mostly
runs on the CPU that sends; the reader returns them from its own CPU, through the ring.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ppobserve.errors import LabError
from ppobserve.lab.child import Child, answers

SENDER_DEVICE, RECEIVER_DEVICE = "ppv0", "ppv1"

# RFC 5737 keeps these for examples; nobody else sees them.
_ADDRESSES = {SENDER_DEVICE: "192.0.2.1", RECEIVER_DEVICE: "192.0.2.2"}
_MACS = {SENDER_DEVICE: "02:00:00:00:00:01", RECEIVER_DEVICE: "02:00:00:00:00:02"}
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"  # sudo and su may leave them out of PATH


@dataclass(frozen=True, slots=True)
class End:
    """One end of the pair: device name, its ifindex, its namespace (inode number) and the process in that namespace."""

    device: str
    ifindex: int
    netns: int
    pid: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Bytes that the receiver read, and the seconds from the first send to the last read."""

    received: int
    seconds: float


class VethLab:
    """A veth pair between two nameless network namespaces, and TCP over it.

    Used as a context manager, by one thread. Nothing on the host changes (but the module veth, which may get loaded),
    and nothing is left behind: namespaces, pair and XDP programs live exactly as long as two child processes, which
    the kernel kills when the thread that entered the lab ends, even by SIGKILL. After an exception the lab can only
    be left.
    """

    sender: End
    receiver: End

    def __init__(self, *, receiver_cpu: int | None = None) -> None:
        """*receiver_cpu* is where the reading process is kept; None: wherever the scheduler puts it."""
        self._receiver_cpu = receiver_cpu
        self._children = ExitStack()

    def __enter__(self) -> VethLab:
        """Make the pair. LabError when this host refuses a part of it; UsageError for an unknown receiver CPU."""
        with ExitStack() as started:
            ip = find_ip()
            self._from, self._to = (self._start(started, role) for role in ("sender", "receiver"))
            self._make_pair(ip)
            self._join()
            self._to.ask("pin", self._receiver_cpu)
            self._children = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End both children, and with them everything. The pools are gone when this returns."""
        with self._children:
            if kind is None:
                # First of all: ending the connection would leave a last packet in each pool, and the pools waiting.
                self.destroy_pools()

    def send(self, nbytes: int, cpu: int | None = None, *, splice: bool = False) -> Transfer:
        """Send exactly *nbytes* from *cpu* (None: not pinned) and return when every byte is read and the pair is quiet.

        With *splice* the receiver takes the bytes through a pipe, so that pages come back while still referenced.

        Quiet: all acknowledged, no packet under way, and no page of the pools held outside of their caches and rings.
        UsageError for an unknown CPU; LabError when a child died or bytes were lost.
        """
        self._from.ask("pin", cpu)
        begin = time.monotonic()
        self._to.tell("splice" if splice else "receive", nbytes)
        self._from.tell("send", nbytes)
        _, received = answers(self._from, self._to)
        seconds = time.monotonic() - begin
        if received != nbytes:
            raise LabError(f"the receiver read {received} of {nbytes} bytes", because="the connection was closed")
        self._from.ask("settle", consumers(cpu, self._receiver_cpu))
        return Transfer(received, seconds)

    def park(self, nbytes: int, cpu: int | None = None) -> None:
        """Send *nbytes* that nobody reads: they wait in the receiver's socket, in pages of its pool.

        No more than a receive buffer takes, some 64 KiB; more would wait for a reader for ever.
        """
        self._from.ask("pin", cpu)
        self._from.ask("send", nbytes)

    def destroy_pools(self) -> None:
        """Take XDP off both devices, which destroys their pools; one with pages outside lives on, detached."""
        self._both("detach")

    def replace_pools(self) -> None:
        """Destroy the pools, and have both devices make new ones."""
        self.destroy_pools()
        self._make_pools()

    def _make_pools(self) -> list[int]:
        """XDP on both devices, which gives each a pool. Returns their indexes, the sender's first."""
        return [self._from.ask("attach", SENDER_DEVICE), self._to.ask("attach", RECEIVER_DEVICE)]

    def read_parked(self, nbytes: int) -> None:
        """Have the receiver read what was parked."""
        self._to.ask("receive", nbytes)

    def kernel_counters(self) -> dict[str, dict[str, int]]:
        """The kernel's own counters by device, ``{"ppv1": {"rx_pp_alloc_slow": 3, ...}, ...}``.

        {} for a device whose kernel keeps none (CONFIG_PAGE_POOL_STATS is off in stock kernels before 7.x).
        """
        ends = ((self._from, SENDER_DEVICE), (self._to, RECEIVER_DEVICE))
        return {device: child.ask("counters", device) for child, device in ends}

    def _start(self, started: ExitStack, role: str) -> Child:
        child = Child(role)
        started.callback(child.close)
        return child

    def _make_pair(self, ip: str) -> None:
        """Two namespaces, the pair between them, XDP on both ends."""
        namespaces = self._both("enter")
        load_veth()
        self._from.ask("configure", ip, pair_batch(self._to.pid) + end_batch(SENDER_DEVICE, RECEIVER_DEVICE))
        self._to.ask("configure", ip, end_batch(RECEIVER_DEVICE, SENDER_DEVICE))
        indexes = self._make_pools()
        self.sender = End(SENDER_DEVICE, indexes[0], namespaces[0], self._from.pid)
        self.receiver = End(RECEIVER_DEVICE, indexes[1], namespaces[1], self._to.pid)

    def _join(self) -> None:
        """One TCP connection for the life of the lab, so that a transfer is nothing but its bytes."""
        address = _ADDRESSES[RECEIVER_DEVICE]
        port = self._to.ask("listen", address)
        self._from.ask("connect", address, port)
        self._to.ask("accept")

    def _both(self, verb: str) -> list[Any]:
        """Ask both ends at once; two interpreters start in the time of one."""
        for child in (self._from, self._to):
            child.tell(verb)
        return answers(self._from, self._to)


def find_ip() -> str:
    """Where ``ip`` is. LabError with the package to install when it is nowhere."""
    found = shutil.which("ip") or shutil.which("ip", path=SBIN)
    if not found:
        raise LabError("cannot find the program ip", because="it makes the veth pair", fix="apt install iproute2")
    return found


def load_veth() -> None:
    """Load the module veth where it is one. Silent: when there is none, making the pair says so better."""
    if modprobe := shutil.which("modprobe") or shutil.which("modprobe", path=SBIN):
        subprocess.run([modprobe, "-q", "veth"], capture_output=True, check=False)


def pair_batch(peer: int) -> str:
    """The lines for ``ip -batch`` that make the pair, the far end in the network namespace of process *peer*.

    One queue each: one pool each, whose consumer is known.
    """
    ours, theirs = (f"{name} address {_MACS[name]} numtxqueues 1 numrxqueues 1" for name in _MACS)
    return f"link add {ours} type veth peer name {theirs} netns /proc/{peer}/ns/net\n"


def end_batch(device: str, other: str) -> str:
    """The lines that give *device* its address. The neighbour is permanent, so that no ARP disturbs the counts."""
    return (
        f"address add {_ADDRESSES[device]}/24 dev {device}\n"
        f"neighbor add {_ADDRESSES[other]} lladdr {_MACS[other]} dev {device} nud permanent\n"
        f"link set {device} up\n"
        "link set lo up\n"
    )


def consumers(cpu: int | None, receiver_cpu: int | None) -> list[int]:
    """The CPUs whose softirq may have allocated for the pair; [] when any may have."""
    if cpu is None or receiver_cpu is None:
        return []
    return sorted({cpu, receiver_cpu})
