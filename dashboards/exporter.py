"""ppobserve itself: does it see everything, and what does it cost?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.parts import (
    BYTES,
    HOST,
    NUMBER,
    PER_SECOND,
    SECONDS,
    Panel,
    a_table,
    bars,
    dashboard,
    lines,
    number,
    row,
)

RATE = "$__rate_interval"
MOST = 20
"""Lines of a panel: a fleet has ten thousand hosts."""
EACH = "{{instance}}"


def exporter() -> Dashboard:
    """The dashboard."""
    made = dashboard("exporter", "ppobserve / exporter", "Whether ppobserve sees everything, and what it costs.")
    row(made, "At a glance", *_glance())
    row(made, "Is anything not counted?", *_gaps())
    row(made, "What it costs", *_cost())
    return made


def gauge(name: str) -> str:
    """A series of our own."""
    return f"ppobserve_{name}{{{HOST}}}"


def rate(name: str) -> str:
    """A counter of our own, a second."""
    return f"rate({gauge(name)}[{RATE}])"


def most(query: str) -> str:
    """The greatest of a query's series."""
    return f"topk({MOST}, {query})"


def _glance() -> tuple[Panel, ...]:
    def small(title: str, description: str, unit: str, query: str, *limits: float) -> Panel:
        return Panel(number, title, description, unit, [(query, "")], width=3, height=5, limits=limits)

    return (
        small("Answering", "Hosts whose daemon answers.", NUMBER, f"sum(up{{{HOST}}})"),
        small("Silent", "Targets that don't answer.", NUMBER, f"count(up{{{HOST}}} == 0) or vector(0)", 1),
        small("Hooks missing", "Programs that were attached and are not any more.", NUMBER,
              f"count({gauge('hook_attached')} == 0) or vector(0)", 1),
        small("Divergence", "Events that only one of the kernel and ppobserve counted.", NUMBER,
              f"sum({gauge('audit_divergence')})", 1),
        small("Programs", "Seconds of a CPU a second that all programs take.", SECONDS,
              f"sum({rate('bpf_seconds_total')})"),
        small("Pools", "Pools that are counted.", NUMBER, f"sum({gauge('pools_tracked')})"),
        small("Stepped down", "Hosts that count at a lower level than asked, to keep their budget.", NUMBER,
              f"count({gauge('levels_below')} > 0) or vector(0)", 1),
        small("Folded", "Pools or devices without series of their own.", NUMBER, f"sum({gauge('pools_folded')})", 1),
    )  # fmt: skip


def _gaps() -> tuple[Panel, ...]:
    lost = f"sum by (hook, kind) ({gauge('hook_attached')} == bool 0)"
    where = f"min by (job, instance, hook, kind, symbol) ({gauge('hook_attached')}) == 0"
    versions = f"count by (version, kernel, level, rung) ({gauge('build_info')})"
    dropped = [(most(rate("pools_dropped_total")), f"pools: {EACH}"),
               (most(rate("events_dropped_total")), f"events: {EACH}")]  # fmt: skip
    return (
        Panel(lines, "Hosts that lost a hook", "By hook: how many hosts had it attached and have not any more.",
              NUMBER, [(lost, "{{hook}} by {{kind}}")], width=8, height=10),
        Panel(a_table, "Lost hooks", "What is not attached now, and where; empty in a fleet that is well.",
              NUMBER, [(where, "")], width=8, height=10, link="host"),
        Panel(a_table, "Versions", "How many hosts run what, on which kernel, at which level and by which rung.",
              NUMBER, [(versions, "")], width=8, height=10),
        Panel(lines, "Missed events", "Events that the kernel did not show to a hook's program, where most.",
              PER_SECOND, [(most(f"sum by (instance, hook) ({rate('hook_missed_total')})"), f"{EACH} {{{{hook}}}}")]),
        Panel(lines, "Dropped for want of room",
              "Pools, and events of pools on further CPUs, that found no room, where most.", PER_SECOND, dropped),
        Panel(lines, "Divergence by counter", "Events that only one of the kernel and ppobserve counted, where most.",
              NUMBER, [(most(f"max by (instance, counter) ({gauge('audit_divergence')})"), f"{EACH} {{{{counter}}}}")]),
        Panel(lines, "Pools", "Counted, folded into others' series, and below zero in flight, where most.", NUMBER,
              [(most(f"sum by (instance) ({gauge(f'pools_{kind}')} > 0)"), f"{kind.replace('_', ' ')}: {EACH}")
               for kind in ("tracked", "folded", "inflight_negative")]),
    )  # fmt: skip


def _cost() -> tuple[Panel, ...]:
    programs = f"sum by (instance, program) ({rate('bpf_seconds_total')})"
    run = f"{rate('bpf_seconds_total')} / {rate('bpf_runs_total')}"
    return (
        Panel(lines, "Reading", "How long one read of all counters took, where longest.", SECONDS,
              [(most(gauge("scrape_seconds")), EACH)]),
        Panel(lines, "Scraping", "How long Prometheus waited for a scrape, where longest.", SECONDS,
              [(most(f"scrape_duration_seconds{{{HOST}}}"), EACH)]),
        Panel(lines, "Processor time of the programs", "CPU seconds a second, estimated from samples; those with most.",
              SECONDS, [(most(programs), f"{EACH} {{{{program}}}}")]),
        Panel(lines, "Time of one run", "Of the slowest programs; a kernel that has got slower shows here.",
              SECONDS, [(most(run), f"{EACH} {{{{program}}}}")]),
        Panel(lines, "Processor time of the daemon",
              "CPU seconds a second, where most; the programs' own time is not in it.",
              SECONDS, [(most(f"rate(process_cpu_seconds_total{{{HOST}}}[{RATE}])"), EACH)]),
        Panel(lines, "Memory of the daemon", "Resident, mapped counters included, where most.", BYTES,
              [(most(f"process_resident_memory_bytes{{{HOST}}}"), EACH)]),
        Panel(bars, "Samples of a scrape", "Hosts that send most.", NUMBER,
              [(most(f"scrape_samples_scraped{{{HOST}}}"), EACH)], width=24, instant=True),
    )  # fmt: skip
