"""All pools at one moment, and what changed between two moments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from ppobserve.model.cost import Cost
from ppobserve.model.plan import Plan
from ppobserve.model.series import Counters, Series, add, subtract


class State(str, Enum):
    """Where a pool is in its life."""

    LIVE = "live"
    DETACHED = "detached"
    """Destroyed by its driver, with pages still out."""
    ENDED = "ended"
    """No pool but the sum of a device's ended pools."""


ENDED_ID = "ended"
"""The id of a group of ended pools."""


@dataclass(frozen=True)
class Pool:
    """Who a pool is, and whose. Empty strings and zeros where the kernel doesn't say."""

    id: str
    netdev: str = ""
    netns: int = 0
    """Inode number of the network namespace, as in ``ls -L -i /proc/PID/ns/net``."""
    ifindex: int = 0
    napi: int = 0
    driver: str = ""
    device: str = ""
    nid: int = -1
    """The node that the pool was made for; -1: the consumer's, wherever that runs."""
    queue: int = -1
    """The device's receive queue that the pool feeds; -1: not known (before 6.12, or a driver that does not say)."""
    cpu: int = -1
    """The CPU whose system pool this is; -1: none's."""
    device_node: int = -1
    """The node that the device hangs on; -1: none, or not known."""
    consumer_cpu: int = -1
    """The CPU that allocates from the pool, as far as it was seen; -1: not yet."""
    order: int = 0
    """Each of its pages is 2 ** order pages of memory."""
    provider: bool = False
    """Its buffers come from a memory provider (devmem TCP, io_uring), not from the page allocator."""
    state: State = State.LIVE

    @property
    def key(self) -> tuple[str, ...]:
        """Tells this pool from any other at another moment. A device may be renamed; an id is not given twice."""
        return (self.id, str(self.netns), str(self.ifindex)) if self.state is State.ENDED else (self.id,)


REST = Pool(ENDED_ID, state=State.ENDED).key
"""The key of the group of pools without a device, and of those whose device found no group."""


@dataclass(frozen=True)
class PoolSample:
    """One pool at one moment: counters since it was first seen, gauges now."""

    pool: Pool
    counters: Counters
    gauges: Mapping[str, float]
    remote: Series = field(default_factory=dict)
    """Pages that the pool keeps on another node than its consumer's, now, by (where, page node, consumer node)."""


@dataclass(frozen=True)
class Tables:
    """How the kernel side's own tables are doing."""

    pools_dropped: int = 0
    """Pools that found no entry since the programs were attached."""
    slots_dropped: int = 0
    """Events of known pools that found no slot."""


@dataclass(frozen=True)
class HookState:
    """How one hook is doing."""

    attached: bool
    """True if each of its programs is attached."""
    missed: int = 0
    """Events since the first programs were attached that the kernel did not show to the hook's program."""
    wanted: bool = True
    """True if the hook is part of the plan; False for one that a lower level gave up."""


@dataclass(frozen=True)
class Snapshot:
    """Every pool at ``time`` (seconds since the epoch)."""

    time: float
    plan: Plan
    pools: tuple[PoolSample, ...] = ()
    tables: Tables = field(default_factory=Tables)
    host: str = ""
    kernel: str = ""
    audit: Mapping[str, int] = field(default_factory=dict)
    """Events that only one of the kernel and us has counted, by the name of the kernel's counter."""
    costs: Mapping[str, Cost] = field(default_factory=dict)
    """What our programs took since the first were attached, by program."""
    levels_below: int = 0
    """How many levels below the one that was asked for the plan is, to keep a budget."""
    netns_unreadable: int = 0
    """Network namespaces that could not be entered: their idle pools are not among ``pools``."""
    hooks: Mapping[str, HookState] = field(default_factory=dict)
    """Hooks by name; empty if the source does not know them, as a recording of an earlier version."""
    uptime: float | None = None
    """Seconds since the host was started, those that it slept included: a clock that nobody sets. None: not known."""

    def lost_hooks(self) -> list[str]:
        """Return the hooks that the plan wants and that are not attached."""
        return [name for name, hook in self.hooks.items() if hook.wanted and not hook.attached]

    def counters(self) -> Counters:
        """The sum over all pools, ended ones too: it never goes down."""
        total: Counters = {}
        for sample in self.pools:
            total = add(total, sample.counters)
        return total


def as_named_now(pools: Sequence[PoolSample]) -> tuple[PoolSample, ...]:
    """*pools*, with groups of ended pools under the name that their device has now, where a pool of it is still there:
    a device that is renamed takes all its series along, and none goes down."""
    names = {_device(sample.pool): sample.pool.netdev for sample in pools if sample.pool.state is State.LIVE}
    return tuple(_named(sample, names) for sample in pools)


def _device(pool: Pool) -> tuple[int, int]:
    return pool.netns, pool.ifindex


def _named(sample: PoolSample, names: Mapping[tuple[int, int], str]) -> PoolSample:
    name = names.get(_device(sample.pool)) if sample.pool.state is State.ENDED and sample.pool.ifindex else None
    return replace(sample, pool=replace(sample.pool, netdev=name)) if name else sample


def delta(new: Snapshot, old: Snapshot) -> Snapshot:
    """*new*, with counters that say what each pool gained since *old*; a pool new since then gained all it has.

    A device's ended pools gained what their members counted after *old*, so that the gains of all pools add up to the
    gain of the whole: an event is in one gain only.
    """
    before = _counted_before(new, old)
    return replace(new, pools=tuple(_gain(sample, before) for sample in new.pools))


def ended_gains(new: Snapshot, old: Snapshot) -> tuple[PoolSample, ...]:
    """The groups of ended pools in :func:`delta`, without the others, which take time where there are many."""
    before = _counted_before(new, old)
    return tuple(_gain(sample, before) for sample in new.pools if sample.pool.state is State.ENDED)


def _gain(sample: PoolSample, before: Mapping[tuple[str, ...], Counters]) -> PoolSample:
    return replace(sample, counters=subtract(sample.counters, before.get(sample.pool.key, {})))


def _counted_before(new: Snapshot, old: Snapshot) -> dict[tuple[str, ...], Counters]:
    """What was counted in *old*, by where it is in *new*: what ended since is in its group."""
    before = {sample.pool.key: sample.counters for sample in old.pools}
    for sample in ended_between(old, new):
        key = group_key(sample.pool, new)
        before[key] = add(before.get(key, {}), sample.counters)
    return before


def ended_between(old: Snapshot, new: Snapshot) -> list[PoolSample]:
    """Pools of *old* that *new* no longer has: their counts are in a group now."""
    alive = {sample.pool.key for sample in new.pools}
    return [sample for sample in old.pools if sample.pool.state is not State.ENDED and sample.pool.key not in alive]


def group_key(pool: Pool, snapshot: Snapshot) -> tuple[str, ...]:
    """The key of the group that took the pool's counts: its device's, or the one without a device."""
    groups = {sample.pool.key for sample in snapshot.pools if sample.pool.state is State.ENDED}
    own = replace(pool, id=ENDED_ID, state=State.ENDED).key
    return own if pool.ifindex and own in groups else REST


def gather_ended(
    ended: Mapping[tuple[str, ...], PoolSample], gained: Iterable[PoolSample]
) -> dict[tuple[str, ...], PoolSample]:
    """*ended* plus what ended pools gained, as :func:`ended_gains` says: their series where each pool has its own.

    It holds only what was counted after a pool was last seen, so that ``sum(rate())`` over pools counts nothing twice.
    """
    total = dict(ended)
    for sample in gained:
        if sample.pool.state is State.ENDED:
            known = total.get(sample.pool.key)
            total[sample.pool.key] = replace(sample, counters=add(known.counters, sample.counters)) if known else sample
    return total
