"""Programs with tables that are too small, whatever pools others have meanwhile."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

from ppobserve.lab.frames import run_frames
from ppobserve.lab.veth import End, VethLab
from ppobserve.model.features import Features
from ppobserve.model.plan import Level
from ppobserve.model.snapshot import PoolSample, Snapshot, State
from ppobserve.probe import program_text
from ppobserve.probe.attach import attach
from ppobserve.probe.tables import MappedTables
from ppobserve.source.live import Live
from tests.live.conftest import SECONDS, SPARE, eventually, of_device, settled

FEW, MANY = 7, 500_009 if os.environ.get("PPOBSERVE_GUEST") else 1_500_007


def room(source: Live) -> int:
    """How many pools others may have at once: those that there are, and some to come."""
    live = (each.pool for each in source.read().pools if each.pool.state is State.LIVE and each.pool.ifindex)
    return len(list(live)) + SPARE


def with_few_slots(features: Features, other_pools: int) -> list[Snapshot]:
    """After pools one by one; after more at once than there are slots; and after pools one by one."""
    slots = 1 + features.cpus * other_pools
    small, seen = replace(program_text.tables(features), slots=slots), []
    with attach(features, Level.STANDARD, tables=small) as attached, ThreadPoolExecutor(slots) as threads:
        source = Live(attached)
        seen.append(one_by_one(source))
        enough = threading.Event()
        long = [threads.submit(one_after_another, enough, features.cpus - 1) for _ in range(slots)]
        try:
            eventually(lambda: one_by_one(source).tables.slots_dropped > 0, SECONDS)
        finally:
            enough.set()
        for each in long:
            each.result()
        return [*seen, source.read(), one_by_one(source)]


def one_after_another(enough: threading.Event, cpu: int) -> None:
    """Have a pool nearly all the time, until there were *enough*: they begin and end at different moments."""
    while not enough.is_set():
        run_frames(MANY, per_pool=MANY, cpu=cpu)


def one_by_one(source: Live) -> Snapshot:
    """What there is after FEW pools, each of one frame."""
    run_frames(FEW, batch=1, per_pool=1, cpu=0)
    return source.read()


@dataclass(frozen=True)
class Full:
    """A full table."""

    known: list[PoolSample]
    """The pools of labs that are in it."""
    missing: int
    """Pools of labs that are not."""
    others_missing: int
    """Pools of others that may not be."""
    dropped: int
    """How many it counts as such."""


def in_a_full_table(features: Features, other_pools: int) -> tuple[Full, list[End]]:
    """Labs, two pools each, beside a table that has one entry more than the pools of others may take."""
    small, count = replace(program_text.tables(features), pools=1 + other_pools), 1 + other_pools // 2
    with attach(features, Level.STANDARD, tables=small) as attached, ExitStack() as stack:
        source, labs = Live(attached), [stack.enter_context(VethLab(receiver_cpu=0)) for _ in range(count)]
        ends = [end for lab in labs for end in (lab.sender, lab.receiver)]
        for lab in labs * 3:
            lab.send(100_003, cpu=0)
        known = settled(lambda: [each for end in ends for each in of_device(source.read(), end)])
        others_known = sum(not raw.owner & 1 for _, raw in MappedTables(attached).copy().entries()) - len(known)
        dropped = source.read().tables.pools_dropped
        return Full(known, len(ends) - len(known), other_pools - others_known, dropped), ends
