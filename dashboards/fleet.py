"""All servers: which are the worst, and how the rest does. It reads recorded series, not pools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.parts import (
    HOST,
    NUMBER,
    PAGES,
    PER_SECOND,
    SHARE,
    Panel,
    Query,
    a_table,
    bars,
    dashboard,
    hosts_by,
    lines,
    number,
    row,
    signed_lines,
)

JOB = 'job=~"$job"'
WORST = 20


def recorded(name: str, level: str = "instance") -> str:
    """A recorded series of the hosts that were chosen."""
    return f"{level}:ppobserve_{name}{{{HOST}}}"


def fleet() -> Dashboard:
    """The dashboard."""
    made = dashboard("fleet", "ppobserve / fleet", "The worst hosts of a fleet; a click leads to one.")
    row(made, "At a glance", *_glance())
    row(made, "Worst hosts", *_hosts())
    row(made, "How hosts are spread", *_spread())
    row(made, "Worst devices", *_devices())
    return made


def _glance() -> tuple[Panel, ...]:
    def small(title: str, description: str, unit: str, query: str, *limits: float) -> Panel:
        return Panel(number, title, description, unit, [(query, "{{job}}")], width=4, height=5, limits=limits)

    share = f"sum by (job) (job:ppobserve_refill_pages:rate5m{{{JOB}}})"
    held = f"sum by (job) (job:ppobserve_pages_held:rate5m{{{JOB}}})"
    return (
        small("Hosts", "Hosts that answer.", NUMBER, f"sum by (job) (up{{{HOST}}})"),
        small("Hosts with mismatches", "Hosts where more than 5 % of refills meet a page of the wrong node.",
              NUMBER, f"job:ppobserve_mismatching_hosts:count{{{JOB}}}", 1, 10),
        small("Mismatches", "Pages a second that refills dropped for their node, all hosts.",
              PER_SECOND, f"job:ppobserve_numa_mismatch_pages:rate5m{{{JOB}}}", 1, 1000),
        small("Refills", "Refills of caches from rings, all hosts.",
              PER_SECOND, f"job:ppobserve_refills:rate5m{{{JOB}}}"),
        small("Recycle share", "Of the pages that came by refills, those that had been in use before, all hosts.",
              SHARE, f"{share} / ({share} + {held})"),
        small("In flight", "Pages out of the page allocator, all hosts.",
              PAGES, f"job:ppobserve_inflight_pages:sum{{{JOB}}}"),
    )  # fmt: skip


def _hosts() -> tuple[Panel, ...]:
    firing = f'ALERTS{{{HOST},alertname=~"Ppobserve.*",alertstate="firing"}}'
    alerts = f"sum by (job, instance, netdev, alertname, severity) ({firing})"
    return (
        Panel(a_table, "Alerts", "What fires now. A host leads to its dashboard.",
              NUMBER, [(alerts, "")], width=24, link="host"),
        _worst(a_table, "Refills cut short", "Of all refills, those that met a page of the wrong node and gave up.",
               SHARE, "mismatches_per_refill:ratio_rate5m", "> 0"),
        _worst(a_table, "Remote share", "Of the pages that wait, those on another node than their consumer's.",
               SHARE, "remote_pages:share"),
        Panel(a_table, "Least recycling", "Of the pages that came by refills, those that had been in use before.",
              SHARE, [(f"bottomk({WORST}, {recorded('recycle_share:ratio_rate5m')})", "")], link="host"),
        Panel(a_table, "Smallest refills", "Pages per refill, of 64.",
              NUMBER, [(f"bottomk({WORST}, {recorded('pages_per_refill:ratio_rate5m')})", "")], link="host"),
        _worst(bars, "New pages", "Pages a second from the page allocator.", PER_SECOND, "pages_held:rate5m", width=8),
        _worst(bars, "Slow refills", "Refills from the page allocator.", PER_SECOND, "slow_refills:rate5m", width=8),
        _worst(bars, "Given up for a full ring", "Pages a second that could have been used again.",
               PER_SECOND, "ring_full_returns:rate5m", width=8),
    )  # fmt: skip


def _worst(
    draw: Callable[[], Any], title: str, description: str, unit: str, name: str, above: str = "", width: int = 12
) -> Panel:
    query = f"topk({WORST}, {recorded(name)} {above}".rstrip() + ")"
    table = draw is a_table
    legend, link = ("", "host") if table else ("{{instance}}", "")
    return Panel(draw, title, description, unit, [(query, legend)], width, instant=True, link=link)


def _spread() -> tuple[Panel, ...]:
    shares = (("none", 0.0), ("to 1 %", 0.01), ("to 5 %", 0.05), ("to 25 %", 0.25), ("to 100 %", 1.0))
    sizes = (("to 8", 8.0), ("to 16", 16.0), ("to 32", 32.0), ("to 48", 48.0), ("to 64", 64.0))
    return (
        Panel(hosts_by, "Hosts by refills cut short", "How many hosts have which share of their refills cut short.",
              NUMBER, _ranges("mismatches_per_refill:ratio_rate5m", shares)),
        Panel(hosts_by, "Hosts by pages per refill", "How many hosts get how many pages from a refill.",
              NUMBER, _ranges("pages_per_refill:ratio_rate5m", sizes)),
        Panel(lines, "Mismatches", "Pages a second dropped for their node, of the hosts with most of them.",
              PER_SECOND, [(f"topk(10, {recorded('numa_mismatch_pages:rate5m')})", "{{instance}}")]),
        Panel(lines, "In flight", "Pages out of the page allocator, of the hosts with most of them.",
              PAGES, [(f"topk(10, {recorded('inflight_pages:sum')})", "{{instance}}")]),
    )  # fmt: skip


def _ranges(name: str, ends: Sequence[tuple[str, float]]) -> list[Query]:
    """A query a range, each above the end of the one before it."""
    series, above, queries = recorded(name), "", []
    for title, end in ends:
        queries.append((f"count({series} <= {end:g}{above}) or vector(0)", title))
        above = f" > {end:g}"
    return queries


def _devices() -> tuple[Panel, ...]:
    def table(title: str, description: str, unit: str, name: str) -> Panel:
        query = f"topk({WORST}, {recorded(name, 'instance_netdev')})"
        return Panel(a_table, title, description, unit, [(query, "")], link="host")

    slope = f"topk(10, {recorded('inflight_pages:deriv1h', 'instance_netdev')})"
    return (
        table("Mismatches", "Pages a second that refills of a device dropped for their node.",
              PER_SECOND, "numa_mismatch_pages:rate5m"),
        table("Given up for a full ring", "Pages a second that could have been used again.",
              PER_SECOND, "ring_full_returns:rate5m"),
        Panel(signed_lines, "Pages in flight, how fast they grow",
              "Pages a second over the last hour, of the devices where they grow most. A leak does not end.",
              PER_SECOND, [(slope, "{{instance}} {{netdev}}")], width=24),
    )  # fmt: skip
