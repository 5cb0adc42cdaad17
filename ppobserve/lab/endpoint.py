"""One end of the pair: the process that lives in its own network namespace and does what the lab asks.

Started by :mod:`ppobserve.lab.child`. Every public method of :class:`Endpoint` is a verb of the protocol.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import termios
import time
from contextlib import suppress
from typing import Any

from ppobserve.errors import LabError
from ppobserve.kernel import programs
from ppobserve.kernel.bpf import BpfError
from ppobserve.kernel.ethtool import page_pool_statistics
from ppobserve.lab import affinity, isolation, protocol
from ppobserve.lab.remedy import XDP, refused

XDP_PASS = 2

_CHUNK = bytes(256 * 1024)
_PIPE_BYTES = 64 * 1024
_OUTQ_POLL_SECONDS = 0.001
_IP_SECONDS = 30


class Endpoint:
    """The state of one end: its socket, its XDP link, and the CPUs that it may use."""

    _tcp: socket.socket

    def __init__(self) -> None:
        self._cpus = os.sched_getaffinity(0)
        self._link = -1

    def enter(self) -> int:
        """Leave the host's network; returns the new namespace's inode number."""
        inode = isolation.leave_network()
        self._tcp = socket.socket()  # here, because a socket stays in the namespace where it was made
        # Reno is always built in. The host's default may pace, and then sends from a timer's CPU, not the sender's.
        self._tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        return inode

    def configure(self, ip: str, batch: str) -> None:
        """Have the program *ip* carry out *batch* in this namespace."""
        command = [ip, "-batch", "-"]
        done = subprocess.run(command, input=batch, capture_output=True, text=True, timeout=_IP_SECONDS, check=False)
        if done.returncode:
            raise ip_refused(done.stderr)

    def attach(self, device: str) -> int:
        """Attach XDP_PASS to *device* in native mode, which makes veth create a page_pool; returns its ifindex.

        LabError when the kernel refuses.
        """
        ifindex = socket.if_nametoindex(device)
        try:
            program = programs.load(programs.TYPE_XDP, programs.returning(XDP_PASS), "ppobserve_lab")
            self._link = programs.attach_xdp(program, ifindex)
        except BpfError as error:
            old = "native XDP on veth takes kernel 5.9 or later"
            raise refused(f"cannot attach native XDP to {device}", error, *XDP, otherwise=old) from error
        os.close(program)
        return ifindex

    def detach(self) -> None:
        """Take XDP off the device; its pool is destroyed before this returns, if none of its pages is outside.

        Once more does nothing.
        """
        if self._link >= 0:
            os.close(self._link)
            self._link = -1

    def listen(self, address: str) -> int:
        """Wait for the other end at *address*; returns the port."""
        self._tcp.bind((address, 0))
        self._tcp.listen(1)
        return int(self._tcp.getsockname()[1])

    def connect(self, address: str, port: int) -> None:
        """Reach the other end, once it listens."""
        self._tcp.connect((address, port))
        # Without it the last segment of a transfer could wait 40 ms for a delayed acknowledgement.
        self._tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def accept(self) -> None:
        """Take the other end's connection in place of the socket that listened."""
        with self._tcp as listening:
            self._tcp, _ = listening.accept()

    def pin(self, cpu: int | None) -> None:
        """Run on *cpu* from now on; None: on any CPU that this process was started with."""
        if cpu is None:
            os.sched_setaffinity(0, self._cpus)
        else:
            affinity.pin(cpu)

    def send(self, count: int) -> int:
        """Send *count* bytes; returns when the other end's kernel has acknowledged the last one."""
        left = count
        while left:
            left -= self._tcp.send(memoryview(_CHUNK)[: min(left, len(_CHUNK))])
        while self._unacknowledged():
            time.sleep(_OUTQ_POLL_SECONDS)
        return count

    def receive(self, count: int) -> int:
        """Read *count* bytes; returns how many came, which is less when the other end was closed."""
        buffer, left = memoryview(bytearray(len(_CHUNK))), count
        while left and (came := self._tcp.recv_into(buffer[: min(left, len(buffer))])):
            left -= came
        # Acknowledge now: a delayed acknowledgement would go through the pair after we said that all is quiet.
        self._tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return count - left

    def splice(self, count: int) -> int:
        """As ``receive``, through a pipe, which holds each page for a moment after the buffer that brought it is gone:
        the pool then finds it still referenced, and can't recycle it."""
        left = count
        source, sink = os.pipe()
        with os.fdopen(source, "rb", buffering=0) as pipe, os.fdopen(sink, "wb", buffering=0) as into:
            while left and (came := os.splice(self._tcp.fileno(), into.fileno(), min(left, _PIPE_BYTES))):
                left -= came
                while came:
                    came -= len(pipe.read(came))
        self._tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return count - left

    def settle(self, cpus: list[int]) -> None:
        """Have the buffers freed that a reader on one CPU left to another; an empty *cpus* stands for all of ours.

        tcp_recvmsg() only queues what another CPU allocated, until that CPU's next receive softirq (kernel commit
        68822bdf76f1, "net: generalize skb freeing deferral to per-cpu lists", 5.19). A datagram over lo raises one,
        and takes no page of a pool.
        """
        before = os.sched_getaffinity(0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loopback:
            loopback.bind(("127.0.0.1", 0))
            for cpu in cpus or self._cpus:
                affinity.pin(cpu)
                loopback.sendto(b"", loopback.getsockname())
                loopback.recv(1)
        os.sched_setaffinity(0, before)

    def counters(self, device: str) -> dict[str, int]:
        """The kernel's page_pool counters of *device*, {} where it has none."""
        return page_pool_statistics(device)

    def _unacknowledged(self) -> int:
        reply = fcntl.ioctl(self._tcp, termios.TIOCOUTQ, bytes(4))
        return int(struct.unpack("=i", reply)[0])


def ip_refused(stderr: str) -> LabError:
    """Why ``ip`` failed, in an operator's words."""
    because = " ".join(stderr.split()) or "ip did not say why"
    no_veth = "Unknown device type" in stderr or "not supported" in stderr
    return LabError("cannot make the veth pair", because=because, fix="modprobe veth" if no_veth else "")


def serve(control: socket.socket) -> None:
    """Answer requests until the lab closes its side, also in the midst of one."""
    endpoint = Endpoint()
    with suppress(BrokenPipeError, ConnectionResetError):
        while packet := control.recv(protocol.MAX_BYTES):
            control.send(_answer(endpoint, packet))


def main(descriptor: int, parent: int) -> None:
    """The whole life of a child: *descriptor* is its side of the socket pair, *parent* the lab's process."""
    isolation.die_with(parent)
    with socket.socket(fileno=descriptor) as control:
        serve(control)


def _answer(endpoint: Endpoint, packet: bytes) -> bytes:
    verb, arguments = protocol.parse_request(packet)
    try:
        value: Any = getattr(endpoint, verb)(*arguments)
        return protocol.success(value)
    except Exception as error:  # whatever it is, the lab is told; it ends us
        return protocol.failure(error)
