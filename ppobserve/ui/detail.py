"""Everything about one pool, as plain values: bars, cells and facts, for the screen to paint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from ppobserve.model.series import BOUNDS, Counter, Histogram
from ppobserve.model.snapshot import State
from ppobserve.ui.board import Opened
from ppobserve.ui.format import printable, short


@dataclass(frozen=True)
class Bar:
    """A name, how much, and its share of the longest bar from 0 to 1."""

    name: str
    text: str
    share: float
    total: str = ""
    far: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell of the node matrix."""

    text: str
    share: float
    """Of the highest cell."""
    far: bool


def batches(opened: Opened) -> tuple[Bar, ...]:
    """Refills a second, by how many pages they moved; none where the plan doesn't count refills."""
    gained, now = (each.counters.get("refill_batch_pages") for each in (opened.gained, opened.now))
    if not isinstance(gained, Histogram) or not isinstance(now, Histogram):
        return ()
    names = ["0", "1", *(f"{low + 1}-{high}" if low + 1 < high else str(high) for low, high in pairwise(BOUNDS[1:]))]
    return _bars(names, gained.buckets, now.buckets, opened.seconds)


def returns(opened: Opened) -> tuple[Bar, ...]:
    """Pages given back to the page allocator a second, by reason; numa is the far one."""
    return _labelled(opened, "pages_returned")


def paths(opened: Opened, name: str) -> tuple[Bar, ...]:
    """Allocations or recycles a second, by path; none below level full."""
    return _labelled(opened, name)


def _labelled(opened: Opened, name: str) -> tuple[Bar, ...]:
    gained, now = _flat(opened.gained.counters.get(name)), _flat(opened.now.counters.get(name))
    return _bars(now, [gained.get(label, 0) for label in now], list(now.values()), opened.seconds)


def _flat(counter: Counter | None) -> dict[str, int]:
    return (
        {} if counter is None or isinstance(counter, Histogram) else {key[0]: value for key, value in counter.items()}
    )


def _bars(names: Iterable[str], gained: Iterable[int], now: Iterable[int], seconds: float | None) -> tuple[Bar, ...]:
    counts = list(zip(names, gained, now, strict=True))
    most = max((count for _, count, _ in counts), default=0) or 1
    return tuple(
        Bar(name, _rate(count, seconds), count / most, short(total), far=name == "numa")
        for name, count, total in counts
    )


def matrix(opened: Opened) -> list[tuple[str, list[Cell]]]:
    """Mismatched pages a second: a row for each node that pages were on, a cell for each node that was wanted."""
    counter = opened.gained.counters.get("numa_mismatch_pages", {})
    cells = {} if isinstance(counter, Histogram) else counter
    most = max(cells.values(), default=0) or 1
    return [
        (page, [_cell(cells.get((page, wanted)), most, opened.seconds) for wanted in opened.nodes])
        for page in opened.nodes
    ]


def _cell(pages: int | None, most: int, seconds: float | None) -> Cell:
    return Cell("·", 0, False) if pages is None else Cell(_rate(pages, seconds), pages / most, pages > 0)


def _rate(count: int, seconds: float | None) -> str:
    return short(None if seconds is None else count / seconds)


def fills(opened: Opened, cache_size: int = 128) -> tuple[Bar, ...]:
    """How full cache and ring are now."""
    gauges = opened.now.gauges
    sizes = {"cache": cache_size * max(len(opened.row.members), 1), "ring": int(gauges.get("ring_size", 0))}
    return tuple(
        Bar(name, f"{int(gauges[f'{name}_pages'])} of {size}", min(gauges[f"{name}_pages"] / size, 1) if size else 0)
        for name, size in sizes.items()
        if f"{name}_pages" in gauges
    )


def remote(opened: Opened) -> tuple[Bar, ...]:
    """Pages kept on another node than the consumer's, by where and by nodes."""
    pages = opened.now.remote
    most = max(pages.values(), default=0) or 1
    return tuple(
        Bar(f"{where} on {page} for {consumer}", str(count), count / most, far=count > 0)
        for (where, page, consumer), count in sorted(pages.items())
    )


def headline(opened: Opened) -> str:
    """Which pool this is."""
    pool, members = opened.row.pool, opened.row.members
    if members:
        return printable(f"{pool.netdev or pool.id}: {len(members)} pools added up")
    parts = [f"pool {pool.id}", pool.netdev, pool.driver, f"netns {pool.netns}" if pool.netns else ""]
    state = {State.DETACHED: "destroyed, pages still out", State.ENDED: "the sum of ended pools"}
    return printable("  ".join(filter(None, [*parts, state.get(pool.state, "")])))


def route(opened: Opened) -> list[tuple[str, bool]]:
    """From the device to the memory: device, queue, NAPI, CPU, nodes; True where that leads to another node."""
    pool, consumer = opened.row.pool, consumer_node(opened)
    where = f"node {consumer}"
    parts = {
        f"device on node {pool.device_node}": pool.device_node >= 0,
        f"queue {pool.queue}": pool.queue >= 0,
        f"NAPI {pool.napi}": bool(pool.napi),
        f"CPU {pool.consumer_cpu}": pool.consumer_cpu >= 0,
        f"used on {where}": bool(consumer),
        f"wants pages of node {opened.row.node}": opened.row.node >= 0,
    }
    far = {f"used on {where}": str(pool.device_node), f"wants pages of node {opened.row.node}": str(opened.row.node)}
    return [(text, text in far and far[text] not in ("-1", consumer or "-1")) for text, known in parts.items() if known]


def consumer_node(opened: Opened) -> str:
    """Where the pool was last refilled; empty where nobody looked, or for several."""
    nodes = {node for _, _, node in opened.now.remote}
    return nodes.pop() if len(nodes) == 1 else ""


def facts(opened: Opened) -> list[tuple[str, str]]:
    """What else is known, by name."""
    pool, gauges = opened.row.pool, opened.now.gauges
    known = {
        "in flight": f"{int(gauges['inflight_pages'])} pages" if "inflight_pages" in gauges else "",
        "device": f"{pool.device or '-'}{f' on node {pool.device_node}' if pool.device_node >= 0 else ''}",
        "made for": f"node {pool.nid}" if pool.nid >= 0 else "its consumer's node",
        "pages of": f"{4 << pool.order} KiB" if pool.order else "",
        "buffers from": "a memory provider" if pool.provider else "",
        "detached for": f"{gauges['pool_detached_seconds']:.0f} s" if "pool_detached_seconds" in gauges else "",
        "moved by its driver": f"{sum(moves.values())} times" if isinstance(moves := _moves(opened), dict) else "",
    }
    return [(name, printable(value)) for name, value in known.items() if value]


def _moves(opened: Opened) -> Counter | None:
    moves = opened.now.counters.get("nid_updates")
    return moves if isinstance(moves, dict) and any(moves.values()) else None
