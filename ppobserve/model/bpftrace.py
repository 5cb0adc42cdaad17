"""The bpftrace scripts, filled in for one kernel: the templates of ``bpf/bpftrace`` and what their placeholders mean.

A template says ``@NAME@`` where kernels differ. That is no bpftrace: one that was not filled in can't run by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ppobserve.errors import NotObservable
from ppobserve.model.features import REFILL, Features
from ppobserve.model.hooks import COST_NS, STACK_NS, End, Rung
from ppobserve.model.plan import require_observable

PLACEHOLDER = re.compile(r"@([A-Z][A-Z0-9_]*)@")
# Nanoseconds that the maps of one event take: bench/bpftrace_cost.py finds 200 to 500, the more with a device's name.
MAPS_NS = 500

# A release is free text in a file of facts: none may end the comment that it is put into, in a script run by root.
_UNUSUAL = re.compile(r"[^\w.+~-]")

_KPROBED = re.compile(r"^k(?:ret)?probe:(\w+)", re.MULTILINE)
_TRACED = re.compile(r"^tracepoint:page_pool:(\w+)", re.MULTILINE)


def filled(template: str, features: Features) -> str:
    """The script for this kernel. NotObservable when the kernel lacks what it hooks."""
    require_observable(features)
    values = _values(features)
    script = PLACEHOLDER.sub(lambda found: str(values[found[1]]), template)
    if refusal := _refusal(script, features):
        raise NotObservable(refusal)
    return script


def summary(template: str) -> str:
    """The first sentence of a script's header."""
    header = template.partition("/*\n")[2].partition("*/")[0]
    sentence = header.partition("\n *\n")[0].replace("\n *", "")
    return sentence.removeprefix(" *").strip()


def _values(features: Features) -> dict[str, int | str]:
    """What each placeholder becomes, by its name: one of OFFSETS, or one of these."""
    tracepoint = COST_NS[Rung.TRACEPOINT, End.ENTRY]
    return {
        **features.offsets,
        "KERNEL": _UNUSUAL.sub("?", features.kernel),
        "REFILL": REFILL,
        "REFILL_PAGES": features.refill_pages,
        "POOL_RELEASE": features.release_tracepoint,
        "NETMEM": "netmem" if features.passes_netmem else "page",
        "POOL_ID": _pool_id(features.offsets),
        "PFMEMALLOC": _pfmemalloc(features.offsets),
        "NODES_SHIFT_IN_FLAGS": features.nodes_shift_in_flags,
        "NODES_MASK": features.nodes_mask,
        "KPROBES_NS": round(sum(COST_NS[Rung.KPROBE, end] for end in End) + MAPS_NS, -2),
        "TRACEPOINT_NS": tracepoint,
        "MAPS_NS": round(tracepoint + MAPS_NS, -2),
        "STACK_NS": round(tracepoint + STACK_NS + MAPS_NS, -2),
    }


def _pool_id(offsets: Mapping[str, int]) -> str:
    """The id of $pool. Kernel commit f17c69649c69 ("net: page_pool: id the page pools", 6.8); before, its address."""
    return f"*(uint32 *)($pool + {offsets['PP_USER_ID']})" if "PP_USER_ID" in offsets else "$pool"


def _pfmemalloc(offsets: Mapping[str, int]) -> str:
    """Whether $page is from the reserves. Kernel commit c07aea3ef4d4 ("mm: add a signature in struct page", 5.14) made
    it bit 1 of lru.next; before, it was an index of -1."""
    if "PAGE_INDEX" in offsets and "PAGE_PP_MAGIC" not in offsets:
        return f"*(int64 *)($page + {offsets['PAGE_INDEX']}) == -1"
    return f"*(uint64 *)($page + {offsets['PAGE_LRU']}) & 2"


def _refusal(script: str, features: Features) -> str:
    """Why this kernel can't run it; empty when it can, as far as is known."""
    for function in _KPROBED.findall(script):
        if function not in features.symbols:
            return f"kallsyms has no {function} to hook"
        if refused := features.refusals.get("kprobe"):
            return f"cannot hook {function}: {refused}"
    missing = [name for name in _TRACED.findall(script) if name not in features.tracepoints]
    return f"the kernel has no tracepoint {missing[0]}" if missing else ""
