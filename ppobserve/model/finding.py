"""Something that was found: how bad, where, in which words, by which numbers, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from ppobserve.model.snapshot import PoolSample


class Severity(IntEnum):
    """How much it matters; the higher, the more."""

    GOOD = 0
    NOTICE = 1
    WARNING = 2
    CRITICAL = 3


@dataclass(frozen=True)
class Finding:
    """One finding, in words that need no other."""

    kind: str
    severity: Severity
    where: str
    """A device or a pool; empty for the host."""
    sentence: str
    evidence: Mapping[str, float]
    """Numbers by what they count, with their unit in the name; a share is of 1."""
    todo: str = ""
    far: bool = False
    """Is it about traffic between nodes?"""


def named(sample: PoolSample) -> str:
    """``pool 7 of eth0``."""
    return f"pool {sample.pool.id}" + (f" of {sample.pool.netdev}" if sample.pool.netdev else "")
