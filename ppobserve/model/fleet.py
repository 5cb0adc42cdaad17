"""Pools of many hosts as one snapshot: rates from PromQL become counters that have them."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ppobserve.model.hooks import Hook
from ppobserve.model.metrics import TABLE
from ppobserve.model.plan import Level, Plan, PlannedHook, Rung
from ppobserve.model.series import BOUNDS, Counter, Counters, Histogram
from ppobserve.model.snapshot import Pool, State

SPAN = 1000.0
"""Seconds for which rates are counted out, so that a thousandth of an event a second is not lost."""


@dataclass(frozen=True)
class HostPool(Pool):
    """A pool of one of several hosts: two hosts give the same ids."""

    host: str = ""
    own_netdev: str = ""
    """The device as its host calls it; ``netdev`` has the host's name in front."""

    @property
    def key(self) -> tuple[str, ...]:
        """Tells this pool from any other of any host."""
        return (self.host, str(self.netns), self.netdev, *super().key)


@dataclass
class Rated:
    """What a pool, or what its host adds up, does a second."""

    pool: HostPool
    rates: dict[str, dict[tuple[str, ...], float]] = field(default_factory=dict)
    """By metric; a histogram's are its ``count`` and ``sum``."""
    gauges: dict[str, float] = field(default_factory=dict)
    remote: dict[tuple[str, ...], int] = field(default_factory=dict)

    @property
    def is_busy(self) -> bool:
        """Does it do anything at all?"""
        return any(rate for rates in self.rates.values() for rate in rates.values())

    def counters(self, seconds: float) -> Counters:
        """What these rates come to."""
        return {name: _counter(name, rates, seconds) for name, rates in self.rates.items()}


def _counter(name: str, rates: Mapping[tuple[str, ...], float], seconds: float) -> Counter:
    if TABLE[name].kind != "histogram":
        return {labels: round(rate * seconds) for labels, rate in rates.items()}
    count, pages = (round(rates.get((part,), 0.0) * seconds) for part in ("count", "sum"))
    return Histogram((*[0] * (len(BOUNDS) - 1), count), pages)


def short_names(instances: Iterable[str]) -> dict[str, str]:
    """Instances without what all of them could do without: port, then domain, as long as they can be told apart."""
    names = {instance: instance for instance in instances}
    for shorten in (_without_port, _without_domain):
        shorter = {instance: shorten(name) for instance, name in names.items()}
        if len(set(shorter.values())) == len(names):
            names = shorter
    return names


def _without_port(name: str) -> str:
    host, colon, port = name.rpartition(":")
    return host if colon and port.isdecimal() else name


def _without_domain(name: str) -> str:
    numbers = name.replace(".", "").isdecimal() or ":" in name
    return name if numbers else name.partition(".")[0]


def fleet_plan(builds: Mapping[tuple[str, str], float], counted: Iterable[str]) -> Plan:
    """A plan that says what most hosts do: *builds* are hosts by (level, rung), *counted* the metrics that any has."""
    known = {
        (Level(level), Rung(rung)): hosts
        for (level, rung), hosts in builds.items()
        if level in {each.value for each in Level} and rung in {each.value for each in Rung}
    }
    (level, rung), _ = Tally(known).most_common(1)[0] if known else ((Level.STANDARD, Rung.TRACEPOINT), 0)
    names = dict.fromkeys(hook for metric in counted for hook in TABLE[metric].hooks[:1])
    hooks = tuple(PlannedHook(name, rung, (), 0, "") for name in names)
    missing = {} if Hook.REFILL in names else {"refill": "no host of these counts it"}
    return Plan(level, rung, hooks, missing)


def pool_of(labels: Mapping[str, str], host: str, name: str, ifindex: int) -> HostPool:
    """A pool by the labels of its series; its host is called *name*, *ifindex* tells its device from other hosts'."""
    number = labels.get("pool", "")
    return HostPool(
        id=number or "-",
        netdev=f"{name} {labels.get('netdev', '')}".rstrip(),
        netns=_number(labels.get("netns", "")),
        ifindex=ifindex,
        napi=_number(labels.get("napi", "")),
        driver=labels.get("driver", ""),
        state=State.LIVE,
        host=host,
        own_netdev=labels.get("netdev", ""),
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
