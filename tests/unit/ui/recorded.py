"""What a guest recorded: kernel 7.3, two nodes, level full by fentry.

A NIC whose interrupt moves between the nodes, and two pairs of veth, one with a sender that moves. Pools 4 and 6 end
near the end.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ppobserve.model.snapshot import Snapshot
from ppobserve.source.recorded import open_recording
from ppobserve.source.sampling import samples

RECORDING = Path(__file__).parents[2] / "data" / "snapshots" / "two_nodes.jsonl.gz"


@cache
def recorded() -> list[Snapshot]:
    """Every snapshot of it, oldest first."""
    source = open_recording(RECORDING)
    try:
        return list(samples(source, 0.25))
    finally:
        source.close()
