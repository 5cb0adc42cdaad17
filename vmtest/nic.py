"""The guest's network card: virtio_net has a page_pool since 7.1, and downloads what a command of the host's prints."""

from __future__ import annotations

import errno
import os
import socket
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from ppobserve.kernel.netdev import list_pools, page_pool_statistics
from ppobserve.lab.affinity import pinned

DEVICE, OURS, GATEWAY = "eth0", "10.0.2.15/24", "10.0.2.2"
SERVER = ("10.0.2.100", 9)
SOL_RAW, ICMP_FILTER = 255, 1  # include/linux/socket.h, include/uapi/linux/icmp.h
PROBE_SECONDS = 10
SYS, PROC_IRQ = Path("/sys/class/net"), Path("/proc/irq")


@dataclass(frozen=True)
class Nic:
    """One receive queue: its pool, and the interrupt that decides which CPU consumes it."""

    pool: str
    irq: Path

    def consume_on(self, cpu: int) -> None:
        """Have CPU *cpu* receive from now on."""
        (self.irq / "smp_affinity_list").write_text(str(cpu))

    def statistics(self) -> dict[str, int]:
        """The kernel's own counters of the pool."""
        return page_pool_statistics()[int(self.pool)]


def set_up() -> Nic | None:
    """The card, with an address; None where there is none, or its driver has no page_pool."""
    if not os.environ.get("PPOBSERVE_GUEST"):
        return None  # only in a guest is the card ours to configure
    subprocess.run(["modprobe", "-q", "virtio_net"], check=False)
    if not _appeared(SYS / DEVICE):
        return None
    subprocess.run(["ip", "link", "set", DEVICE, "up"], check=True)
    subprocess.run(["ip", "address", "replace", OURS, "dev", DEVICE], check=True)
    pools = [pool for pool in list_pools(0) if pool.netdev == DEVICE]
    return Nic(str(pools[0].id), _receive_irq()) if pools else None


def _appeared(device: Path) -> bool:
    """True if *device* is there, at the latest PROBE_SECONDS after its driver was loaded."""
    end = time.monotonic() + PROBE_SECONDS
    while not device.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return device.exists()


def _receive_irq() -> Path:
    virtio = (SYS / DEVICE / "device").resolve().name
    (action,) = PROC_IRQ.glob(f"*/{virtio}-input.0")
    return action.parent


def download(cpu: int) -> int:
    """Everything that the server sends, read on *cpu*. Returns its bytes.

    Where it is the CPU that receives, the reader frees the pages there outside of softirq, and they go into the ring;
    another one leaves that to the CPU that receives (skb_attempt_defer_free), and they go straight into the cache.
    """
    received = 0
    with pinned(cpu), socket.create_connection(SERVER, timeout=60) as connection:
        while data := connection.recv(1 << 16):
            received += len(data)
    return received


def echo(count: int, size: int = 1400) -> None:
    """Have the gateway answer *count* pings that nobody listens to: the answers are received and freed in softirq."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as ping:
        ping.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF))  # this socket takes nothing
        for number in range(count):
            _send(ping, _request(number, size))


def _send(ping: socket.socket, request: bytes) -> None:
    """Once more while the card's queue is full."""
    while True:
        try:
            ping.sendto(request, (GATEWAY, 0))
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            time.sleep(0.01)


def _request(number: int, size: int) -> bytes:
    body = struct.pack("!HH", 101, number & 0xFFFF) + bytes(size)
    words = struct.unpack(f"!{len(body) // 2}H", body)
    total = 0x0800 + sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBH", 8, 0, ~(total + (total >> 16)) & 0xFFFF) + body
