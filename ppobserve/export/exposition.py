"""What /metrics answers: pools by our own renderer, the rest by prometheus_client; one read for all who ask at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from ppobserve.export.collector import PoolCollector, Seen, info_rows
from ppobserve.export.text import Lines, head
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.metrics import TABLE, counters, gauges

Encode = Callable[..., bytes]
"""One of prometheus_client's ``generate_latest``. The type of its argument differs: a registry in 0.21 (Debian 13), a
collector in 0.26."""


class Exposition:
    """The text of all metrics. Any number of threads may ask."""

    def __init__(self, pools: PoolCollector) -> None:
        self._pools, self._process = pools, ProcessCollector(registry=None)
        self._lock = threading.Lock()
        self._flights: dict[bool, _Flight] = {}

    def text(self, encode: Encode, *, openmetrics: bool) -> bytes:
        """The same bytes for all who ask while it is made; an error, too, is for all of them."""
        with self._lock:
            flight = self._flights.get(openmetrics)
            first = flight is None
            flight = flight or _Flight()
            self._flights[openmetrics] = flight
        if not first:
            return flight.result()
        try:
            flight.body = self._text(encode, openmetrics=openmetrics)
        except Exception as error:
            flight.error = error
        with self._lock:
            del self._flights[openmetrics]
        flight.landed.set()
        return flight.result()

    def _text(self, encode: Encode, *, openmetrics: bool) -> bytes:
        seen = self._pools.see()
        pools = "".join(pool_lines(seen, openmetrics=openmetrics)).encode()
        return pools + encode(_Families([*self._pools.about(seen), *self._process.collect()]))


def pool_lines(seen: Seen, *, openmetrics: bool) -> Iterator[str]:
    """The lines of :func:`ppobserve.export.collector.families`, with those that are above them."""
    lines = Lines(seen.groups, seen.cardinality)
    for metric in counters(seen.snapshot.plan):
        yield head(metric, openmetrics=openmetrics)
        yield from lines.counter(metric)
    for metric in (*gauges(), TABLE["pool_detached_seconds"]):
        yield head(metric, openmetrics=openmetrics)
        yield from (lines.remote if metric.labels else lines.gauge)(metric)
    if seen.cardinality is Cardinality.POOL:
        info = TABLE["pool_info"]
        yield head(info, openmetrics=openmetrics)
        yield from lines.info(info, info_rows(seen))


@dataclass
class _Flight:
    """One making of the text, for everyone who came meanwhile."""

    landed: threading.Event = field(default_factory=threading.Event)
    body: bytes = b""
    error: Exception | None = None

    def result(self) -> bytes:
        self.landed.wait()
        if self.error:
            raise self.error
        return self.body


@dataclass(frozen=True)
class _Families(Collector):
    """Families that are there already."""

    families: Iterable[Family]

    def collect(self) -> Iterable[Family]:
        return self.families
