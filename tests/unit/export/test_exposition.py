"""Our own text against prometheus_client's, byte by byte; one read for all who ask at once."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_latest
from prometheus_client.utils import floatToGoString

from ppobserve.errors import ReadError
from ppobserve.export.collector import PoolCollector, families
from ppobserve.export.exposition import Exposition, pool_lines
from ppobserve.export.text import head, number
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.metrics import TABLE
from ppobserve.model.plan import Level, Rung
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot
from tests.unit.export.samples import Source, moment
from tests.unit.factories import plan, remotes, snapshot, whole_counters

OTHERS = re.compile(rb"(?m)^(process_|ppobserve_scrape_seconds).*\n")
"""What is never the same twice."""


class Fixed:
    """Stands for a registry."""

    def __init__(self, seen) -> None:
        self.seen = seen

    def collect(self):
        return families(self.seen)


def same(source: Source, cardinality: Cardinality, most: int = 20_000) -> None:
    seen = PoolCollector(source, cardinality, most).see()
    text, openmetrics = ("".join(pool_lines(seen, openmetrics=which)).encode() for which in (False, True))
    assert text == generate_latest(Fixed(seen))
    assert openmetrics + b"# EOF\n" == openmetrics_latest(Fixed(seen))


@pytest.mark.parametrize("cardinality", Cardinality)
@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("rung", Rung)
def test_the_same_bytes_as_prometheus_client(cardinality: Cardinality, level: Level, rung: Rung) -> None:
    same(Source(replace(moment(), plan=plan(level, rung))), cardinality)


def test_the_same_bytes_where_pools_found_no_room() -> None:
    same(Source(), Cardinality.POOL, most=100)


names = st.text(max_size=15)
pools = st.builds(
    Pool, id=st.from_regex(r"[0-9a-f-]{1,9}", fullmatch=True), netdev=names, netns=st.integers(0, 2**32 - 1),
    ifindex=st.integers(0, 9), napi=st.integers(0, 9999), driver=names, device=names, nid=st.integers(-1, 7),
)  # fmt: skip
levels = st.fixed_dictionaries(
    {"inflight_pages": st.integers(-(2**31), 2**31)},
    optional={"pool_detached_seconds": st.floats(0, 1e9), "ring_size": st.integers(0, 32768)},
)
hosts = st.lists(st.builds(PoolSample, pools, whole_counters, levels, remotes), max_size=5)


@given(hosts, st.sampled_from(Cardinality))
def test_the_same_bytes_whatever_there_is(samples: list[PoolSample], cardinality: Cardinality) -> None:
    """Names with every character, counts up to 2 ** 53."""
    same(Source(snapshot(*samples)), cardinality)


@given(st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=True, allow_infinity=True)))
def test_numbers(value: float) -> None:
    assert number(value) == floatToGoString(value)


@pytest.mark.parametrize("metric", TABLE.values(), ids=lambda metric: metric.name)
def test_help_needs_no_escaping(metric) -> None:
    assert not {"\\", "\n", '"'} & set(metric.help)
    assert head(metric, openmetrics=True).count("\n") == 2


@pytest.mark.parametrize(("encode", "openmetrics"), [(generate_latest, False), (openmetrics_latest, True)])
def test_the_whole_text(encode: Callable[..., bytes], openmetrics: bool) -> None:
    registry = CollectorRegistry()
    registry.register(PoolCollector(Source()))
    ProcessCollector(registry=registry)
    ours = Exposition(PoolCollector(Source())).text(encode, openmetrics=openmetrics)
    assert OTHERS.sub(b"", ours) == OTHERS.sub(b"", encode(registry))
    assert b"\nprocess_resident_memory_bytes " in ours


ASKERS = 10


class Slow(Source):
    """Answers when everyone else has asked, too."""

    def read(self) -> Snapshot:
        (flight,) = self.exposition._flights.values()
        end = time.monotonic() + 30
        while len(flight.landed._cond._waiters) < ASKERS - 1 and time.monotonic() < end:
            time.sleep(0.001)
        return super().read()


def ask_at_once(source: Slow) -> list[bytes | str]:
    source.exposition = Exposition(PoolCollector(source))
    answers: list[bytes | str] = []

    def ask() -> None:
        try:
            answers.append(source.exposition.text(generate_latest, openmetrics=False))
        except ReadError as error:
            answers.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(ASKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def test_ten_scrapers_at_once_are_served_from_one_read() -> None:
    source = Slow()
    answers = ask_at_once(source)
    assert (source.reads, len(answers), len(set(answers))) == (1, ASKERS, 1)
    assert b"ppobserve_pools_tracked 3.0\n" in answers[0]
    source.read = lambda: Source.read(source)
    assert source.exposition.text(generate_latest, openmetrics=False)
    assert source.reads == 2


def test_a_read_that_fails_fails_for_all_of_them_and_not_for_the_next() -> None:
    source = Slow()
    source.failure = ReadError("cannot read")
    assert ask_at_once(source) == ["cannot read"] * ASKERS
    source.failure, source.read = None, lambda: Source.read(source)
    assert source.exposition.text(generate_latest, openmetrics=False)
