"""What a scrape takes: reading, adding up and writing the series of many pools, by the size of the host.

Tables are filled as a host with so many pools and CPUs fills them (bench/synthetic.py), so any machine can show a big
one. CPU time, the least of many rounds: others may be at work here. Needs root.

    .venv/bin/python -m bench.scrape [--short]
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_latest
from prometheus_client.registry import Collector

from bench import claims, pools, synthetic
from bench.daemon import serving
from ppobserve.export.collector import PoolCollector, Seen, families
from ppobserve.export.exposition import Exposition, pool_lines
from ppobserve.kernel import memory
from ppobserve.model.facts import from_facts
from ppobserve.model.snapshot import Snapshot
from ppobserve.plot.axis import value_axis
from ppobserve.plot.chart import Series, lines
from ppobserve.plot.svg import standalone
from ppobserve.probe.attach import Attached
from ppobserve.probe.reader import Reader

TOP = Path(__file__).parent.parent
FACTS, PICTURE = TOP / "tests/data/facts/7.3.json", TOP / "docs/scrape.svg"
POOLS, CPUS, SLOTS_A_POOL, NODES = 512, 256, 7, 2
"""Each pool is met on seven CPUs: its consumer's, and those that give pages back. All get slots: 3,584 of 4,096."""
SIZES = (32, 64, 128, 256, 512)


class Tables:
    """A source that shows filled tables."""

    def __init__(self, attached: Attached) -> None:
        nodes = {cpu: cpu % NODES for cpu in range(attached.tables.cpus)}
        self._reader, self._plan = Reader(attached, nodes), attached.plan

    def read(self) -> Snapshot:
        """As ``source.live`` does, without asking the kernel for its own list of pools."""
        samples, tables, audit = self._reader.read()
        return Snapshot(time.time(), self._plan, samples, tables, audit=audit)


@dataclass(frozen=True)
class Reference(Collector):
    """The same data for prometheus_client: its families are made anew each time, as they are in a scrape."""

    seen: Seen

    def collect(self) -> Iterator[Family]:
        """All families of pools."""
        return families(self.seen)


@contextmanager
def host(count: int, cpus: int) -> Iterator[tuple[Tables, PoolCollector]]:
    """A source, and what exports it with a series for every pool."""
    features = from_facts(json.loads(FACTS.read_text()), str(FACTS)).features
    with synthetic.attached(features, pools=count, cpus=cpus, slots_a_pool=SLOTS_A_POOL, nodes=NODES) as attached:
        source = Tables(attached)
        yield source, PoolCollector(source, max_series=100_000)


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """CPU time of the fastest round."""
    taken = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return min(taken) * 1e3


def samples(text: bytes) -> int:
    """Lines that are not about a family."""
    return sum(not line.startswith(b"#") for line in text.splitlines())


def ours(seen: Seen, *, openmetrics: bool) -> bytes:
    """The series of pools by our renderer."""
    return "".join(pool_lines(seen, openmetrics=openmetrics)).encode()


def big_host(rounds: int) -> None:
    """The claims."""
    with host(POOLS, CPUS) as (source, collector):
        exposition, seen = Exposition(collector), collector.see()
        assert ours(seen, openmetrics=False) == generate_latest(Reference(seen))
        assert ours(seen, openmetrics=True) + b"# EOF\n" == openmetrics_latest(Reference(seen))
        text = exposition.text(generate_latest, openmetrics=False)
        read = milliseconds(source.read, rounds)
        whole = milliseconds(lambda: exposition.text(generate_latest, openmetrics=False), rounds)
        mine = milliseconds(lambda: ours(seen, openmetrics=False), rounds)
        theirs = milliseconds(lambda: generate_latest(Reference(seen)), max(rounds // 4, 2))
    rows = [
        ("read and add up", f"{read:.1f}"),
        ("write the series of pools", f"{mine:.1f}"),
        ("the same by prometheus_client's generate_latest", f"{theirs:.1f}"),
        (f"the whole exposition, {samples(text):,} samples, {len(text) / 1e6:.1f} MB", f"{whole:.1f}"),
    ]
    claims.table((f"{POOLS} pools, {CPUS} CPUs, {NODES} nodes", "ms of CPU"), rows)
    what = f"{POOLS} pools on {CPUS} CPUs"
    claims.claim(f"read and aggregate {what}", read, "ms", script=__file__, at_most=10)
    claims.claim(f"whole exposition of {what}", whole, "ms", script=__file__, at_most=60)
    claims.claim("prometheus_client's time to ours, same bytes", theirs / mine, "x", script=__file__, at_least=3)


def growth(rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of a whole exposition by the number of pools, and by the number of CPUs."""
    return (
        [exposition_time(count, CPUS, rounds) for count in SIZES],
        [exposition_time(SIZES[2], cpus, rounds) for cpus in SIZES],
    )


def exposition_time(count: int, cpus: int, rounds: int) -> float:
    """Milliseconds of a whole exposition."""
    with host(count, cpus) as (_, collector):
        exposition = Exposition(collector)
        return milliseconds(lambda: exposition.text(generate_latest, openmetrics=False), rounds)


def show_growth(rounds: int, *, picture: bool) -> None:
    """A table, a picture, and the claim that it is linear."""
    by_pools, by_cpus = growth(rounds)
    columns = ("", *map(str, SIZES))
    row = [f"{value:.1f}" for value in by_pools], [f"{value:.1f}" for value in by_cpus]
    claims.table(columns, [(f"pools, on {CPUS} CPUs (ms)", *row[0]), (f"CPUs, with {SIZES[2]} pools (ms)", *row[1])])
    if picture:
        series = [Series(f"pools, on {CPUS} CPUs", by_pools), Series(f"CPUs, with {SIZES[2]} pools", by_cpus)]
        chart = lines("CPU time of a scrape, by pools and by CPUs", SIZES, series, unit="ms", over=value_axis(SIZES))
        PICTURE.write_text(standalone(chart))
    a_pool = by_pools[-1] / SIZES[-1] / (by_pools[1] / SIZES[1])  # 8 if it were quadratic; caches are not linear
    claims.claim("a pool's cost among 512 to its cost among 64", a_pool, "x CPU", script=__file__, at_most=1.5)
    claims.claim(
        "a scrape with 512 CPUs to one with 32", by_cpus[-1] / by_cpus[0], "x CPU", script=__file__, at_most=1.5
    )


def daemon_cpu(scrapes: int, seconds: float) -> float:
    """The part of a CPU that a daemon takes with 64 real pools and so many scrapes, *seconds* apart."""
    with serving() as daemon, pools.held(64):
        daemon.wait_for_pools(64)
        begin, before = time.monotonic(), daemon.cpu_seconds
        for place in range(1, scrapes + 1):
            daemon.metrics()
            time.sleep(max(begin + place * seconds - time.monotonic(), 0))
        return (daemon.cpu_seconds - before) / (scrapes * seconds)


def main() -> None:
    """Print the section."""
    short = claims.options(__doc__ or "").short
    claims.heading("A scrape")
    memory.give_back()  # as the daemon does
    big_host(3 if short else 60)
    show_growth(2 if short else 40, picture=not short)
    part = 100 * daemon_cpu(*((11, 0.1) if short else (30, 1.0)))
    claims.claim("the daemon, 64 pools, a scrape a second", part, "% of a CPU", script=__file__, at_most=0.5)


if __name__ == "__main__":
    main()
