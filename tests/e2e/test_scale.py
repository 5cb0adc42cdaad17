"""bench/scale.py, shortened: twenty hosts, a real Prometheus, and the form that docs/scale.md is made of."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

from bench.run import TOP, parted
from bench.scale import exposition
from ppobserve.model.cardinality import Cardinality

ADDED = 5
"""Series that Prometheus adds to those of a target: up, and four of scrape_*."""


def test_a_fleet_is_measured(figure: Callable[..., None]) -> None:
    bench = [sys.executable, "-m", "bench.scale", "--short"]
    printed = subprocess.run(bench, cwd=TOP, check=True, stdout=subprocess.PIPE, text=True).stdout
    section, lines = parted(printed)
    values = {claim["claim"].partition(": ")[2]: claim["value"] for claim in map(json.loads, lines)}
    own = sum(len(family.samples) for family in exposition(Cardinality.NETDEV, lambda: 1e9).collect())
    assert values["series a host"] == own + ADDED
    assert 0.5 < values["a sample on disk"] < 50
    assert values["one evaluation of recording.yml"] > 0
    assert "| 100,000 | netdev |" in section
    figure("netdev: series a host in Prometheus", values["series a host"], "series")
