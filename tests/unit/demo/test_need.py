"""When a guest has to show what the host could not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from demo.need import lacking
from ppobserve.model.plan import Level, Rung
from ppobserve.model.snapshot import Pool, PoolSample
from ppobserve.model.span import Span, span_of
from tests.unit.factories import ZERO, plan, snapshot

ONE, TWO = {0: 0, 1: 0}, {0: 0, 1: 1}
HOOKS, NODES, VETH = "refuses function hooks", "has one NUMA node", "has no page_pool in veth"


def recorded(rung: Rung, netdev: str = "ppv1") -> Span:
    """A recording of one pool."""
    first = snapshot(PoolSample(Pool("3", netdev, ifindex=2), ZERO, {}), plan=plan(Level.STANDARD, rung))
    return span_of([first, replace(first, time=first.time + 1)])


@pytest.mark.parametrize(
    ("span", "nodes", "lacks"),
    [
        (recorded(Rung.FENTRY), TWO, []),
        (recorded(Rung.KPROBE), TWO, []),
        (recorded(Rung.TRACEPOINT), TWO, [HOOKS]),
        (recorded(Rung.FENTRY), ONE, [NODES]),
        (recorded(Rung.FENTRY), {}, [NODES]),
        (recorded(Rung.TRACEPOINT), ONE, [HOOKS, NODES]),
        (recorded(Rung.FENTRY, "eth0"), TWO, [VETH]),
        (None, TWO, ["cannot be observed"]),
    ],
)
def test_what_a_kernel_lacks(span: Span | None, nodes: Mapping[int, int], lacks: list[str]) -> None:
    assert lacking(span, nodes) == lacks
