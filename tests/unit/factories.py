"""Values for the unit tests: a kernel that has everything, pools with counts, and the kernel side's tables in small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from hypothesis import strategies as st

from ppobserve.model.features import (
    ALLOC,
    CREATE,
    DESTROY,
    FRAG,
    OFFSETS,
    PER_CPU_OFFSET,
    REFILL,
    RELEASE_RETRY,
    SLOW,
    SYSTEM_RECYCLE_STATS,
    TRACEPOINTS,
    UPDATE_NID_FUNCTION,
    Features,
)
from ppobserve.model.plan import Level, Plan, Rung, make_plan
from ppobserve.model.series import BOUNDS, Counters, Histogram, add
from ppobserve.model.snapshot import ENDED_ID, Pool, PoolSample, Snapshot, State, Tables
from ppobserve.probe.abi import PLACES, RETURNS

KERNEL = Features(
    kernel="6.12.57-amd64",
    machine="x86_64",
    root=True,
    lockdown="none",
    cpus=4,
    nodes=2,
    offsets={name: 8 * place for place, name in enumerate(OFFSETS)},
    cache_pages=128,
    nodes_shift=10,
    functions={
        CREATE[0]: 2,
        REFILL: 1,
        SLOW[0]: 2,
        DESTROY: 1,
        RELEASE_RETRY: 1,
        UPDATE_NID_FUNCTION: 2,
        ALLOC[0]: 2,
        ALLOC[2]: 2,
        FRAG[0]: 4,
    },
    symbols={
        CREATE[0]: (0xFFFFFFFF81000C00, 0xFFFFFFFF81000D10),
        REFILL: (0xFFFFFFFF81000100, 0xFFFFFFFF81000230),
        SLOW[0]: (0xFFFFFFFF81000300, 0xFFFFFFFF81000440),
        DESTROY: (0xFFFFFFFF81000500, 0xFFFFFFFF81000670),
        RELEASE_RETRY: (0xFFFFFFFF81000700, 0xFFFFFFFF81000790),
        UPDATE_NID_FUNCTION: (0xFFFFFFFF81000800, 0xFFFFFFFF810008B0),
        ALLOC[0]: (0xFFFFFFFF81000900, 0xFFFFFFFF81000970),
        ALLOC[2]: (0xFFFFFFFF81000A00, 0xFFFFFFFF81000A90),
        FRAG[0]: (0xFFFFFFFF81000B00, 0xFFFFFFFF81000C30),
    },
    variables={PER_CPU_OFFSET: 0xFFFFFFFF82000000, SYSTEM_RECYCLE_STATS: 0xFFFFFFFF82001000},
    allocators=frozenset({ALLOC[0], ALLOC[2]}),
    tracepoints=frozenset(TRACEPOINTS),
    refusals={"fentry": "", "kprobe": ""},
)

COUNTED = {
    "refill_misses": [("ring_empty",), ("numa",)],
    "numa_mismatch_pages": [("0", "1"), ("1", "0")],
    "slow_refills": [()],
    "pages_held": [()],
    "pages_returned": [(reason,) for reason in RETURNS],
    "allocs": [("cache",), ("refill",), ("slow",)],
    "recycles": [("cache",), ("ring",)],
    "nid_updates": [()],
}
"""The counters of a full plan with two nodes, and their label values."""

ZERO: Counters = {
    "refill_batch_pages": Histogram(),
    **{name: dict.fromkeys(labels, 0) for name, labels in COUNTED.items()},
}


def kernel(**changes: Any) -> Features:
    """A kernel where every rung works, but for *changes*."""
    return replace(KERNEL, **changes)


def plan(level: Level = Level.FULL, rung: Rung = Rung.FENTRY) -> Plan:
    return make_plan(KERNEL, level, forced=rung)


def snapshot(*samples: PoolSample, **changes: Any) -> Snapshot:
    """A snapshot of a full plan on fentry."""
    return replace(Snapshot(time=1e9, plan=plan(), pools=samples, host="host", kernel="6.12.57-amd64"), **changes)


def flat(counters: Counters) -> dict[tuple[str, ...], int]:
    """Everything that is not zero, by metric name and labels: two sums are equal when these are."""
    found: dict[tuple[str, ...], int] = {}
    for name, counter in counters.items():
        if isinstance(counter, Histogram):
            buckets = zip(map(str, BOUNDS), counter.buckets, strict=True)
            found |= {(name, bound): value for bound, value in buckets} | {(name, "sum"): counter.sum}
        else:
            found |= {(name, *labels): value for labels, value in counter.items()}
    return {key: value for key, value in found.items() if value}


numbers = st.integers(0, 2**53)
histograms = st.builds(Histogram, st.tuples(*[numbers] * len(BOUNDS)), numbers)
whole_counters = st.fixed_dictionaries(
    {
        "refill_batch_pages": histograms,
        **{name: st.fixed_dictionaries(dict.fromkeys(labels, numbers)) for name, labels in COUNTED.items()},
    }
)
some_counters = st.fixed_dictionaries(
    {},
    optional={
        "refill_batch_pages": histograms,
        **{name: st.dictionaries(st.sampled_from(labels), numbers) for name, labels in COUNTED.items()},
    },
)


nodes = st.sampled_from(["0", "1", "unknown"])
remotes = st.dictionaries(st.tuples(st.sampled_from(PLACES), nodes, nodes), numbers, max_size=4)
"""Pages that a pool keeps on another node than its consumer's."""


class Host:
    """The tables of bpf/table.h and bpf/end.h: a pool that ends adds its counts to its device's group.

    When *groups* devices have one, further devices' pools go to the group of pools without a device.
    """

    def __init__(self, groups: int = 2) -> None:
        self.room = groups
        self.live: dict[str, PoolSample] = {}
        rest = PoolSample(Pool(ENDED_ID, state=State.ENDED), ZERO, {})
        self.groups = {rest.pool.key: rest}
        self.rest = rest.pool.key
        self.ids = count(1)

    def begin(self, ifindex: int) -> None:
        netdev = f"eth{ifindex}" if ifindex else ""
        pool = Pool(str(next(self.ids)), netdev, netns=4026531840, ifindex=ifindex, driver="drv")
        self.live[pool.id] = PoolSample(pool, ZERO, {})

    def count(self, place: int, counters: Counters) -> None:
        for name in self.chosen(place):
            self.live[name] = replace(self.live[name], counters=add(self.live[name].counters, counters))

    def end(self, place: int) -> None:
        for name in self.chosen(place):
            ended = self.live.pop(name)
            key = self.group(ended.pool)
            self.groups[key] = replace(self.groups[key], counters=add(self.groups[key].counters, ended.counters))

    def chosen(self, place: int) -> list[str]:
        names = list(self.live)
        return [names[place % len(names)]] if names else []

    def group(self, pool: Pool) -> tuple[str, ...]:
        own = replace(pool, id=ENDED_ID, state=State.ENDED)
        if pool.ifindex and own.key not in self.groups and len(self.groups) <= self.room:
            self.groups[own.key] = PoolSample(own, ZERO, {})
        return own.key if pool.ifindex and own.key in self.groups else self.rest

    def snapshot(self) -> Snapshot:
        return snapshot(*self.live.values(), *self.groups.values(), tables=Tables())


def counted(events: int) -> Counters:
    """Every counter of a full plan, each another multiple of *events*."""
    factors = iter((2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 53, 59, 61, 67, 71))
    histogram = Histogram((events, *[0] * 6, 47 * events), 64 * 47 * events)
    cells = {name: {key: next(factors) * events for key in labels} for name, labels in COUNTED.items()}
    return {"refill_batch_pages": histogram, **cells}


steps = st.one_of(
    st.tuples(st.just("begin"), st.integers(0, 4)),
    st.tuples(st.just("count"), st.integers(0, 6), st.integers(1, 97).map(counted)),
    st.tuples(st.just("end"), st.integers(0, 6)),
    st.tuples(st.just("read")),
)
histories = st.lists(steps, max_size=40)


def snapshots(history: list[tuple[Any, ...]], host: Host) -> Iterator[Snapshot]:
    """What a reader sees of a history: a snapshot at each "read", and one at the end."""
    for verb, *arguments in [*history, ("read",)]:
        if verb == "read":
            yield host.snapshot()
        else:
            getattr(host, verb)(*arguments)
