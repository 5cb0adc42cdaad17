"""Many pools at once on any kernel whose veth has them (6.4): a pool for each queue of veth pairs with an XDP program.

Run as a program in a network namespace of its own, which goes with it: makes the pools, says so, and waits for its
standard input to end.

    unshare --net .venv/bin/python -m bench.pools 64
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ppobserve.kernel import programs

QUEUES = 64
XDP_PASS = 2
FLOWS = 40 * QUEUES
"""Frames to each device, a flow each: enough to meet every queue."""


@contextmanager
def held(count: int) -> Iterator[None]:
    """About *count* pools, each with some pages, until the end of the block."""
    command = ["unshare", "--net", sys.executable, "-m", "bench.pools", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "held\n", "no pools could be made"
        yield
        owner.communicate()


def main(count: int) -> None:
    """Make pools and keep them."""
    program = programs.load(programs.TYPE_XDP, programs.returning(XDP_PASS), "pass")
    links = []
    for place, queues in enumerate(_parts(count)):
        sender, receiver = f"a{place}", f"b{place}"
        ends = f"{sender} numtxqueues {queues} numrxqueues {queues} type veth peer name {receiver}"
        subprocess.run(f"ip link add {ends} numtxqueues {queues} numrxqueues {queues}".split(), check=True)
        links.append(programs.attach_xdp(program, socket.if_nametoindex(receiver)))
        for end in (sender, receiver):
            subprocess.run(f"ip link set {end} up".split(), check=True)
        _send(sender)
    print("held", flush=True)
    sys.stdin.read()
    for link in links:
        os.close(link)


def _parts(count: int) -> list[int]:
    """Queues of each device."""
    whole, rest = divmod(count, QUEUES)
    return [QUEUES] * whole + ([rest] if rest else [])


def _send(device: str) -> None:
    """A small UDP datagram a flow. Without headroom for XDP, each is copied into a page of its queue's pool."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((device, 0))
        for flow in range(FLOWS):
            wire.send(_datagram(flow))


def _datagram(flow: int) -> bytes:
    ethernet = b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x01" + b"\x08\x00"
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 36, 0, 0, 64, 17, 0, bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)))
    return ethernet + ip + struct.pack(">HHHH", 1024 + flow, 9, 16, 0) + bytes(8)


if __name__ == "__main__":
    main(int(sys.argv[1]))
