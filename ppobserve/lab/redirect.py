"""Live frames that go somewhere: into a veth pair whose far end drops them.

The far end's NAPI gives the pages back, in bulks and from softirq, on whichever CPU it runs (``veth_xdp_rcv`` in
drivers/net/veth.c), where a frame that is dropped at once comes back alone. Works on 6.1, too, whose veth has no
page_pool of its own.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from ppobserve.errors import LabError
from ppobserve.kernel import programs
from ppobserve.kernel.bpf import BpfError
from ppobserve.lab.frames import XDP_DROP
from ppobserve.lab.isolation import own_network
from ppobserve.lab.remedy import XDP, refused
from ppobserve.lab.veth import find_ip, load_veth

NEAR, FAR = "ppr0", "ppr1"


@contextmanager
def veth_that_drops() -> Iterator[int]:
    """The ifindex to redirect to, valid in the calling thread alone, which is in a namespace of its own meanwhile.

    LabError when this host refuses a part of it. The namespace goes with the thread's leave, and the pair with it.
    """
    load_veth()
    with own_network():
        _make_pair(find_ip())
        link = _dropping(FAR)
        try:
            yield socket.if_nametoindex(NEAR)
        finally:
            os.close(link)


def _make_pair(ip: str) -> None:
    lines = f"link add {NEAR} type veth peer name {FAR}\nlink set {NEAR} up\nlink set {FAR} up\n"
    made = subprocess.run([ip, "-batch", "-"], input=lines, capture_output=True, text=True, check=False)
    if made.returncode:
        raise LabError("cannot make a veth pair", because=made.stderr.strip())


def _dropping(device: str) -> int:
    """A link that keeps XDP on *device*, which has it run NAPI, and its peer take redirected frames."""
    try:
        program = programs.load(programs.TYPE_XDP, programs.returning(XDP_DROP), "ppobserve_drop")
        try:
            return programs.attach_xdp(program, socket.if_nametoindex(device))
        finally:
            os.close(program)
    except BpfError as error:
        raise refused(f"cannot drop frames at {device}", error, *XDP) from None
