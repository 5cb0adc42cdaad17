"""A recording as one page: the verdict, the plots, every pool. It asks nobody for anything and needs no script.

Whatever the kernel's names contain, they are text here. Red is for traffic between NUMA nodes, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from time import gmtime, strftime

from ppobserve import __version__
from ppobserve.model.finding import Finding, Severity
from ppobserve.model.findings import findings
from ppobserve.model.recording import clock
from ppobserve.model.series import total
from ppobserve.model.snapshot import PoolSample, State
from ppobserve.model.span import Span
from ppobserve.plot.axis import short
from ppobserve.plot.svg import STYLE
from ppobserve.ui.report_plots import plots

_CSS = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
POOLS = 200
"""So many rows at most, the busiest; a page is to be looked at."""


@dataclass(frozen=True)
class Recording:
    """What a report is about."""

    name: str
    span: Span
    snapshots: int
    looked_at: int
    """So many of the snapshots, evenly spread."""
    problems: Sequence[str]


def report(recording: Recording) -> str:
    """The whole page."""
    span, last = recording.span, recording.span.last
    found = findings(span)
    host = escape(last.host or "a host without a name")
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        f'<link rel="icon" href="data:,"><title>page_pool on {host}: {escape(_headline(found))}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><style>{STYLE}{_CSS}</style>'
    )
    sections = (
        _section("Verdict", f'<ol id="verdict">{"".join(map(_finding, found))}</ol>'),
        _section("What happened", f'<div class="plots">{"".join(plots(span))}</div>'),
        _section("Pools", _pools(span)),
        _section("How it was counted", _counted(recording)),
    )
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n'
        f"<header><h1>page_pool on {host}</h1>{_about(recording)}</header>\n"
        f"<main>{''.join(sections)}</main>\n"
        f"<footer>Made by ppobserve {__version__} from {escape(recording.name)}.</footer>\n</body></html>\n"
    )


def _headline(found: Sequence[Finding]) -> str:
    """What a browser's tab says."""
    worst = found[0]
    return f"{worst.severity.name.lower()}, {worst.kind.replace('_', ' ')}"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>\n"


def _about(recording: Recording) -> str:
    span, last = recording.span, recording.span.last
    begin, end = (strftime("%Y-%m-%d %H:%M:%S", gmtime(each.time)) for each in (span.first, last))
    parts = (
        f"kernel {escape(last.kernel)}",
        f"{begin} to {end} UTC ({clock(span.seconds)})",
        f"level {last.plan.level.value} by {last.plan.rung.value}",
    )
    return f'<p class="quiet">{" · ".join(parts)}</p>'


def _finding(found: Finding) -> str:
    look = " ".join(filter(None, ("finding", found.severity.name.lower(), "far" * _is_red(found))))
    numbers = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{_number(name, value)}</dd></div>" for name, value in _named(found)
    )
    todo = f"<p><strong>To do:</strong> {escape(found.todo)}</p>" if found.todo else ""
    return (
        f'<li class="{look}"><span class="badge">{found.severity.name.lower()}</span><p>{escape(found.sentence)}</p>'
        f'{todo}<dl class="evidence">{numbers}</dl></li>'
    )


def _is_red(found: Finding) -> bool:
    return found.far and found.severity >= Severity.WARNING


def _named(found: Finding) -> Iterable[tuple[str, float]]:
    return ((name.replace("_", " "), value) for name, value in found.evidence.items())


def _number(name: str, value: float) -> str:
    return f"{value:.1%}" if "share" in name else short(value)


_COLUMNS = ("refill_batch_pages", "numa_mismatch_pages", "slow_refills", "pages_returned")
_HEADS = ("pool", "device", "state", "node", "refills", "mismatches", "slow refills", "returned", "in flight")


def _pools(span: Span) -> str:
    shown = (each for each in span.pools.values() if each.pool.state is not State.ENDED or _activity(each)[1])
    samples = sorted(shown, key=_activity, reverse=True)
    there = {sample.pool.key for sample in span.last.pools}
    rows = "".join(_pool(each, gone=each.pool.key not in there) for each in samples[:POOLS])
    rows = rows or f'<tr><td colspan="{len(_HEADS)}">no pool was seen</td></tr>'
    more = f"<p>and {len(samples) - POOLS} more</p>" if len(samples) > POOLS else ""
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    note = '<p class="quiet">Counts are of this recording; ended: what pools did after they were last seen.</p>'
    return f'<div class="wide" tabindex="0"><table><tr>{heads}</tr>{rows}</table></div>{more}{note}'


def _activity(sample: PoolSample) -> tuple[int, int]:
    """Mismatches are what one looks for."""
    return total(sample.counters.get("numa_mismatch_pages")), sum(map(total, sample.counters.values()))


def _pool(sample: PoolSample, *, gone: bool) -> str:
    pool, inflight = sample.pool, sample.gauges.get("inflight_pages")
    identity = (
        pool.id,
        pool.netdev or "-",
        "gone" if gone else pool.state.value,
        str(pool.nid) if pool.nid >= 0 else "any",
    )
    cells = "".join(f"<td>{escape(text)}</td>" for text in identity)
    for name in _COLUMNS:
        counter = sample.counters.get(name)
        red = ' class="far"' if name == "numa_mismatch_pages" and total(counter) else ""
        cells += f"<td{red}>{'-' if counter is None else total(counter)}</td>"
    return f"<tr>{cells}<td>{'-' if inflight is None else int(inflight)}</td></tr>"


def _counted(recording: Recording) -> str:
    span, plan = recording.span, recording.span.last.plan
    pools = sum(sample.pool.state is not State.ENDED for sample in span.pools.values())
    said = [
        f"{recording.snapshots} snapshots, {recording.looked_at} of them looked at; pools seen: {pools}",
        f"hooks: {', '.join(f'{hook.name} ({hook.symbol}, {hook.rung.value})' for hook in plan.hooks)}",
        *plan.unavailable.values(),
        *recording.problems,
        *(f"no rates there: {why}" for why in dict.fromkeys(span.broken)),
    ]
    return f'<ul class="quiet">{"".join(f"<li>{escape(each)}</li>" for each in said)}</ul>'
