"""The series of all pools as text, without an object for each of them.

The same bytes as prometheus_client's from :func:`ppobserve.export.collector.families`, which a test compares, in a part
of the time (bench/scrape.py). Both of its formats (text 0.0.4, OpenMetrics 1.0) have the same lines for samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

from prometheus_client.utils import floatToGoString

from ppobserve.model.cardinality import Cardinality, Group, label_names
from ppobserve.model.metrics import PREFIX, Metric
from ppobserve.model.series import BOUNDS, Histogram

_BUCKETS = (*(f"{bound}.0" for bound in BOUNDS), "+Inf")


def head(metric: Metric, *, openmetrics: bool) -> str:
    """The two lines above the samples of a metric. The help texts of the table have nothing to escape."""
    name = PREFIX + metric.name + ("_total" if metric.kind == "counter" and not openmetrics else "")
    return f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"


def number(value: float) -> str:
    """As Prometheus' own libraries write it. From a million on they change to exponents."""
    if type(value) is int and -1_000_000 < value < 1_000_000:
        return f"{value}.0"
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


class Lines:
    """The lines of one cardinality's groups, for one scrape."""

    def __init__(self, groups: Iterable[Group], cardinality: Cardinality) -> None:
        self._cardinality, self._names = cardinality, label_names(cardinality)
        order = sorted(range(len(self._names)), key=self._names.__getitem__)
        self._groups = [(group, tuple(_escaped(group.labels[place]) for place in order)) for group in groups]

    def counter(self, metric: Metric) -> Iterator[str]:
        """The samples of a counter, or of a histogram."""
        if metric.kind == "histogram":
            yield from self._histogram(metric)
            return
        name = metric.full_name
        for group, labels in self._groups:
            series = group.counters.get(metric.name)
            if series is not None and not isinstance(series, Histogram):
                for values, count in series.items():
                    yield self._template(name, metric.labels, values) % labels + f" {number(count)}\n"

    def gauge(self, metric: Metric) -> Iterator[str]:
        """The samples of a gauge: one a group."""
        template = self._template(PREFIX + metric.name, (), ())
        for group, labels in self._groups:
            if metric.name in group.gauges:
                yield template % labels + f" {number(group.gauges[metric.name])}\n"

    def remote(self, metric: Metric) -> Iterator[str]:
        """The samples of ``remote_pages``."""
        for group, labels in self._groups:
            for values, pages in group.remote.items():
                yield self._template(PREFIX + metric.name, metric.labels, values) % labels + f" {number(pages)}\n"

    def info(self, metric: Metric, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
        """The samples of ``pool_info``: a row is the values of a pool's labels, then of the metric's own."""
        names = (*self._names, *metric.labels)
        order = sorted(range(len(names)), key=names.__getitem__)
        template = _template(PREFIX + metric.name, names, (), ())
        for row in rows:
            yield template % tuple(_escaped(row[place]) for place in order) + " 1.0\n"

    def _histogram(self, metric: Metric) -> Iterator[str]:
        name = PREFIX + metric.name
        buckets = [self._template(f"{name}_bucket", ("le",), (bound,)) for bound in _BUCKETS]
        count, total = (self._template(f"{name}_{part}", (), ()) for part in ("count", "sum"))
        for group, labels in self._groups:
            histogram = group.counters.get(metric.name)
            if isinstance(histogram, Histogram):
                below = (*histogram.cumulated(), histogram.count)
                for template, value in zip(buckets, below, strict=True):
                    yield template % labels + f" {number(value)}\n"
                yield count % labels + f" {number(histogram.count)}\n"
                yield total % labels + f" {number(histogram.sum)}\n"

    def _template(self, name: str, own: tuple[str, ...], values: tuple[str, ...]) -> str:
        return _template(name, self._names, own, values)


@cache
def _template(name: str, names: tuple[str, ...], own: tuple[str, ...], values: tuple[str, ...]) -> str:
    """A sample up to its value, with a ``%s`` for each label of the group, in the order of their names.

    There are as many as a metric has combinations of its own labels: of nodes, reasons, places.
    """
    fixed = {label: _escaped(value).replace("%", "%%") for label, value in zip(own, values, strict=True)}
    labels = {**dict.fromkeys(names, "%s"), **fixed}
    inside = ",".join(f'{label}="{labels[label]}"' for label in sorted(labels))
    return f"{name}{{{inside}}}" if inside else name


@lru_cache(maxsize=4096)
def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
