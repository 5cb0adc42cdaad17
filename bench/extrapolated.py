"""What hosts took in Prometheus, and what that comes to for more of them: the tables of docs/scale.md."""

from __future__ import annotations

from dataclasses import dataclass

from bench.claims import table
from ppobserve.model.cardinality import Cardinality

SIZES = (1_000, 10_000, 100_000)
SCRAPED, RULED, KEPT = 30, 60, 15 * 86400
"""Seconds: between two scrapes, between two evaluations of rules, and that all is kept, in what is extrapolated."""
MANY = 5_000_000
"""Series that one Prometheus of 32 GiB is given: docs/scale.md says why not more."""


@dataclass(frozen=True)
class Measured:
    """What hosts of one cardinality took."""

    cardinality: Cardinality
    hosts: int
    series: float
    """Of a host; five that Prometheus adds to each are among them."""
    samples: float
    """A second."""
    kib: float
    """Of memory, a series."""
    rules: float
    """CPU seconds that one evaluation of recording.yml takes."""
    recorded: float
    """Series that recording.yml made, a host."""
    bytes: float
    """On disk, a sample."""
    interval: int
    """Seconds between two scrapes, while it was measured."""


MEASURED = ("cardinality", "scraped every", "series a host", "recorded series a host", "samples/s", "KiB a series",
            "bytes a sample", "disk a million series, 15 days of every 30 s", "recording rules, CPU s")  # fmt: skip


def _row(each: Measured) -> tuple[str, ...]:
    return (
        each.cardinality.value,
        f"{each.interval} s",
        f"{each.series:.0f}",
        f"{each.recorded:.0f}",
        f"{each.samples:,.0f}",
        f"{each.kib:.1f}",
        f"{each.bytes:.2f}",
        _disk(1e6 / SCRAPED, each),
        f"{each.rules:.2f}",
    )


def _disk(samples: float, each: Measured) -> str:
    """What so many samples a second come to."""
    return f"{samples * each.bytes * KEPT / 2**30:,.0f} GiB"


def tables(measured: list[Measured]) -> None:
    """What was measured, and what it comes to for more hosts."""
    table(MEASURED, [_row(each) for each in measured])
    print("For more hosts, by multiplication; scraped every 30 s, rules every minute, kept for 15 days:\n")
    columns = (
        "hosts",
        "cardinality",
        "series",
        "samples/s",
        "memory",
        "disk",
        "recording rules, CPU s",
        "shards of 5 M",
    )
    table(columns, [_extrapolated(each, hosts) for hosts in SIZES for each in measured])


def _extrapolated(each: Measured, hosts: int) -> tuple[str, ...]:
    series = (each.series + each.recorded) * hosts
    samples = each.series * hosts / SCRAPED + each.recorded * hosts / RULED
    return (
        f"{hosts:,}",
        each.cardinality.value,
        f"{series / 1e6:.2f} M",
        f"{samples:,.0f}",
        f"{series * each.kib / 2**20:.1f} GiB",
        _disk(samples, each),
        f"{each.rules * hosts / each.hosts:.1f}",
        str(int(-(-series // MANY))),
    )
