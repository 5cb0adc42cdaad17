"""The pools of a fleet's worst hosts, by PromQL."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ppobserve.errors import PrometheusError
from ppobserve.model.fleet import SPAN, Rated, fleet_plan, pool_of, short_names
from ppobserve.model.metrics import POOL_LABELS, TABLE
from ppobserve.model.plan import Plan
from ppobserve.model.rates import Interval
from ppobserve.model.series import Counters, add
from ppobserve.model.snapshot import ENDED_ID, Pool, PoolSample, Snapshot, State
from ppobserve.source.prometheus import Prometheus, Sample

_COUNTERS = ("refill_misses", "numa_mismatch_pages", "slow_refills", "pages_held", "pages_returned")
_GAUGES = ("inflight_pages", "cache_pages", "ring_pages")
_HISTOGRAM = "refill_batch_pages"
_WORST = (("numa_mismatch_pages", "rate5m"), ("slow_refills", "rate5m"))
"""What makes a host bad, the worst first, and the name of its recorded series."""


@dataclass(frozen=True)
class Scope:
    """Which hosts, and over which time."""

    job: str = "ppobserve"
    """A regular expression."""
    hosts: int = 10
    window: str = "5m"


@dataclass
class Fleet:
    """A source of snapshots that hold the pools of the worst hosts, their rates being those that Prometheus tells."""

    prometheus: Prometheus
    scope: Scope = field(default_factory=Scope)
    notes: list[str] = field(default_factory=list)
    """What is odd about the fleet, as sentences."""
    hosts: int = 0
    """How many there are."""
    _plan: Plan | None = None
    _counted: dict[tuple[str, ...], PoolSample] = field(default_factory=dict)
    _ended: Counters = field(default_factory=dict)
    _at: float = 0.0
    _devices: dict[tuple[str, ...], int] = field(default_factory=dict)
    _named: list[str] = field(default_factory=list)
    """The worst hosts that a note has named."""

    def interval(self) -> Interval:
        """What the worst hosts do now. PrometheusError when that can't be told."""
        rated, plan = self._rated()
        pools = tuple(PoolSample(each.pool, each.counters(SPAN), each.gauges, each.remote) for each in rated)
        snapshot = Snapshot(time.time(), plan, pools, host=f"{self.hosts} hosts")
        return Interval(snapshot, snapshot, SPAN)

    def read(self) -> Snapshot:
        """The same as a snapshot whose counters have gone on, since the last, by what Prometheus tells."""
        rated, plan = self._rated()
        now = time.time()
        seconds = now - self._at if self._at else 0.0
        counted = {each.pool.key: self._gone_on(each, seconds) for each in rated}
        for key, gone in self._counted.items():
            if key not in counted:
                self._ended = add(self._ended, gone.counters)
        self._counted, self._at = counted, now
        ended = PoolSample(Pool(ENDED_ID, state=State.ENDED), self._ended, {})
        return Snapshot(now, plan, (*counted.values(), ended), host=f"{self.hosts} hosts")

    def close(self) -> None:
        """Nothing is held."""

    def _gone_on(self, rated: Rated, seconds: float) -> PoolSample:
        before = self._counted.get(rated.pool.key)
        counters = rated.counters(seconds)
        if before:
            counters = add(before.counters, counters)
        return PoolSample(rated.pool, counters, rated.gauges, rated.remote)

    def _rated(self) -> tuple[list[Rated], Plan]:
        self._plan = self._plan or self._look_around()
        worst = self._worst_hosts()
        return self._pools(worst), self._plan

    def _look_around(self) -> Plan:
        """Who is there, in which versions, counting what. Once: a plan that changes would look like a new beginning."""
        labels = "version, level, rung"
        builds = self.prometheus.ask(f"count by ({labels}) (ppobserve_build_info{{{self._jobs()}}})")
        if not builds:
            raise PrometheusError(
                f"Prometheus at {self.prometheus.url} knows no host of job {self.scope.job!r}",
                because="no series ppobserve_build_info within the last five minutes",
                fix="--job NAME, or docs/prometheus.md for how to scrape",
            )
        self.hosts = int(sum(each.value for each in builds))
        self.notes += _mixed(builds)
        kinds = {(each.labels.get("level", ""), each.labels.get("rung", "")): each.value for each in builds}
        return fleet_plan(kinds, self._present())

    def _present(self) -> Iterator[str]:
        names = "|".join(re.escape(TABLE[name].full_name) for name in _COUNTERS)
        query = f'count by (__name__) ({{__name__=~"{names}|ppobserve_{_HISTOGRAM}_count",{self._jobs()}}})'
        found = {each.labels.get("__name__") for each in self.prometheus.ask(query)}
        yield from (name for name in _COUNTERS if TABLE[name].full_name in found)
        yield from [_HISTOGRAM] if f"ppobserve_{_HISTOGRAM}_count" in found else []

    def _worst_hosts(self) -> list[str]:
        """Instances, those with mismatches first, then those with pages on another node, then the busiest."""
        remote = self._top(f"ppobserve_remote_pages{{{self._jobs()}}}")
        rankings = [self._ranked(*_WORST[0]), _instances(remote), self._ranked(*_WORST[1])]
        worst = dict.fromkeys(instance for ranking in rankings for instance in ranking)
        return list(worst)[: self.scope.hosts]

    def _ranked(self, metric: str, operation: str) -> list[str]:
        """By the series that recording.yml makes; where it is not loaded, by all pools, which takes longer."""
        recorded = self._top(f"instance:ppobserve_{metric}:{operation}{{{self._jobs()}}}")
        whole = f"rate({TABLE[metric].full_name}{{{self._jobs()}}}[{self.scope.window}])"
        return _instances(recorded or self._top(whole))

    def _top(self, query: str) -> list[Sample]:
        return self.prometheus.ask(f"topk({self.scope.hosts}, sum by (instance) ({query}))")

    def _pools(self, instances: list[str]) -> list[Rated]:
        if not instances:
            return []
        names, rated = short_names(instances), dict[tuple[str, ...], Rated]()
        where = f"{self._jobs()},instance=~{_quoted('|'.join(map(re.escape, instances)))}"
        for metric, labels, query in _queries(where, self.scope.window):
            for each in self.prometheus.ask(query):
                pool = self._rated_pool(rated, each.labels, names)
                _put(pool, metric, tuple(each.labels.get(label, "") for label in labels), each.value)
        if not rated:
            self._name(instances)
        return [each for each in rated.values() if each.pool.id != ENDED_ID or each.is_busy]

    def _name(self, instances: list[str]) -> None:
        """Say who is the worst, where only recorded series are kept; once, until it is others."""
        if instances != self._named:
            listed = ", ".join(instances)
            self.notes.append(f"{self.prometheus.url} has none of the pools of the worst hosts ({listed}): "
                              "ask the Prometheus that scrapes them")  # fmt: skip
        self._named = instances

    def _rated_pool(
        self, rated: dict[tuple[str, ...], Rated], labels: Mapping[str, str], names: Mapping[str, str]
    ) -> Rated:
        instance = labels.get("instance", "")
        device = (instance, labels.get("netns", ""), labels.get("netdev", ""))
        index = self._devices.setdefault(device, len(self._devices) + 1)
        pool = pool_of(labels, instance, names.get(instance, instance), index)
        return rated.setdefault(pool.key, Rated(pool))

    def _jobs(self) -> str:
        return f"job=~{_quoted(self.scope.job)}"


def _instances(ranking: list[Sample]) -> list[str]:
    """Whoever has any of it, the most first."""
    ordered = sorted(ranking, key=lambda each: -each.value)
    return [each.labels["instance"] for each in ordered if "instance" in each.labels and each.value > 0]


def _mixed(builds: Iterable[Sample]) -> list[str]:
    versions: dict[str, int] = {}
    for each in builds:
        version = each.labels.get("version", "unknown")
        versions[version] = versions.get(version, 0) + int(each.value)
    if len(versions) < 2:
        return []
    listed = ", ".join(f"{version} on {hosts}" for version, hosts in sorted(versions.items()))
    return [f"the fleet runs {len(versions)} versions ({listed} hosts): what an older one does not export is -"]


def _queries(where: str, window: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(metric, its own labels, query) of everything that a row shows. Labels that a host does not have are empty."""
    by = ", ".join(("instance", *POOL_LABELS))
    for part in ("count", "sum"):
        yield f"{_HISTOGRAM}:{part}", (), f"sum by ({by}) (rate(ppobserve_{_HISTOGRAM}_{part}{{{where}}}[{window}]))"
    for name in _COUNTERS:
        own = TABLE[name].labels
        grouped = ", ".join((by, *own))
        yield name, own, f"sum by ({grouped}) (rate({TABLE[name].full_name}{{{where}}}[{window}]))"
    for name in _GAUGES:
        yield name, (), f"sum by ({by}) (ppobserve_{name}{{{where}}})"
    own = TABLE["remote_pages"].labels
    yield "remote_pages", own, f"sum by ({', '.join((by, *own))}) (ppobserve_remote_pages{{{where}}})"


def _put(rated: Rated, metric: str, labels: tuple[str, ...], value: float) -> None:
    name, _, part = metric.partition(":")
    if name == "remote_pages":
        rated.remote[labels] = int(value)
    elif TABLE[name].kind == "gauge":
        rated.gauges[name] = value
    else:
        rated.rates.setdefault(name, {})[(part,) if part else labels] = value


def _quoted(text: str) -> str:
    """A string of PromQL, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
