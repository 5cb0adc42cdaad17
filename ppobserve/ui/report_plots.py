"""The plots of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ppobserve.model.series import BOUNDS, Histogram, add_series, total
from ppobserve.model.span import Device, Key, Span, labelled
from ppobserve.plot.chart import FAR, Series, areas, bars, lines, matrix

LINES = 6
"""A plot shows so many devices, the busiest; the others are one line."""
_REASONS = ("numa", "ring_full", "referenced", "pfmemalloc", "nid_update", "teardown", "other")


def plots(span: Span) -> Iterator[str]:
    """Each as SVG: pools over time, then nodes and batches. A device has one colour in all of them."""
    devices = [each for each in span.devices() if each.pools or _activity(each)]
    time = _OverTime(span, sorted(devices, key=_activity, reverse=True))
    yield time.far("NUMA mismatches", "mismatches", "pages a second")
    yield time.far("Pages kept on another node", "remote", "pages")
    yield _nodes(span)
    yield time.lines("Refills", "refills", "a second")
    yield time.lines("Slow refills", "slow", "a second")
    yield _batches(span)
    yield _returns(span)
    yield time.lines("In flight", "inflight", "pages")


def _activity(device: Device) -> int:
    return sum(map(total, device.counters.values()))


@dataclass(frozen=True)
class _OverTime:
    """Plots of what devices did, the busiest device first."""

    span: Span
    devices: Sequence[Device]

    @property
    def xs(self) -> list[float]:
        return [each.position for each in self.span.moments]

    def far(self, title: str, quantity: str, unit: str) -> str:
        """Traffic between nodes: one red line for all devices."""
        known = [values for _, values in self._values(quantity) if any(value is not None for value in values)]
        return lines(title, self.xs, [Series("all devices", _sum(known), FAR)] if known else [], unit=unit)

    def lines(self, title: str, quantity: str, unit: str) -> str:
        """A line for each of the busiest devices, and one for the others."""
        names = [device.name for device in self.devices]
        values = self._values(quantity)
        shown = [Series(_called(device, names), each) for device, each in values[:LINES]]
        if rest := values[LINES:]:
            shown.append(Series(f"{len(rest)} others", _sum([each for _, each in rest])))
        known = any(value is not None for each in shown for value in each.values)
        return lines(title, self.xs, shown if known else [], unit=unit)

    def _values(self, quantity: str) -> list[tuple[Device, list[float | None]]]:
        return [(device, device.values(self.span.moments, quantity)) for device in self.devices]


def _called(device: Device, names: Sequence[str]) -> str:
    """Its name, with its network namespace where another one is called so."""
    same = names.count(device.name) > 1
    return f"{device.name} ({device.pools[0].netns})" if same and device.pools else device.name


def _sum(rows: Sequence[Sequence[float | None]]) -> list[float | None]:
    columns = ([value for value in column if value is not None] for column in zip(*rows, strict=True))
    return [sum(values) if values else None for values in columns]


def _nodes(span: Span) -> str:
    """Mismatches of the whole recording; where there are none, pages kept on another node at its end."""
    dropped = labelled(span.counters().get("numa_mismatch_pages"))
    kept: Mapping[Key, int] = {}
    for sample in span.last.pools:
        for (_, *nodes), pages in sample.remote.items():
            kept = add_series(kept, {tuple(nodes): pages})
    if any(dropped.values()) or not any(kept.values()):
        return matrix("Mismatches", "page on node", "wanted on node", _square(dropped), unit="pages")
    return matrix("Kept at the end", "page on node", "consumed on node", _square(kept), unit="pages")


def _square(cells: Mapping[Key, int]) -> dict[tuple[str, str], float]:
    """With a cell for each two nodes; those of nobody's are 0."""
    nodes = sorted({node for key in cells for node in key} - {"unknown"}) or ["0"]
    return {(row, column): 0.0 for row in nodes for column in nodes} | {
        (row, column): float(count) for (row, column), count in cells.items() if count
    }


def _batches(span: Span) -> str:
    histogram = span.counters().get("refill_batch_pages")
    counts = histogram.buckets if isinstance(histogram, Histogram) else ()
    lows = (0, *(bound + 1 for bound in BOUNDS))
    names = [str(high) if low >= high else f"{low}-{high}" for low, high in zip(lows, BOUNDS, strict=False)]
    return bars("Pages in a refill", list(zip(names, map(float, counts), strict=False)), unit="refills")


def _returns(span: Span) -> str:
    xs = [each.position for each in span.moments]
    seen = {reason for each in span.moments for reason, rate in each.returns.items() if rate}
    shown = [
        Series(reason, [each.returns.get(reason) for each in span.moments], FAR if reason == "numa" else "")
        for reason in _REASONS
        if reason in seen
    ]
    return areas("Returns by reason", xs, shown, unit="pages a second")
