"""Counters that go on when other programs take over the counting: what the former ones had counted is added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ppobserve.model.series import Counters, add, negative
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State, Tables, as_named_now, group_key

Key = tuple[str, ...]


@dataclass(frozen=True)
class Handover:
    """What is to be added to the snapshots of the present programs."""

    pools: Mapping[Key, PoolSample] = field(default_factory=dict)
    """Counters to be added to those of a pool, or of a group of ended ones."""
    tables: Tables = field(default_factory=Tables)
    audit: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    """The present programs' id of a pool to the one that it had before, where the kernel gives it none."""


def take_over(last: Snapshot, first: Snapshot, names: Mapping[str, str]) -> Handover:
    """*last* is what was shown of the former programs, *first* what the new ones had counted by then, which both saw.

    *names* are the new programs' ids of pools that were known by another. What the new level does not count stays as it
    was; what it counts under other labels goes on under those.
    """
    pools = {key: replace(sample, gauges={}, remote={}) for key, sample in _by_key(last, {}).items()}
    for key, sample in _by_key(first, names).items():
        if key in pools or sample.pool.state is State.ENDED:
            before = pools[key].counters if key in pools else {}
            pools[key] = replace(pools.get(key, sample), counters=add(before, negative(sample.counters)))
    return Handover(pools, last.tables, last.audit, names)


def carried(snapshot: Snapshot, carry: Handover) -> tuple[Snapshot, Handover]:
    """What is to be shown for a snapshot of the present programs, and what is to be added to the next.

    When a pool ends, what it carries goes where the kernel side puts its counts: to its device's group.
    """
    samples = _by_key(snapshot, carry.names)
    pools = _gathered(snapshot, carry, samples)
    groups = [each for key, each in pools.items() if key not in samples]
    shown = [_with(sample, pools.get(key)) for key, sample in samples.items()]
    tables = Tables(
        snapshot.tables.pools_dropped + carry.tables.pools_dropped,
        snapshot.tables.slots_dropped + carry.tables.slots_dropped,
    )
    audit = {name: events + carry.audit.get(name, 0) for name, events in snapshot.audit.items()}
    named = as_named_now((*shown, *groups))
    return replace(snapshot, pools=named, tables=tables, audit=audit), replace(carry, pools=pools)


def _by_key(snapshot: Snapshot, names: Mapping[str, str]) -> dict[Key, PoolSample]:
    named = (_renamed(sample, names) for sample in snapshot.pools)
    return {sample.pool.key: sample for sample in named}


def _renamed(sample: PoolSample, names: Mapping[str, str]) -> PoolSample:
    name = names.get(sample.pool.id)
    return replace(sample, pool=replace(sample.pool, id=name)) if name else sample


def _gathered(snapshot: Snapshot, carry: Handover, samples: Mapping[Key, PoolSample]) -> dict[Key, PoolSample]:
    """What every pool and group carries, now that some pools have ended."""
    kept = {key: each for key, each in carry.pools.items() if key in samples or each.pool.state is State.ENDED}
    known = replace(snapshot, pools=(*snapshot.pools, *kept.values()))
    for key, each in carry.pools.items():
        if key not in kept:
            group = group_key(each.pool, known)
            kept[group] = _with(kept.get(group) or PoolSample(_rest(group, samples), {}, {}), each)
    return kept


def _rest(group: Key, samples: Mapping[Key, PoolSample]) -> Pool:
    """The pool that stands for a group which carries nothing yet."""
    return samples[group].pool if group in samples else Pool(group[0], state=State.ENDED)


def _with(sample: PoolSample, carry: PoolSample | None) -> PoolSample:
    """*sample* with what it carries.

    Of a detached pool the device may be gone: it is who it was. A consumer that has not refilled since is where it was.
    """
    if carry is None:
        return sample
    pool = replace(carry.pool, state=State.DETACHED) if sample.pool.state is State.DETACHED else sample.pool
    if pool.consumer_cpu < 0:
        pool = replace(pool, consumer_cpu=carry.pool.consumer_cpu)
    counters: Counters = add(carry.counters, sample.counters)
    return replace(sample, pool=pool, counters=counters)
