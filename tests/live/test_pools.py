"""The list of pools against the devices that they belong to."""

from __future__ import annotations

import pytest

from ppobserve.lab.frames import run_frames
from ppobserve.lab.veth import VethLab
from ppobserve.model.inventory import inventory
from tests.live.conftest import Start

MEGABYTE = 1_000_003


@pytest.mark.usefixtures("veth", "own_turn")
def test_each_pool_is_listed_once_with_its_device_and_ended_ones_are_not(start: Start) -> None:
    source = start()
    with VethLab(receiver_cpu=0) as lab:
        lab.send(MEGABYTE, cpu=0)
        run_frames(1009, cpu=0)
        pools = inventory(source.read())
        mine = [
            each for each in pools if (each.pool.netns, each.pool.ifindex) == (lab.receiver.netns, lab.receiver.ifindex)
        ]
    (known,) = mine
    assert (known.pool.netdev, known.pool.driver, known.state) == (lab.receiver.device, "veth", "live")
    assert known.ring_size and known.inflight and known.inflight > 0
    assert len({each.pool.key for each in pools}) == len(pools)
    assert not [each for each in pools if each.pool.id == "ended"]
