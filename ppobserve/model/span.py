"""What happened between two snapshots, as seen in those between them: what findings and plots rest on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ppobserve.model.rates import Interval, Row, between
from ppobserve.model.series import Counter, Counters, Histogram, add
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State

Key = tuple[str, ...]


@dataclass(frozen=True)
class Moment:
    """The time between two snapshots that follow each other."""

    position: float
    """Of its end, in seconds since the first snapshot."""
    rows: Mapping[Key, Row]
    """Of pools that were there, by their keys; no rates in them where the counters were reset."""
    returns: Mapping[str, float]
    """Pages a second by reason; empty where there are no rates."""


@dataclass(frozen=True)
class Device:
    """A device, or what has none, with all its pools added up, also those that ended."""

    name: str
    pools: tuple[Pool, ...]
    counters: Counters
    keys: frozenset[Key]

    def values(self, moments: Iterable[Moment], quantity: str) -> list[float | None]:
        """A member of :class:`Row`, added up over the pools, for each moment; None where no pool has it."""
        found = ([getattr(row, quantity) for key, row in each.rows.items() if key in self.keys] for each in moments)
        known = ([value for value in values if value is not None] for values in found)
        return [sum(values) if values else None for values in known]


@dataclass(frozen=True)
class Span:
    """All of it."""

    first: Snapshot
    last: Snapshot
    moments: tuple[Moment, ...]
    pools: Mapping[Key, PoolSample]
    """Every pool that was seen, as it was last, with the counts that it gained meanwhile."""
    broken: tuple[str, ...] = ()
    """Why counts could not be compared somewhere, as sentences; what was counted there is not in the gains."""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.last.time - self.first.time

    def counters(self) -> Counters:
        """What all pools gained."""
        total: Counters = {}
        for sample in self.pools.values():
            total = add(total, sample.counters)
        return total

    def devices(self) -> tuple[Device, ...]:
        """Every device that had a pool, those that ended included; what has no device is one of them."""
        members: dict[tuple[int, int], list[PoolSample]] = {}
        for sample in self.pools.values():
            members.setdefault((sample.pool.netns, sample.pool.ifindex), []).append(sample)
        return tuple(_device(samples) for samples in members.values())


def span_of(snapshots: Iterable[Snapshot]) -> Span:
    """The span of snapshots in the order of their times, of which two are kept; ValueError when there is none."""
    building: _Building | None = None
    for snapshot in snapshots:
        if building is None:
            building = _Building(snapshot)
        else:
            building.go_on(snapshot)
    if building is None:
        raise ValueError("a span has a first snapshot")
    return building.span()


@dataclass
class _Building:
    first: Snapshot
    last: Snapshot = field(init=False)
    moments: list[Moment] = field(default_factory=list)
    pools: dict[Key, PoolSample] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.last = self.first
        self._see(between(self.first, self.first))

    def go_on(self, snapshot: Snapshot) -> None:
        interval = between(snapshot, self.last)
        self.last = snapshot
        if interval.broken:
            self.broken.append(interval.broken)
        self._see(interval)
        rows = {row.pool.key: row for row in interval.rows}
        self.moments.append(
            Moment(snapshot.time - self.first.time, rows, {} if interval.broken else _returns(interval))
        )

    def _see(self, interval: Interval) -> None:
        for sample in interval.gained.pools:
            known = self.pools.get(sample.pool.key)
            gained = add(known.counters, sample.counters) if known else sample.counters
            self.pools[sample.pool.key] = replace(sample, counters=gained)

    def span(self) -> Span:
        return Span(self.first, self.last, tuple(self.moments), self.pools, tuple(self.broken))


def _returns(interval: Interval) -> dict[str, float]:
    counter = interval.gained.counters().get("pages_returned", {})
    return {reason: count / interval.seconds for (reason,), count in labelled(counter).items()}


def labelled(counter: Counter | None) -> Mapping[Key, int]:
    """The counts by label of what is no histogram; none where it is not counted."""
    return {} if counter is None or isinstance(counter, Histogram) else counter


def _device(samples: Sequence[PoolSample]) -> Device:
    counters: Counters = {}
    for sample in samples:
        counters = add(counters, sample.counters)
    pools = tuple(sample.pool for sample in samples if sample.pool.state is not State.ENDED)
    name = next((sample.pool.netdev for sample in reversed(samples) if sample.pool.netdev), "")
    return Device(name or "pools without a device", pools, counters, frozenset(sample.pool.key for sample in samples))
