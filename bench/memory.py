"""What the daemon keeps: its own memory with many pools and after many scrapes, and the kernel's for its maps.

Real pools, which veth has from 6.4 on, in a network namespace of their own. Needs root.

    .venv/bin/python -m bench.memory [--short]
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from bench import claims, pools
from bench.daemon import Daemon, serving
from ppobserve.probe import abi
from ppobserve.probe.maps import memory_of

SCRAPES, FEW = 10_000, 300
SETTLED = 45.0
"""Seconds until a daemon has all that it keeps: its page has rates of two snapshots a quarter of a minute apart."""
BIG = abi.Tables(cpus=256, nodes=8)


def main() -> None:
    """Print the section."""
    short = claims.options(__doc__ or "").short
    claims.heading("Memory")
    rows = [with_pools(64, *((103, 3) if short else (SCRAPES, SETTLED))), with_pools(512, 53 if short else FEW, 3)]
    claims.table(("pools", "after the first scrape (MiB)", "later (MiB)", "scrapes", "growth (KiB)"), rows)
    maps = memory_of(BIG)
    claims.table(("map", "KiB"), [(name, f"{size / 1024:.0f}") for name, size in maps.items() if size > 4096])
    claims.claim("daemon, 64 pools", rows[0][2], "MiB", script=__file__, at_most=32)
    claims.claim("daemon, 512 pools", rows[1][2], "MiB", script=__file__, at_most=48)
    claims.claim(f"growth over {rows[0][3]} scrapes, 64 pools", rows[0][4], "KiB", script=__file__, at_most=256)
    what = f"maps for {BIG.pools} pools on {BIG.cpus} CPUs and {BIG.nodes} nodes, in the kernel"
    claims.claim(what, sum(maps.values()) / 2**20, "MiB", script=__file__, at_most=8)


def with_pools(count: int, scrapes: int, settle: float) -> tuple[int, float, float, int, int]:
    """Pools, RSS after the first scrape and in the end, scrapes, and growth in them after so many seconds."""
    with serving() as daemon, pools.held(count):
        tracked = daemon.wait_for_pools(count)
        first = _rss_kib(daemon)
        begin = time.monotonic()
        while time.monotonic() < begin + settle:
            daemon.metrics()
        settled = _rss_kib(daemon)
        for _ in range(scrapes):
            daemon.metrics()
        last = _rss_kib(daemon)
    return tracked, round(first / 1024, 1), round(last / 1024, 1), scrapes, last - settled


def _rss_kib(daemon: Daemon) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{daemon.pid}/status").read_text())
    assert found
    return int(found[1])


if __name__ == "__main__":
    main()
