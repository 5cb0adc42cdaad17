"""The panels of the page about the whole host: the verdict, the last hour, nodes, batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise
from math import isnan, log10, nan

from ppobserve.export.markup import cell, name, number, quiet, section, words
from ppobserve.model.finding import Finding, Severity
from ppobserve.model.findings import findings
from ppobserve.model.history import Hour
from ppobserve.model.hooks import Hook
from ppobserve.model.plan import Plan
from ppobserve.model.series import BOUNDS, Counter, Histogram, Series, add_series, total
from ppobserve.model.snapshot import PoolSample, Snapshot
from ppobserve.model.span import span_of
from ppobserve.plot import spark

REFILL_PAGES = BOUNDS[-1]
SHADES = 4


def verdict(now: Snapshot, gained: Iterable[PoolSample], seconds: float) -> str:
    """One sentence: is there traffic between nodes, and where?"""
    lost: dict[str, int] = {}
    for sample in gained:
        count = total(sample.counters.get("numa_mismatch_pages"))
        lost[sample.pool.netdev] = lost.get(sample.pool.netdev, 0) + count
    if dropped := sum(lost.values()):
        worst = max(lost, key=lambda netdev: lost[netdev])
        most = f", most of them on {name(worst)}" if worst else ""
        return _far(f"{number(dropped / seconds)} pages a second are dropped for being on the wrong NUMA node{most}.")
    if kept := sum(map(kept_far, now.pools)):
        return _far(f"{number(kept)} pages are kept on another NUMA node than the CPU that consumes them.")
    return '<p class="verdict">No page is on the wrong NUMA node.</p>'


def _far(sentence: str) -> str:
    return f'<p class="verdict far">{sentence}</p>'


def kept_far(sample: PoolSample) -> int:
    """Pages that a pool keeps on another node than its consumer's."""
    return sum(sample.remote.values())


def advice(now: Snapshot, before: Snapshot | None) -> str:
    """What is wrong and what to do about it, by the rules that judge recordings, too: for who asks."""
    found = findings(span_of([before, now])) if before else ()
    grave = [each for each in found if each.severity >= Severity.WARNING]
    if not grave:
        return ""
    said = "".join(f"{_term(each)}<dd>{words(each.todo)}</dd>" for each in grave)
    title = f"{len(grave)} findings, and what to do" if len(grave) > 1 else "One finding, and what to do"
    return f'<details id="advice"><summary>{title}</summary><dl>{said}</dl></details>'


def _term(each: Finding) -> str:
    return f'<dt class="far">{words(each.sentence)}</dt>' if each.far else f"<dt>{words(each.sentence)}</dt>"


def hour_of(plan: Plan, hour: Hour) -> str:
    """The last hour of the whole host."""

    def values(quantity: str) -> list[float]:
        return hour.host.values(quantity, hour.last)

    batches = [
        pages / refills if refills else nan
        for pages, refills in zip(values("batch_pages"), values("refills"), strict=True)
    ]
    no_refill, no_slow = plan.unavailable.get("refill", ""), plan.unavailable.get("slow", "")
    parts = (
        _plot("Dropped on the wrong node", "pages/s", values("mismatches"), far=True),
        _plot("Kept on another node", "pages", values("remote"), far=True),
        _plot("In flight", "pages", values("inflight")),
        _plot("Pages in a refill", f"of {REFILL_PAGES}", batches, no_refill, top=REFILL_PAGES),
        _plot("Refills", "a second", values("refills"), no_refill),
        _plot("Slow refills", "a second", values("slow"), "" if plan.has(Hook.HOLD) else no_slow),
    )
    return f'<div class="grid plots">{"".join(parts)}</div>'


def _plot(
    title: str, unit: str, values: Sequence[float], missing: str = "", *, top: float = 0.0, far: bool = False
) -> str:
    if missing:
        return section(title, quiet(f"Not counted: {escape(missing)}."))
    known = [value for value in values if not isnan(value)]
    now, most = number(values[-1]), number(max(known, default=None))
    drawn = spark.line(values, f"{title}, {unit}, the last hour: {now} now, {most} at most", top=top)
    return section(
        title,
        f'<p class="now">{now} <small>{unit}</small></p>{drawn}'
        f'<p class="axis"><span>1 h</span><span>at most {most}</span><span>now</span></p>',
        kind="far" if far and any(known) else "",
    )


def since_start(now: Snapshot) -> str:
    """Which node's pages went where they should not, and how full refills are."""
    counters = now.counters()
    parts = (
        section(
            "Dropped by refills",
            _dropped(counters.get("numa_mismatch_pages", {})),
            unit="pages since the start, by NUMA node",
        ),
        section(
            "Kept on another node", _matrix(_kept(now), "used on"), unit="pages in caches and rings now, by NUMA node"
        ),
        section("Pages in a refill", _batches(counters.get("refill_batch_pages")), unit="refills since the start"),
    )
    return f'<div class="grid">{"".join(parts)}</div>'


def _dropped(counter: Counter) -> str:
    return _matrix({} if isinstance(counter, Histogram) else counter, "wanted on")


def _kept(now: Snapshot) -> Series:
    """Pages by (page node, consumer node), cache and ring together."""
    kept: Series = {}
    for sample in now.pools:
        for (_, *nodes), pages in sample.remote.items():
            kept = add_series(kept, {tuple(nodes): pages})
    return kept


def _matrix(counts: Series, column: str) -> str:
    """A page's node by the other node. Pages at home are none of these."""
    nodes = sorted(
        {node for labels in counts for node in labels}, key=lambda node: (not node.isdecimal(), len(node), node)
    )
    if len(nodes) < 2:
        return quiet("Nothing: all is on one NUMA node.")
    most = max(counts.values())
    columns = [node for node in nodes if any(node == other for _, other in counts)]
    heads = "".join(f'<th scope="col">{column} {escape(node)}</th>' for node in columns)
    lines = "".join(_line(counts, node, columns, most) for node in nodes)
    return (
        f'<div class="scroll"><table class="matrix"><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _line(counts: Series, node: str, columns: Iterable[str], most: int) -> str:
    cells = "".join(_shaded(counts.get((node, other)), most) for other in columns)
    return f'<tr><th scope="row">page on {escape(node)}</th>{cells}</tr>'


def _shaded(count: int | None, most: int) -> str:
    """The more, the redder: a shade less for each tenth of the most."""
    if not count:
        return cell("" if count is None else "0")
    return f'<td class="h{max(SHADES - int(log10(most / count)), 1)}">{number(count)}</td>'


def _batches(batches: Counter | None) -> str:
    if not isinstance(batches, Histogram):
        return quiet("Not counted under this plan.")
    if not batches.count:
        return quiet("No refill yet.")
    pages = ["none", *(str(high) if high - low == 1 else f"{low + 1} to {high}" for low, high in pairwise(BOUNDS))]
    most = max(batches.buckets)
    body = "".join(
        f'<tr><th scope="row">{text}</th><td>{spark.bar(count / most)}</td>{cell(number(count))}</tr>'
        for text, count in zip(pages, batches.buckets, strict=True)
    )
    return f'<table class="batch"><tbody>{body}</tbody></table>'
