"""The last hour of a host in bounded memory: a point every ``STEP`` seconds, of the whole host and of each device.

A device takes 7 KiB, whatever happens on it; the two snapshots that rates are taken from are kept beside it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan

from ppobserve.model.cardinality import Cardinality, Group, fold
from ppobserve.model.clock import passed
from ppobserve.model.series import Histogram, total
from ppobserve.model.snapshot import Snapshot, delta

STEP = 15.0
"""Seconds that a point stands for."""
POINTS = 240
"""An hour of them."""
DEVICES = 64
"""Devices with a track of their own; what others do is in the host's."""
SETTLED = 5.0
"""Seconds that two snapshots have to be apart for rates that don't jump about."""

QUANTITIES = ("refills", "batch_pages", "mismatches", "slow", "returned", "inflight", "remote")
"""Of each point: events or pages a second, then pages in flight, and pages kept on another node."""

Device = tuple[str, ...]
"""Values of ``label_names(Cardinality.NETDEV)``: network namespace, name, driver."""


class Track:
    """The points of one device, as 4-byte floats; ``nan`` where nobody looked."""

    def __init__(self) -> None:
        self._points = {name: array("f", [nan]) * POINTS for name in QUANTITIES}
        self.alive = 0
        """The last point at which the device had a pool."""

    def put(self, slots: Iterable[int], point: Sequence[float]) -> None:
        """Write one value a quantity into each of some points."""
        for slot in slots:
            for name, value in zip(QUANTITIES, point, strict=True):
                self._points[name][slot % POINTS] = value

    def values(self, quantity: str, last: int) -> list[float]:
        """All points, the oldest first, *last* the newest."""
        cut = last % POINTS + 1
        points = self._points[quantity].tolist()
        return points[cut:] + points[:cut]


@dataclass(frozen=True)
class Hour:
    """What there is to draw: consistent, while the history goes on."""

    last: int
    host: Track
    devices: Mapping[Device, Track]


class History:
    """Fed with every snapshot that is read anyway, it keeps one every ``STEP`` seconds. Not for two writers at once."""

    def __init__(self) -> None:
        self._kept: tuple[Snapshot, ...] = ()
        self.hour = Hour(0, Track(), {})

    def add(self, snapshot: Snapshot) -> None:
        """Take it in if the last one is a step ago. Seconds that nobody looked at get their mean."""
        slot, last = int(snapshot.time // STEP), self.hour.last
        if self._kept and slot == last:
            return
        if self._kept and not 0 < slot - last < POINTS:  # the clock was set, or an hour was slept through
            self._kept, self.hour = (), Hour(0, Track(), {})
        before = self._kept[-1] if self._kept else None
        self._write(range(last + 1 if before else slot, slot + 1), _points(snapshot, before))
        self._kept = (*self._kept[-1:], snapshot)

    def since(self, snapshot: Snapshot) -> Snapshot | None:
        """The snapshot to take rates from: the newest that is ``SETTLED`` seconds older, or else any older one."""
        older = [each for each in self._kept if each.time < snapshot.time]
        settled = [each for each in older if snapshot.time - each.time >= SETTLED]
        return next(iter(settled[-1:] or older[:1]), None)

    def _write(self, slots: range, points: Mapping[Device, tuple[bool, Sequence[float]]]) -> None:
        tracks = self._room_for(points)
        for device, track in tracks.items():
            alive, point = points.get(device, (False, (nan,) * len(QUANTITIES)))
            track.put(slots, point)
            track.alive = slots[-1] if alive else track.alive
        host = [sum(values) for values in zip(*(point for _, point in points.values()), strict=True)]
        self.hour.host.put(slots, host or (0.0,) * len(QUANTITIES))
        self.hour = Hour(slots[-1], self.hour.host, tracks)

    def _room_for(self, points: Mapping[Device, tuple[bool, Sequence[float]]]) -> dict[Device, Track]:
        """The tracks, with new ones for new devices; where there is no room, those longest without a pool go."""
        tracks = dict(self.hour.devices)
        new = [device for device, (alive, _) in points.items() if alive and device not in tracks]
        gone = sorted(
            (each for each in tracks if not points.get(each, (False,))[0]), key=lambda each: tracks[each].alive
        )
        for device in gone[: max(len(tracks) + len(new) - DEVICES, 0)]:
            del tracks[device]
        return tracks | {device: Track() for device in new[: DEVICES - len(tracks)]}


def _points(snapshot: Snapshot, before: Snapshot | None) -> dict[Device, tuple[bool, Sequence[float]]]:
    """A point for each device, and whether it has a pool now. Rates are what pools gained, whatever they are called."""
    gained = delta(snapshot, before).pools if before else snapshot.pools
    seconds = max(passed(snapshot, before), 1e-3) if before else nan
    return {group.labels: (bool(group.gauges), _point(group, seconds)) for group in fold(gained, Cardinality.NETDEV)}


def _point(gained: Group, seconds: float) -> tuple[float, ...]:
    batches = gained.counters.get("refill_batch_pages")
    pages = batches.sum if isinstance(batches, Histogram) else 0
    counts = (total(gained.counters.get(name)) for name in ("numa_mismatch_pages", "slow_refills", "pages_returned"))
    rates = [count / seconds for count in (total(batches), pages, *counts)]
    return (*rates, gained.gauges.get("inflight_pages", 0.0), float(sum(gained.remote.values())))
