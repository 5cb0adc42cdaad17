"""Where snapshots come from: one protocol, whatever is behind it."""

from __future__ import annotations

from typing import Protocol

from ppobserve.model.snapshot import Snapshot


class Source(Protocol):
    """Anything that can be asked for all pools: live programs, a recording, another host's daemon."""

    def read(self) -> Snapshot:
        """All pools, now. HostError when they can't be read."""

    def close(self) -> None:
        """Let go of whatever is held; twice is harmless."""
