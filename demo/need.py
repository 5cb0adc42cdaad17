"""What the host could not show of the main job, so that a guest has to."""

from __future__ import annotations

from collections.abc import Mapping

from ppobserve.lab.veth import RECEIVER_DEVICE
from ppobserve.model.plan import Rung
from ppobserve.model.span import Span


def lacking(span: Span | None, nodes: Mapping[int, int]) -> list[str]:
    """What this kernel lacks, as the end of "This kernel …"; [] if it showed everything.

    *span* is what was recorded here (None: nothing was), *nodes* has the node of each CPU.
    """
    if span is None:
        return ["cannot be observed"]
    missing = {
        "refuses function hooks": span.last.plan.rung is Rung.TRACEPOINT,
        "has one NUMA node": len(set(nodes.values())) < 2,
        "has no page_pool in veth": not any(sample.pool.netdev == RECEIVER_DEVICE for sample in span.pools.values()),
    }
    return [what for what, lacks in missing.items() if lacks]
