"""Every metric, declared once. Exporter, ``top``, documents, rules and dashboards are checked against this table."""

from __future__ import annotations

from dataclasses import dataclass

from ppobserve.model.hooks import CATALOGUE, Hook
from ppobserve.model.plan import Plan

PREFIX = "ppobserve_"

POOL_LABELS = ("netns", "netdev", "pool", "napi", "driver")
"""What names a pool; ``cardinality`` in the configuration leaves some of them out."""


@dataclass(frozen=True)
class Metric:
    """One metric: its name without prefix and ``_total``, what it means, its labels beside those of its pool."""

    name: str
    kind: str
    """counter, gauge or histogram."""
    help: str
    labels: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """As it appears in an exposition's samples."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """The hooks that count it, one of which a plan needs; empty if it is read from the pool."""
        return tuple(spec.hook for spec in CATALOGUE if self.name in spec.counts)

    def counted_by(self, plan: Plan) -> bool:
        """True if this plan counts it."""
        return not self.hooks or any(plan.has(hook) for hook in self.hooks)


POOL_METRICS = (
    Metric(
        "refill_batch_pages",
        "histogram",
        "Pages that a refill of the pool's cache took from its ring; the first bucket counts refills that got none.",
    ),
    Metric(
        "refill_misses",
        "counter",
        "Refills that got no page: the ring was empty, or its first page was on the wrong NUMA node.",
        ("cause",),
    ),
    Metric(
        "numa_mismatch_pages",
        "counter",
        "Pages that a refill dropped because they were not on the wanted node (the kernel's waive).",
        ("page_node", "wanted_node"),
    ),
    Metric(
        "slow_refills",
        "counter",
        "Refills from the page allocator, because the ring had nothing.",
    ),
    Metric("pages_held", "counter", "Pages that the pool took from the page allocator."),
    Metric("pages_returned", "counter", "Pages that left the pool for the page allocator.", ("reason",)),
    Metric("allocs", "counter", "Pages handed out, by what they came from.", ("path",)),
    Metric("recycles", "counter", "Pages that came back and were kept, by where.", ("path",)),
    Metric("nid_updates", "counter", "Moves of the pool to another node by its driver."),
    Metric("inflight_pages", "gauge", "Pages taken from the page allocator and not given back, cached ones included."),
    Metric("cache_pages", "gauge", "Pages in the consumer's own cache."),
    Metric("ring_pages", "gauge", "Pages in the ring, waiting for a refill."),
    Metric(
        "remote_pages",
        "gauge",
        "Pages in cache or ring that are on another NUMA node than the pool's consumer.",
        ("where", "page_node", "consumer_node"),
    ),
    Metric("ring_size", "gauge", "Pages that the ring can take."),
)

SELF_METRICS = (
    Metric("build_info", "gauge", "Always 1; the labels tell what is running.", ("version", "kernel", "level", "rung")),
    Metric("hook_attached", "gauge", "1 while the hook is attached.", ("hook", "kind", "symbol")),
    Metric("hook_missed", "counter", "Events that the kernel did not show to the hook's program.", ("hook",)),
    Metric("pools_tracked", "gauge", "Pools that are being counted."),
    Metric("pools_folded", "gauge", "Pools or devices aggregated because max_series was reached."),
    Metric("pools_inflight_negative", "gauge", "Pools that have given back more pages than they took."),
    Metric("pools_dropped", "counter", "Pools that are not counted because the table of pools was full."),
    Metric(
        "events_dropped", "counter", "Events of known pools that were not counted because the table of slots was full."
    ),
    Metric(
        "audit_divergence",
        "gauge",
        "Difference between ppobserve's count and the kernel's own, in events; 0 when they agree.",
        ("counter",),
    ),
    Metric("bpf_runs", "counter", "Runs of the BPF programs, estimated from samples.", ("program",)),
    Metric("bpf_seconds", "counter", "CPU time that the BPF programs took, estimated from samples.", ("program",)),
    Metric("levels_below", "gauge", "Levels stepped down to stay within the CPU budget."),
    Metric(
        "netns_unreadable",
        "gauge",
        "Network namespaces that could not be entered: their idle pools are not exported.",
    ),
    Metric("scrape_seconds", "gauge", "How long the last read of all counters took."),
)

_INFO_LABELS = ("ifindex", "device", "device_node", "nid", "queue", "cpu", "order", "provider", "state")

# What a row of one pool has, whatever the cardinality of the rest.
INFO_METRICS = (
    Metric("pool_info", "gauge", "Always 1; the labels describe the pool.", _INFO_LABELS),
    Metric("pool_detached_seconds", "gauge", "How long ago the driver destroyed a pool that still has pages out."),
)

TABLE = {metric.name: metric for metric in (*POOL_METRICS, *INFO_METRICS, *SELF_METRICS)}


def counters(plan: Plan) -> tuple[Metric, ...]:
    """The counters and histograms of a pool under this plan."""
    return tuple(m for m in POOL_METRICS if m.kind != "gauge" and m.counted_by(plan))


def gauges() -> tuple[Metric, ...]:
    """The gauges of a pool."""
    return tuple(m for m in POOL_METRICS if m.kind == "gauge")
