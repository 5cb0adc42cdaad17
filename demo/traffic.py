"""TCP through real page_pools, the sender visiting CPUs in turn: what ``ppobserve lab veth --cpus`` does."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from demo.counters import parse_ethtool
from ppobserve.lab.veth import SBIN, VethLab

CHUNK_BYTES = 1 << 20
VISIT_SECONDS = 0.5


@dataclass
class Sent:
    """Bytes that arrived, and the seconds that they took."""

    nbytes: int = 0
    seconds: float = 0.0


def cpus_to_visit(nodes: Mapping[int, int]) -> list[int]:
    """The first CPU of each of two NUMA nodes; two CPUs if there is one node. *nodes* has the node of each CPU."""
    first = {node: cpu for cpu, node in sorted(nodes.items(), reverse=True)}
    firsts = sorted(first.values())
    return firsts[:2] if len(firsts) > 1 else sorted(nodes)[:2]


def send(lab: VethLab, cpus: Sequence[int], enough: Callable[[Sent], bool]) -> Sent:
    """Send until *enough*, asked after each visit to a CPU. The pair is quiet when this returns."""
    sent = Sent()
    for cpu in cycle(cpus or [None]):
        _visit(lab, cpu, sent)
        if enough(sent):
            break
    return sent


def _visit(lab: VethLab, cpu: int | None, sent: Sent) -> None:
    end = time.monotonic() + VISIT_SECONDS
    while True:
        transfer = lab.send(CHUNK_BYTES, cpu)
        sent.nbytes, sent.seconds = sent.nbytes + transfer.received, sent.seconds + transfer.seconds
        if time.monotonic() >= end:
            break


def kernel_counters(lab: VethLab) -> Mapping[str, int]:
    """The kernel's page_pool counters of the device that receives, by ``ethtool -S`` where that is installed."""
    if ethtool := shutil.which("ethtool") or shutil.which("ethtool", path=SBIN):
        inside = ("nsenter", f"--net=/proc/{lab.receiver.pid}/ns/net")
        done = subprocess.run([*inside, ethtool, "-S", lab.receiver.device], capture_output=True, text=True)
        return parse_ethtool(done.stdout)  # it fails where the driver has no statistics at all
    return lab.kernel_counters()[lab.receiver.device]
