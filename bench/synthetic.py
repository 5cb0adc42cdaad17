"""The kernel side's tables as a big host fills them, without that host: for benches of what reads and shows them.

Pools are those of a NIC: a queue and a consumer each, and pages that come back on other CPUs. Nothing is attached; the
programs that a read runs do nothing, but are run.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ppobserve.kernel import programs as loading
from ppobserve.model.features import Features
from ppobserve.model.plan import Level, Rung, make_plan
from ppobserve.probe import abi
from ppobserve.probe.attach import MAPS, ON_DEMAND, Attached

NETNS, POOL = 4026531840, 0xFFFF888000000000
QUEUES = 64
"""Pools of one device."""


@contextmanager
def attached(features: Features, *, pools: int, cpus: int, slots_a_pool: int, nodes: int = 2) -> Iterator[Attached]:
    """*pools* pools that count, each on so many of *cpus* CPUs, as something that can be read. Needs root."""
    sizes = abi.Tables(cpus=cpus, nodes=nodes)
    maps = {name: os.memfd_create(name) for name in MAPS}
    program = loading.load(loading.TYPE_RAW_TRACEPOINT, loading.returning(0), "nothing")
    try:
        _fill(maps, sizes, pools, slots_a_pool)
        programs = {f"program:{name}": program for name in ON_DEMAND}
        fds = {**{f"map:{name}": fd for name, fd in maps.items()}, **programs}
        yield Attached(make_plan(features, Level.STANDARD, forced=Rung.FENTRY), sizes, fds)
    finally:
        for fd in (*maps.values(), program):
            os.close(fd)


def _fill(maps: dict[str, int], sizes: abi.Tables, pools: int, slots_a_pool: int) -> None:
    slot = abi.slot_type(sizes.nodes)
    bytes_of = {"pools": ctypes.sizeof(abi.Pool) * sizes.entries, "slots": ctypes.sizeof(slot) * sizes.all_slots}
    for name, fd in maps.items():
        os.ftruncate(fd, -(-bytes_of.get(name, 1) // 4096) * 4096)
    rest = abi.Pool(owner=1, nid=-1, queue=-1, cpu=-1, device_node=-1)
    os.pwrite(maps["pools"], bytes(rest), sizes.pools * ctypes.sizeof(abi.Pool))
    os.pwrite(maps["pools"], b"".join(bytes(_pool(place, sizes, slots_a_pool)) for place in range(pools)), 0)
    given = [
        bytes(_slot(slot, place // slots_a_pool, place)) for place in range(min(pools * slots_a_pool, sizes.slots))
    ]
    os.pwrite(maps["slots"], b"".join(given), ctypes.sizeof(slot) * (1 + sizes.groups))


def _pool(place: int, sizes: abi.Tables, slots_a_pool: int) -> abi.Pool:
    """One queue's pool: what it says was returned is what its slots say."""
    device, queue = divmod(place, QUEUES)
    return abi.Pool(
        owner=POOL + 4096 * place,
        seen_ns=1_000_000_007 * (place + 1),
        id=place + 1,
        nid=-1,
        netns=NETNS,
        ifindex=device + 2,
        napi_id=8193 + place,
        queue=queue,
        cpu=-1,
        device_node=device % sizes.nodes,
        inflight=1009,
        released=sum(map(_returned, range(place * slots_a_pool, (place + 1) * slots_a_pool))),
        cache_pages=61,
        ring_pages=503,
        ring_size=1024,
        consumer_cpu=place % sizes.cpus,
        netdev=f"eth{device}".encode(),
        driver=b"mlx5_core",
        device=f"0000:5e:00.{device}".encode(),
    )


def _returned(place: int) -> int:
    """Pages by the slot that counted them."""
    return 3 * place + 5


def _slot(slot: type[ctypes.Structure], pool: int, place: int) -> ctypes.Structure:
    """Some counts, different in every slot."""
    counts = slot(
        owner=POOL + 4096 * pool,
        batch=(7, 0, 11, 13, 17, 19, 23, 1009 * place),
        batch_pages=64 * 1009 * place,
        miss=(7, 0),
        slow=place,
        held=64 * place,
        returned=(0, _returned(place) - 5, 5, 0, 0, 0, 0),
    )
    return counts  # type: ignore[no-any-return]
