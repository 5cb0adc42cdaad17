"""How fast this machine is at the moment: an emulated or crowded CPU needs more time for everything."""

from __future__ import annotations

import time

_TURNS = 200_000
_SECONDS = 0.002
"""What _TURNS of an empty loop take on an idle core of a server."""


def slowness() -> float:
    """Return how many times longer a fixed piece of work takes than on an idle core of a server; 1 at least.

    A time limit for work that takes the CPU is multiplied by this. Takes that work's time: 2 ms, or 60 in a guest whose
    CPU is emulated.
    """
    begin = time.perf_counter()
    for _ in range(_TURNS):
        pass
    return max(1.0, (time.perf_counter() - begin) / _SECONDS)
