"""The plots of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ppobserve.model.series import BOUNDS, Histogram, add_series
from ppobserve.model.span import Device, Key, Span, labelled
from ppobserve.plot.chart import FAR, Series, areas, bars, lines, matrix

LINES = 6
"""A plot shows so many devices, the busiest; the others are one line."""
_REASONS = ("numa", "ring_full", "referenced", "pfmemalloc", "nid_update", "teardown", "other")


def plots(span: Span) -> Iterator[str]:
    """Each as SVG: pools over time, then nodes and batches."""
    xs = [each.position for each in span.moments]
    yield _over_time("NUMA mismatches", span, xs, "mismatches", "pages a second", far=True)
    yield _over_time("Pages kept on another node", span, xs, "remote", "pages", far=True)
    yield _nodes(span)
    yield _over_time("Refills", span, xs, "refills", "a second")
    yield _over_time("Slow refills", span, xs, "slow", "a second")
    yield _batches(span)
    yield _returns(span, xs)
    yield _over_time("In flight", span, xs, "inflight", "pages")


def _over_time(title: str, span: Span, xs: Sequence[float], quantity: str, unit: str, *, far: bool = False) -> str:
    """Every device's line; traffic between nodes is one red line for all."""
    devices = [(device, device.values(span.moments, quantity)) for device in span.devices()]
    known = [(device, values) for device, values in devices if any(value is not None for value in values)]
    if far:
        return lines(
            title, xs, [Series("all devices", _sum([each for _, each in known]), FAR)][: len(known)], unit=unit
        )
    known.sort(key=lambda pair: -sum(abs(value or 0) for value in pair[1]))
    names = [device.name for device, _ in known]
    shown = [Series(_called(device, names), values) for device, values in known[:LINES]]
    if rest := known[LINES:]:
        shown.append(Series(f"{len(rest)} others", _sum([values for _, values in rest])))
    return lines(title, xs, shown, unit=unit)


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


def _returns(span: Span, xs: Sequence[float]) -> str:
    seen = {reason for each in span.moments for reason, rate in each.returns.items() if rate}
    shown = [
        Series(reason, [each.returns.get(reason) for each in span.moments], FAR if reason == "numa" else "")
        for reason in _REASONS
        if reason in seen
    ]
    return areas("Returns by reason", xs, shown, unit="pages a second")
