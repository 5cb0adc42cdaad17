"""The tables of the page: a row for each pool now, and for each device's last hour."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan

from ppobserve.export.markup import cell, name, number, quiet, row, section, table
from ppobserve.export.panels import kept_far
from ppobserve.model.history import Hour, Track
from ppobserve.model.rates import Row, rows
from ppobserve.model.snapshot import Snapshot, State
from ppobserve.plot import spark

SHOWN_POOLS, SHOWN_DEVICES = 128, 32
"""Rows: a page for a person ends somewhere."""
SPARK_POINTS = 60

_POOL_TITLES = ("wrong node/s", "on another node", "refills/s", "pages a refill", "slow/s", "returned/s", "in flight")
_DEVICE_TITLES = {
    "wrong node/s": "mismatches",
    "refills/s": "refills",
    "slow/s": "slow",
    "in flight": "inflight",
}


def pools(now: Snapshot, before: Snapshot | None) -> str:
    """Every pool that has not ended: those with mismatches first, then the busiest."""
    far = {sample.pool.key: kept_far(sample) for sample in now.pools}
    made = [each for each in rows(now, before or now) if each.pool.state is not State.ENDED]
    shown = [_pool_row(each, far[each.pool.key], rated=before is not None) for each in made[:SHOWN_POOLS]]
    listed = table("pools", ("pool", "device", "driver"), _POOL_TITLES, shown) + _more(len(made) - SHOWN_POOLS)
    return section("Pools", listed if made else "<p>No pool has been used yet.</p>", kind="wide")


def _pool_row(made: Row, far: int, *, rated: bool) -> str:
    rates = (made.refills, made.pages_per_batch, made.mismatches, made.slow, made.returned)
    refills, pages, dropped, slow, returned = (number(rate if rated else None) for rate in rates)
    cells = [cell(dropped, far=rated and bool(made.mismatches)), cell(number(far), far=far > 0)]
    cells += map(cell, (refills, pages, slow, returned, number(made.inflight)))
    gone = " (destroyed, pages still out)" if made.pool.state is State.DETACHED else ""
    return row((name(made.pool.id) + gone, name(made.pool.netdev), name(made.pool.driver)), cells)


def _more(count: int) -> str:
    return quiet(f"and {count} more, see /metrics") if count > 0 else ""


def devices(hour: Hour) -> str:
    """Every device that has had a pool within the hour."""
    if not hour.devices:
        return ""
    busiest = sorted(hour.devices.items(), key=lambda item: _busyness(item[1], hour.last), reverse=True)
    lines = [_device_row(device, track, hour.last) for device, track in busiest[:SHOWN_DEVICES]]
    names = ("device", "driver", "namespace")
    listed = table("devices", names, _DEVICE_TITLES, lines) + _more(len(busiest) - SHOWN_DEVICES)
    return section("Devices, the last hour", listed, kind="wide")


def _busyness(track: Track, last: int) -> tuple[float, ...]:
    return tuple(sum(_known(track.values(quantity, last))) for quantity in ("mismatches", "returned", "inflight"))


def _device_row(device: tuple[str, ...], track: Track, last: int) -> str:
    netns, netdev, driver = device
    sparks = [_spark(title, quantity, track.values(quantity, last)) for title, quantity in _DEVICE_TITLES.items()]
    return row((name(netdev) if netdev else "no device", name(driver), name(netns)), sparks)


def _spark(title: str, quantity: str, values: list[float]) -> str:
    most = max(_known(values), default=0.0)
    label = f"{title}, the last hour: at most {number(most)}"
    drawn = spark.line(spark.peaks(values, SPARK_POINTS), label, kind="spark")
    return cell(f'{drawn}<span class="quiet">{number(most)}</span>', far=quantity == "mismatches" and most > 0)


def _known(values: Iterable[float]) -> list[float]:
    return [value for value in values if not isnan(value)]
