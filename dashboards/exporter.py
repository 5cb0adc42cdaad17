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
    stacked,
    timeline,
)

RATE = "$__rate_interval"
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
    hooks = f"min by (instance, hook, kind) ({gauge('hook_attached')})"
    versions = f"count by (version, kernel, level, rung) ({gauge('build_info')})"
    dropped = [(rate("pools_dropped_total"), f"pools: {EACH}"), (rate("events_dropped_total"), f"events: {EACH}")]
    return (
        Panel(timeline, "Hooks", "1 while a hook is attached.",
              NUMBER, [(hooks, f"{EACH} {{{{hook}}}} by {{{{kind}}}}")], height=10),
        Panel(a_table, "Versions", "How many hosts run what, on which kernel, at which level and by which rung.",
              NUMBER, [(versions, "")], height=10),
        Panel(lines, "Missed events", "Events that the kernel did not show to a hook's program.",
              PER_SECOND, [(f"sum by (instance, hook) ({rate('hook_missed_total')})", f"{EACH} {{{{hook}}}}")]),
        Panel(lines, "Dropped for want of room", "Pools, and events of pools on further CPUs, that found no room.",
              PER_SECOND, dropped),
        Panel(lines, "Divergence by counter", "Events that only one of the kernel and ppobserve counted.",
              NUMBER, [(f"max by (instance, counter) ({gauge('audit_divergence')})", f"{EACH} {{{{counter}}}}")]),
        Panel(lines, "Pools", "Counted, folded into others' series, and below zero in flight.", NUMBER,
              [(f"sum by (instance) ({gauge(f'pools_{kind}')})", f"{kind.replace('_', ' ')}: {EACH}")
               for kind in ("tracked", "folded", "inflight_negative")]),
    )  # fmt: skip


def _cost() -> tuple[Panel, ...]:
    samples = f"topk(20, scrape_samples_scraped{{{HOST}}})"
    return (
        Panel(lines, "Reading", "How long one read of all counters took.", SECONDS,
              [(gauge("scrape_seconds"), EACH)]),
        Panel(lines, "Scraping", "How long Prometheus waited for a scrape.", SECONDS,
              [(f"scrape_duration_seconds{{{HOST}}}", EACH)]),
        Panel(stacked, "Processor time of the programs", "CPU seconds a second, by program, estimated from samples.",
              SECONDS, [(f"sum by (instance, program) ({rate('bpf_seconds_total')})", f"{EACH} {{{{program}}}}")]),
        Panel(lines, "Time of one run", "Of each program; a kernel that has got slower shows here.",
              SECONDS, [(f"{rate('bpf_seconds_total')} / {rate('bpf_runs_total')}", f"{EACH} {{{{program}}}}")]),
        Panel(lines, "Processor time of the daemon", "Seconds of a CPU a second; the programs' own time is not in it.",
              SECONDS, [(f"rate(process_cpu_seconds_total{{{HOST}}}[{RATE}])", EACH)]),
        Panel(lines, "Memory of the daemon", "Resident, mapped counters included.", BYTES,
              [(f"process_resident_memory_bytes{{{HOST}}}", EACH)]),
        Panel(bars, "Samples of a scrape", "Hosts that send most.", NUMBER, [(samples, EACH)], width=24, instant=True),
    )  # fmt: skip
