"""The last hour: what is kept, what a point means, and that there is an end to it."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import pytest

from ppobserve.model.history import DEVICES, POINTS, SETTLED, STEP, History
from ppobserve.model.series import Histogram
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State
from tests.unit.factories import counted, snapshot

BEGIN = 1_800_000_000.0
DEVICE = ("4026531840", "eth0", "drv")


def pool(netdev: str = "eth0", number: int = 1) -> Pool:
    return Pool(str(number), netdev, 4026531840, number, driver="drv")


def at(second: float, *samples: PoolSample) -> Snapshot:
    return replace(snapshot(*samples), time=BEGIN + second)


def one(second: float, events: int, name: str = "eth0", number: int = 1) -> Snapshot:
    gauges = {"inflight_pages": 1021}
    return at(second, PoolSample(pool(name, number), counted(events), gauges, {("ring", "1", "0"): 53}))


def host(history: History, quantity: str) -> list[float]:
    return history.hour.host.values(quantity, history.hour.last)


def test_a_point_is_the_mean_of_its_seconds() -> None:
    history = History()
    history.add(one(0, 0))
    history.add(one(STEP, 30))
    refills = counted(30)["refill_batch_pages"]
    assert isinstance(refills, Histogram)
    assert host(history, "refills")[-1] == refills.count / STEP
    assert host(history, "batch_pages")[-1] == refills.sum / STEP
    assert host(history, "slow")[-1] == counted(30)["slow_refills"][()] / STEP
    assert host(history, "inflight")[-2:] == [1021, 1021]
    assert host(history, "remote")[-1] == 53
    assert history.hour.devices[DEVICE].values("refills", history.hour.last) == pytest.approx(
        host(history, "refills"), nan_ok=True
    )


def test_before_the_first_rate_there_is_none() -> None:
    history = History()
    history.add(one(0, 1000))
    assert all(isnan(rate) for rate in host(history, "refills"))


def test_only_one_snapshot_a_step_is_taken() -> None:
    history = History()
    for second in range(int(STEP)):
        history.add(one(second, second))
    assert sum(not isnan(each) for each in host(history, "inflight")) == 1


def test_seconds_that_nobody_looked_at_get_their_mean() -> None:
    history = History()
    history.add(one(0, 0))
    history.add(one(4 * STEP, 60))
    assert len(set(host(history, "refills")[-4:])) == 1 and not isnan(host(history, "refills")[-4])
    assert isnan(host(history, "refills")[-5])


def test_after_an_hour_the_oldest_goes() -> None:
    history = History()
    for place in range(POINTS + 3):
        history.add(one(place * STEP, place * place))
    rates = host(history, "slow")
    assert len(rates) == POINTS and rates == sorted(rates)
    first = 3  # points 0 to 2 have been overwritten, and the point of the first snapshot had no rate
    gained = counted(first * first - (first - 1) ** 2)["slow_refills"][()]
    assert rates[0] == pytest.approx(gained / STEP)


@pytest.mark.parametrize("second", [-3600.0, 3600.0 + STEP, 1e9])
def test_a_clock_that_is_set_begins_anew(second: float) -> None:
    history = History()
    history.add(one(0, 100))
    history.add(one(STEP, 200))
    history.add(one(second, 300))
    assert sum(not isnan(each) for each in host(history, "inflight")) == 1
    assert all(isnan(each) for each in host(history, "refills"))


def test_a_device_that_is_renamed_did_nothing_new() -> None:
    history = History()
    history.add(one(0, 1000))
    history.add(one(STEP, 1001, "eth1"))
    renamed = history.hour.devices[("4026531840", "eth1", "drv")]
    assert renamed.values("slow", history.hour.last)[-1] == pytest.approx(counted(1)["slow_refills"][()] / STEP)


def test_devices_have_an_end_and_those_that_are_gone_make_room() -> None:
    history = History()
    for number in range(1, 4 * DEVICES):
        history.add(one(number * STEP, number, f"veth{number}", number))
    assert len(history.hour.devices) == DEVICES
    assert ("4026531840", f"veth{4 * DEVICES - 1}", "drv") in history.hour.devices
    alive = [PoolSample(pool(f"eth{number}", number), counted(1), {"inflight_pages": 1}) for number in range(999)]
    history.add(at(5 * DEVICES * STEP, *alive))
    assert len(history.hour.devices) == DEVICES
    assert host(history, "inflight")[-1] == 999
    tracks = [history.hour.host, *history.hour.devices.values()]
    points = [array for track in tracks for array in track._points.values()]
    assert sum(len(each) * each.itemsize for each in points) < 450 * 1024


def test_what_ended_pools_counted_is_in_their_devices_track() -> None:
    history = History()
    history.add(one(0, 10))
    ended = PoolSample(Pool("ended", "eth0", 4026531840, 1, driver="drv", state=State.ENDED), counted(40), {})
    history.add(at(STEP, ended))
    assert history.hour.devices[DEVICE].values("slow", history.hour.last)[-1] == pytest.approx(
        counted(30)["slow_refills"][()] / STEP
    )
    assert history.hour.devices[DEVICE].values("inflight", history.hour.last)[-1] == 0


def test_rates_are_taken_from_a_snapshot_that_is_old_enough() -> None:
    history = History()
    assert history.since(one(0, 0)) is None
    first, second = one(1, 0), one(STEP, 1)
    history.add(first)
    assert history.since(one(1.5, 0)) is first
    history.add(second)
    assert history.since(one(STEP + SETTLED - 1, 2)) is first
    assert history.since(one(STEP + SETTLED, 2)) is second


def test_a_host_without_pools_has_an_hour_too() -> None:
    history = History()
    history.add(at(0))
    history.add(at(STEP))
    assert host(history, "refills")[-1] == 0 and history.hour.devices == {}
