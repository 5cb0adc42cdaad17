"""Pools that outlive their device, and pools that end."""

from __future__ import annotations

from ppobserve.lab.veth import End, VethLab
from ppobserve.model.series import total
from ppobserve.model.snapshot import PoolSample, State
from ppobserve.source.live import Live
from tests.live.conftest import Start, eventually

PARKED = 30_011
SECONDS = 60  # the kernel looks after detached pools once a second


def of_device(source: Live, end: End) -> list[PoolSample]:
    """The pools of a device that are not ended."""
    return [
        sample
        for sample in source.read().pools
        if (sample.pool.netns, sample.pool.ifindex) == (end.netns, end.ifindex) and sample.pool.state is not State.ENDED
    ]


def test_a_socket_that_does_not_read_keeps_its_pool_as_a_zombie(start: Start) -> None:
    source = start()
    with VethLab(receiver_cpu=0) as lab:
        lab.send(1_000_003, cpu=0)
        lab.park(PARKED, cpu=0)
        lab.destroy_pools()
        (zombie,) = of_device(source, lab.receiver)
        assert zombie.pool.state is State.DETACHED
        assert zombie.pool.netdev == lab.receiver.device
        assert zombie.gauges["inflight_pages"] > 0
        held, returned = total(zombie.counters["pages_held"]), total(zombie.counters["pages_returned"])
        assert held - returned == zombie.gauges["inflight_pages"]
        assert eventually(lambda: of_device(source, lab.receiver)[0].gauges["pool_detached_seconds"] > 1, SECONDS)
        lab.read_parked(PARKED)
        assert eventually(lambda: not of_device(source, lab.receiver), SECONDS)
