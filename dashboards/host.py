"""One server: which device, which pool, which node, and why."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.parts import (
    DEVICE,
    HOST,
    NUMBER,
    PAGES,
    PER_SECOND,
    POOL,
    SECONDS,
    SHARE,
    Panel,
    a_table,
    buckets,
    dashboard,
    lines,
    number,
    row,
    stacked,
    variable,
)

NETDEV = "instance, netdev"
ON = "{{instance}} {{netdev}}"
RATE = "$__rate_interval"


def rate(metric: str, by: str, extra: str = "") -> str:
    """Events a second, added up."""
    return f"sum by ({by}) (rate(ppobserve_{metric}{{{DEVICE}{extra}}}[{RATE}]))"


def total(metric: str, by: str) -> str:
    """A gauge, added up."""
    return f"sum by ({by}) (ppobserve_{metric}{{{DEVICE}}})"


def recorded(name: str) -> str:
    """What a recording rule says of the hosts."""
    return f"instance:ppobserve_{name}{{{HOST}}}"


def host() -> Dashboard:
    """The dashboard."""
    devices = variable("netdev", "Device", f"label_values(ppobserve_pages_held_total{{{HOST}}}, netdev)", ".*")
    about = "The page_pools of a server, by device, node and reason."
    made = dashboard("host", "ppobserve / host", about, devices, every_host=False)
    row(made, "At a glance", *_glance())
    row(made, "NUMA", *_numa())
    row(made, "Refills", *_refills())
    row(made, "Pages that leave, pages that stay", *_pages())
    row(made, "Pools", *_pools())
    return made


def _glance() -> tuple[Panel, ...]:
    def small(title: str, description: str, unit: str, query: str, *limits: float) -> Panel:
        return Panel(number, title, description, unit, [(query, "{{instance}}")], width=4, height=5, limits=limits)

    return (
        small("Mismatches", "Pages a second that refills dropped for their NUMA node. 0 on a healthy host.",
              PER_SECOND, rate("numa_mismatch_pages_total", "instance"), 1, 1000),
        small("Refills cut short", "Of all refills, those that met a page of the wrong node: at 100 % none recycles.",
              SHARE, recorded("mismatches_per_refill:ratio_rate5m"), 0.01, 0.05),
        small("Remote pages", "Of the pages in caches and rings, those on another node than their consumer's.",
              SHARE, recorded("remote_pages:share"), 0.1, 0.5),
        small("Pages per refill", "64 where rings keep up. Fewer: more work for each page.",
              NUMBER, recorded("pages_per_refill:ratio_rate5m")),
        small("Recycle share", "Of the pages that came by refills, those that had been in use before.",
              SHARE, recorded("recycle_share:ratio_rate5m")),
        small("In flight", "Pages that pools took from the page allocator and did not give back.",
              PAGES, total("inflight_pages", "instance")),
    )  # fmt: skip


def _numa() -> tuple[Panel, ...]:
    nodes = "page on {{page_node}}, wanted on {{wanted_node}}: " + ON
    remote = "{{where}}: pages on {{page_node}}, consumer on {{consumer_node}}: " + ON
    return (
        Panel(lines, "Mismatches by node",
              "Pages a second that refills dropped, by the node that they were on and the node that the pool wanted.",
              PER_SECOND, [(rate("numa_mismatch_pages_total", f"{NETDEV}, page_node, wanted_node"), nodes)]),
        Panel(lines, "Mismatched pages of those refilled",
              "A refill takes up to 64 pages and drops one at most: 1.5 % may be half of all refills.",
              SHARE, [(f"instance_netdev:ppobserve_mismatch_share:ratio_rate5m{{{DEVICE}}}", ON)]),
        Panel(lines, "Remote pages by node",
              "Pages that pools keep on another node than their consumer's. Nothing drops these: each packet crosses.",
              PAGES, [(total("remote_pages", f"{NETDEV}, where, page_node, consumer_node"), remote)]),
        Panel(lines, "Refills that got nothing",
              "By cause: the ring was empty, or its first page was on the wrong node.",
              PER_SECOND, [(rate("refill_misses_total", f"{NETDEV}, cause"), "{{cause}}: " + ON)]),
        Panel(lines, "Refills cut short by a page's node", "Of all refills of a device. At 100 % nothing is recycled.",
              SHARE, [(f"instance_netdev:ppobserve_mismatches_per_refill:ratio_rate5m{{{DEVICE}}}", ON)]),
        Panel(lines, "Moves of pools by their driver",
              "A driver that follows its NAPI moves the pool to another node. Many moves: something moves the NAPI.",
              PER_SECOND, [(rate("nid_updates_total", NETDEV), ON)]),
    )  # fmt: skip


def _refills() -> tuple[Panel, ...]:
    sizes = f"sum by (le) (increase(ppobserve_refill_batch_pages_bucket{{{DEVICE}}}[{RATE}]))"
    mean = f"{rate('refill_batch_pages_sum', NETDEV)} / {rate('refill_batch_pages_count', NETDEV)}"
    return (
        Panel(buckets, "Pages of a refill", "How many refills brought how many pages. Healthy: all at 64.",
              PAGES, [(sizes, "{{le}}")]),
        Panel(lines, "Pages per refill", "The mean, empty refills included. 64 where the ring keeps up.",
              NUMBER, [(mean, ON)]),
        Panel(lines, "Refills", "Refills of caches from rings.",
              PER_SECOND, [(rate("refill_batch_pages_count", NETDEV), ON)]),
        Panel(lines, "Slow refills", "Refills from the page allocator, because the ring had nothing: 64 pages each.",
              PER_SECOND, [(rate("slow_refills_total", NETDEV), ON)]),
    )  # fmt: skip


def _pages() -> tuple[Panel, ...]:
    flow = [(rate("pages_held_total", "instance"), "taken: {{instance}}"),
            (rate("pages_returned_total", "instance"), "returned: {{instance}}")]  # fmt: skip
    ring = f"{total('ring_pages', NETDEV)} / {total('ring_size', NETDEV)}"
    return (
        Panel(stacked, "Returns by reason", "Why pages left their pool for the page allocator.",
              PER_SECOND, [(rate("pages_returned_total", "instance, reason"), "{{reason}}: {{instance}}")]),
        Panel(lines, "To and from the page allocator", "The two are equal over time, or pages in flight grow.",
              PER_SECOND, flow),
        Panel(lines, "In flight", "Pages out of the page allocator, by device. A line that only rises is a leak.",
              PAGES, [(total("inflight_pages", NETDEV), ON)]),
        Panel(lines, "How full rings are", "At 100 % pages that could be used again are given up.",
              SHARE, [(ring, ON)]),
        Panel(lines, "Pages in caches", "What consumers keep for themselves; 128 a pool at most.",
              PAGES, [(total("cache_pages", NETDEV), ON)]),
        Panel(lines, "Destroyed pools with pages out", "How long ago the driver destroyed the pool.",
              SECONDS, [(f"max by ({NETDEV}) (ppobserve_pool_detached_seconds{{{DEVICE}}})", ON)]),
    )  # fmt: skip


def _pools() -> tuple[Panel, ...]:
    busiest = f"topk(20, sum by ({POOL}) (rate(ppobserve_pages_held_total{{{DEVICE}}}[{RATE}])))"
    kinds = "device, device_node, nid, queue, provider, state"
    return (
        Panel(lines, "Allocations by path", "What served them. Counted at level full only.",
              PER_SECOND, [(rate("allocs_total", "instance, path"), "{{path}}: {{instance}}")]),
        Panel(lines, "Recycles by path", "Where pages that came back were put. Counted at level full only.",
              PER_SECOND, [(rate("recycles_total", "instance, path"), "{{path}}: {{instance}}")]),
        Panel(a_table, "Pools that take most from the page allocator", "New pages a second. Cardinality pool only.",
              PER_SECOND, [(busiest, "")], link="host"),
        Panel(a_table, "What pools are", "Node, queue and state of each pool. Cardinality pool only.",
              NUMBER, [(f"max by ({POOL}, {kinds}) (ppobserve_pool_info{{{DEVICE}}})", "")], link="host"),
    )  # fmt: skip
