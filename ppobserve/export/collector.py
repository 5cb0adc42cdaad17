"""Snapshots as Prometheus families: a custom collector that reads once a scrape."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from ppobserve import __version__
from ppobserve.model.cardinality import Cardinality, Group, fold, label_names, label_values
from ppobserve.model.config import Config
from ppobserve.model.metrics import PREFIX, TABLE, Metric, counters, gauges
from ppobserve.model.series import BOUNDS, Counter, Histogram, total
from ppobserve.model.series_limit import Cap
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State, ended_gains, gather_ended


class Readable(Protocol):
    """Anything that can be asked for all pools."""

    def read(self) -> Snapshot:
        """All pools, now."""


@dataclass(frozen=True)
class Seen:
    """What one read showed."""

    snapshot: Snapshot
    cardinality: Cardinality
    groups: tuple[Group, ...]
    folded: int
    """Pools or devices that found no room for series of their own."""
    seconds: float
    """How long it took."""


class PoolCollector(Collector):
    """Everything that ppobserve exports. A failed read fails the scrape: an old number is worse than none."""

    def __init__(
        self, source: Readable, cardinality: Cardinality = Cardinality.POOL, max_series: int = Config.max_series
    ) -> None:
        self._source, self._cardinality = source, cardinality
        self._cap = Cap(max_series, cardinality)
        self._before: Snapshot | None = None
        self._ended: dict[tuple[str, ...], PoolSample] = {}
        self._lock = threading.Lock()

    def describe(self) -> Iterable[Family]:
        """Nothing in advance: what there is depends on the plan."""
        return ()

    def collect(self) -> Iterator[Family]:
        """One read, then every family of the metric table that the plan counts."""
        seen = self.see()
        yield from families(seen)
        yield from self.about(seen)

    def see(self) -> Seen:
        """One read."""
        begin = time.perf_counter()
        with self._lock:
            snapshot = self._seen(self._source.read())
            groups = self._cap.apply(fold(snapshot.pools, self._cardinality))
            return Seen(snapshot, self._cardinality, groups, self._cap.folded, time.perf_counter() - begin)

    def about(self, seen: Seen) -> Iterator[Family]:
        """The families about ppobserve itself."""
        yield from self_families(seen)
        yield from hook_families(seen.snapshot)

    def _seen(self, snapshot: Snapshot) -> Snapshot:
        """With a series a pool, ended pools show only what no series of their own has shown before they ended.

        Where pools are added up, all that they counted stays in the sum, so that it never goes down.
        """
        if self._cardinality is not Cardinality.POOL:
            return snapshot
        before, self._before = self._before, snapshot
        self._ended = gather_ended(self._ended, ended_gains(snapshot, before) if before else snapshot.pools)
        live = (sample for sample in snapshot.pools if sample.pool.state is not State.ENDED)
        ended = (sample for sample in self._ended.values() if any(map(total, sample.counters.values())))
        return replace(snapshot, pools=(*live, *ended))


def families(seen: Seen) -> Iterator[Family]:
    """The families of all pools. The daemon writes the same text itself: see ``export.text``."""
    names, groups = label_names(seen.cardinality), seen.groups
    for metric in counters(seen.snapshot.plan):
        yield _counter_family(metric, names, groups)
    for metric in gauges():
        yield (_remote_family if metric.labels else _gauge_family)(metric, names, groups)
    yield _gauge_family(TABLE["pool_detached_seconds"], names, groups)
    if seen.cardinality is Cardinality.POOL:
        yield _info_family(seen)


def _counter_family(metric: Metric, names: tuple[str, ...], groups: Iterable[Group]) -> Family:
    labels = (*names, *metric.labels)
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(PREFIX + metric.name, metric.help, labels=labels)
        for group in groups:
            _add_histogram(histogram, group)
        return histogram
    family = CounterMetricFamily(PREFIX + metric.name, metric.help, labels=labels)
    for group in groups:
        for values, count in _series(group.counters.get(metric.name)):
            family.add_metric((*group.labels, *values), count)
    return family


def _series(counter: Counter | None) -> Iterable[tuple[tuple[str, ...], int]]:
    return counter.items() if isinstance(counter, Mapping) else ()


def _add_histogram(family: HistogramMetricFamily, group: Group) -> None:
    histogram = group.counters.get(family.name.removeprefix(PREFIX))
    if not isinstance(histogram, Histogram):
        return
    buckets = [(f"{bound}.0", float(count)) for bound, count in zip(BOUNDS, histogram.cumulated(), strict=True)]
    family.add_metric(group.labels, [*buckets, ("+Inf", float(histogram.count))], histogram.sum)


def _gauge_family(metric: Metric, names: tuple[str, ...], groups: Iterable[Group]) -> Family:
    family = GaugeMetricFamily(PREFIX + metric.name, metric.help, labels=names)
    for group in groups:
        if metric.name in group.gauges:
            family.add_metric(group.labels, group.gauges[metric.name])
    return family


def _remote_family(metric: Metric, names: tuple[str, ...], groups: Iterable[Group]) -> Family:
    family = GaugeMetricFamily(PREFIX + metric.name, metric.help, labels=(*names, *metric.labels))
    for group in groups:
        for values, pages in group.remote.items():
            family.add_metric((*group.labels, *values), pages)
    return family


def _info_family(seen: Seen) -> Family:
    metric, names = TABLE["pool_info"], label_names(Cardinality.POOL)
    family = GaugeMetricFamily(PREFIX + metric.name, metric.help, labels=(*names, *metric.labels))
    for row in info_rows(seen):
        family.add_metric(row, 1)
    return family


def info_rows(seen: Seen) -> Iterator[tuple[str, ...]]:
    """What every pool with series of its own is: the values of its labels, then of pool_info's own."""
    shown = {group.labels for group in seen.groups}
    for sample in seen.snapshot.pools:
        whose = label_values(sample.pool, Cardinality.POOL)
        if sample.pool.state is not State.ENDED and whose in shown:
            own = _described(sample.pool)
            yield (*whose, *(own[label] for label in TABLE["pool_info"].labels))


def _described(pool: Pool) -> dict[str, str]:
    """The labels of pool_info; empty for what is not known. A pool's nid of -1 is known: it wants the consumer's."""
    return {
        "ifindex": str(pool.ifindex or ""),
        "device": pool.device,
        "device_node": _known(pool.device_node),
        "nid": str(pool.nid),
        "queue": _known(pool.queue),
        "cpu": _known(pool.cpu),
        "order": str(pool.order),
        "provider": "yes" if pool.provider else "",
        "state": pool.state.value,
    }


def _known(number: int) -> str:
    return str(number) if number >= 0 else ""


def self_families(seen: Seen) -> Iterator[Family]:
    """The families about what was read, and the read itself."""
    snapshot, plan = seen.snapshot, seen.snapshot.plan
    live = sum(sample.pool.state is not State.ENDED for sample in snapshot.pools)
    build = (__version__, snapshot.kernel, plan.level.value, plan.rung.value)
    yield _self("build_info", [(build, 1)])
    yield _self("pools_tracked", [((), live)])
    negative = sum(sample.gauges.get("inflight_pages", 0) < 0 for sample in snapshot.pools)
    yield _self("pools_folded", [((), seen.folded)])
    yield _self("pools_inflight_negative", [((), negative)])
    yield _self("pools_dropped", [((), snapshot.tables.pools_dropped)])
    yield _self("events_dropped", [((), snapshot.tables.slots_dropped)])
    yield _self("audit_divergence", [((name,), events) for name, events in snapshot.audit.items()])
    yield _self("bpf_runs", [((program,), int(cost.runs)) for program, cost in snapshot.costs.items()])
    yield _self("bpf_seconds", [((program,), cost.seconds) for program, cost in snapshot.costs.items()])
    yield _self("levels_below", [((), snapshot.levels_below)])
    yield _self("netns_unreadable", [((), snapshot.netns_unreadable)])
    yield _self("scrape_seconds", [((), seen.seconds)])


def hook_families(snapshot: Snapshot) -> Iterator[Family]:
    """The families about the hooks of the plan, and of those that a lower level gave up."""
    hooks = [hook for hook in snapshot.plan.hooks if hook.name in snapshot.hooks]
    values = [((hook.name, hook.rung.value, hook.symbol), int(snapshot.hooks[hook.name].attached)) for hook in hooks]
    yield _self("hook_attached", values)
    yield _self("hook_missed", [((name,), hook.missed) for name, hook in snapshot.hooks.items()])


def _self(name: str, values: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    metric = TABLE[name]
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(PREFIX + name, metric.help, labels=metric.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family
