"""What a kernel offers, as plain values: gathered by ``kernel.features``, judged by ``model.plan``."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

REFILL = "page_pool_refill_alloc_cache"

# Renamed with kernel commit b56ce8684622 ("page_pool: rename __page_pool_alloc_pages_slow() to
# __page_pool_alloc_netmems_slow()", 6.17).
SLOW = ("__page_pool_alloc_netmems_slow", "__page_pool_alloc_pages_slow")

# What hands a page out, newest name first. One may call another, or have its code inside: only the machine code tells.
ALLOC = ("page_pool_alloc_netmems", "page_pool_alloc_netmem", "page_pool_alloc_pages")
# What hands out fragments of a page (kernel commit 53e0961da1c7, "page_pool: add frag page recycling support in page
# pool", 5.15). page_pool_alloc_frag calls the other one where both are there.
FRAG = ("page_pool_alloc_frag_netmem", "page_pool_alloc_frag")

# What makes every pool (kernel commit 2b0cfa6e4956, "net: add generic percpu page_pool allocator", 6.9, where
# page_pool_create became a call of it).
CREATE = ("page_pool_create_percpu", "page_pool_create")
UPDATE_NID_FUNCTION = "page_pool_update_nid"
# What gives a destroyed pool's pages back: at once, and once a second until none is out.
DESTROY, RELEASE_RETRY = "page_pool_destroy", "page_pool_release_retry"
FUNCTIONS = frozenset({REFILL, *SLOW, *ALLOC, *FRAG, *CREATE, DESTROY, RELEASE_RETRY, UPDATE_NID_FUNCTION})

# Where each CPU's own memory begins, and the counters of recycling that all system pools share.
PER_CPU_OFFSET, SYSTEM_RECYCLE_STATS = "__per_cpu_offset", "pp_system_recycle_stats"
VARIABLES = frozenset({PER_CPU_OFFSET, SYSTEM_RECYCLE_STATS})

STATE_HOLD, STATE_RELEASE = "page_pool_state_hold", "page_pool_state_release"
UPDATE_NID = "page_pool_update_nid"
# Renamed by "page_pool: add destroy attempts counter and rename tracepoint" (5.5).
POOL_RELEASE = ("page_pool_release", "page_pool_inflight")
TRACEPOINTS = (STATE_HOLD, STATE_RELEASE, *POOL_RELEASE, UPDATE_NID)

# The members whose offsets the kernel side takes as -D, by the name they have there.
OFFSETS: Mapping[str, str] = {
    "PP_NID": "page_pool.p.nid",
    "PP_DEV": "page_pool.p.dev",
    "PP_NAPI": "page_pool.p.napi",
    "PP_SLOW_NETDEV": "page_pool.slow.netdev",
    "PP_USER_ID": "page_pool.user.id",
    "PP_DETACH_TIME": "page_pool.user.detach_time",
    "PP_DESTROY_CNT": "page_pool.destroy_cnt",
    "PP_ORDER": "page_pool.p.order",
    "PP_QUEUE": "page_pool.slow.queue_idx",
    "PP_CPU": "page_pool.cpuid",
    "PP_PROVIDER": "page_pool.mp_priv",
    "DEVICE_NODE": "device.numa_node",
    "PP_ALLOC_COUNT": "page_pool.alloc.count",
    "PP_ALLOC_CACHE": "page_pool.alloc.cache",
    "PP_RING_PRODUCER": "page_pool.ring.producer",
    "PP_RING_CONSUMER_HEAD": "page_pool.ring.consumer_head",
    "PP_RING_SIZE": "page_pool.ring.size",
    "PP_RING_QUEUE": "page_pool.ring.queue",
    "PP_HOLD_CNT": "page_pool.pages_state_hold_cnt",
    "PP_RELEASE_CNT": "page_pool.pages_state_release_cnt",
    "PP_RELEASE_DW": "page_pool.release_dw",
    "PP_USER_CNT": "page_pool.user_cnt",
    "PP_FRAG_USERS": "page_pool.frag_users",
    "PP_FRAG_PAGE": "page_pool.frag_page",
    "PP_ALLOC_FAST": "page_pool.alloc_stats.fast",
    "PP_ALLOC_SLOW": "page_pool.alloc_stats.slow",
    "PP_ALLOC_SLOW_HIGH_ORDER": "page_pool.alloc_stats.slow_high_order",
    "PP_ALLOC_EMPTY": "page_pool.alloc_stats.empty",
    "PP_ALLOC_REFILL": "page_pool.alloc_stats.refill",
    "PP_ALLOC_WAIVE": "page_pool.alloc_stats.waive",
    "PP_RECYCLE_STATS": "page_pool.recycle_stats",
    "RECYCLE_CACHED": "page_pool_recycle_stats.cached",
    "RECYCLE_RING": "page_pool_recycle_stats.ring",
    "RECYCLE_RING_FULL": "page_pool_recycle_stats.ring_full",
    "RECYCLE_RELEASED_REF": "page_pool_recycle_stats.released_refcnt",
    "PAGE_FLAGS": "page.flags",
    "PAGE_REFCOUNT": "page._refcount",
    "PAGE_LRU": "page.lru",
    "PAGE_PP_MAGIC": "page.pp_magic",
    "PAGE_INDEX": "page.index",
    "NAPI_DEV": "napi_struct.dev",
    "NAPI_ID": "napi_struct.napi_id",
    "NAPI_OWNER": "napi_struct.list_owner",
    "NETDEV_NAME": "net_device.name",
    "NETDEV_IFINDEX": "net_device.ifindex",
    "NETDEV_NET": "net_device.nd_net",
    "NETDEV_DEV": "net_device.dev",
    "NETDEV_LINK_OPS": "net_device.rtnl_link_ops",
    "NET_INUM": "net.ns.inum",
    "LINK_OPS_KIND": "rtnl_link_ops.kind",
    "DEVICE_NAME": "device.kobj.name",
    "DEVICE_CLASS": "device.class",
    "DEVICE_PARENT": "device.parent",
    "DEVICE_DRIVER": "device.driver",
    "CLASS_NAME": "class.name",
    "DRIVER_NAME": "device_driver.name",
}

# Of kernels that keep counters of their own (CONFIG_PAGE_POOL_STATS).
STATS = tuple(name for name, path in OFFSETS.items() if "_stats" in path)

# What a kernel may lack: the kernel side has an #ifdef with the commit for each.
OPTIONAL = frozenset(
    {
        "PP_NAPI",
        "NAPI_OWNER",
        "PP_SLOW_NETDEV",
        "PP_USER_ID",
        "PP_DETACH_TIME",
        "PP_DESTROY_CNT",
        "PP_QUEUE",
        "PP_CPU",
        "PP_PROVIDER",
        "DEVICE_NODE",
        "PP_FRAG_USERS",
        "PP_FRAG_PAGE",
        "PP_RELEASE_DW",
        *STATS,
        "PAGE_PP_MAGIC",
        "PAGE_INDEX",
    }
)


@dataclass(frozen=True)
class Features:
    """Facts about one kernel on one machine. Nothing is decided by ``kernel``, its name: it is for people."""

    kernel: str = ""
    machine: str = ""
    root: bool = False
    lockdown: str = ""
    """The active mode of the lockdown LSM: none, integrity, confidentiality; empty when not known."""
    cpus: int = 1
    """Possible CPUs: the highest number plus one."""
    nodes: int = 1
    """Possible NUMA nodes: the highest number plus one."""
    emulated: bool = False
    """The CPU is emulated, as in a guest without KVM: everything takes longer, compiling most of all."""
    capabilities: Mapping[str, bool] = field(default_factory=dict)
    """Capabilities that ppobserve uses and this kernel knows, by name without CAP_: True if this process has it. Empty
    if unknown."""
    user_namespace: bool = False
    """True if this process is in another user namespace than the initial one."""
    no_bpf: str = ""
    """Why bpf(2) refused a root that has the capabilities for it; empty if it did not, or that was not tried."""
    no_btf: str = ""
    """Why the kernel's type information can't be read; empty when it can."""
    no_btf_fix: str = ""
    """What would make it readable; empty if nothing is known to."""
    no_symbols: str = ""
    """Why /proc/kallsyms can't be read; empty when it can."""
    offsets: Mapping[str, int] = field(default_factory=dict)
    """Bytes from the start of the struct, by the names of ``OFFSETS``; what the kernel lacks is not there."""
    cache_pages: int = 0
    """Length of the pool's cache: 128 up to 7.0, scaled with the page size since."""
    nodes_shift: int = 0
    """CONFIG_NODES_SHIFT: the bits of page.flags that hold the node."""
    functions: Mapping[str, int] = field(default_factory=dict)
    """Functions that BTF describes, with their number of arguments: what fentry can hook."""
    symbols: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Functions that kallsyms lists, with start and end address; zeros when addresses are hidden."""
    variables: Mapping[str, int] = field(default_factory=dict)
    """Addresses of variables that kallsyms lists; zeros when addresses are hidden."""
    allocators: frozenset[str] = frozenset()
    """Functions with an allocation's fast path in them, as their machine code says; none where it can't be read."""
    tracepoints: frozenset[str] = frozenset()
    refusals: Mapping[str, str] = field(default_factory=dict)
    """What the kernel said when a rung was tried, by rung; a rung that was not tried is not there, one that works is
    there with an empty string."""

    @property
    def refill_pages(self) -> int:
        """The most pages that a refill moves: PP_ALLOC_CACHE_REFILL, half the cache in every kernel."""
        return self.cache_pages // 2

    @property
    def nodes_shift_in_flags(self) -> int:
        """How far down the node is in page.flags, whose highest bits it is (include/linux/page-flags-layout.h)."""
        return 64 - self.nodes_shift if self.nodes_shift else 0

    @property
    def nodes_mask(self) -> int:
        """What to mask it with then."""
        return (1 << self.nodes_shift) - 1

    @property
    def slow_function(self) -> str:
        """The slow path's name on this kernel; the newest one where none is known."""
        return next((name for name in SLOW if name in self.functions or name in self.symbols), SLOW[0])

    @property
    def refill_is_inlined(self) -> bool:
        """Is there no refill to hook? True before kernel commit 44768decb7c0 (5.6)."""
        return REFILL not in self.functions and REFILL not in self.symbols

    @property
    def passes_netmem(self) -> bool:
        """Do tracepoints name a page netmem? Since kernel commit 4dec64c52e24 ("page_pool: convert to use netmem",
        6.11), which brought page_pool_alloc_netmem, since 6.14 page_pool_alloc_netmems."""
        return not (self.functions.keys() | self.symbols.keys()).isdisjoint(ALLOC[:2])

    @property
    def wipes_pfmemalloc(self) -> bool:
        """Is a page's mark gone when its return passes the tracepoint?

        It shares a word with pp_magic since kernel commit c07aea3ef4d4 ("mm: add a signature in struct page", 5.14),
        which cleared that word before the tracepoint. The commit of :attr:`passes_netmem` (6.11) clears it after.
        """
        return "PAGE_PP_MAGIC" in self.offsets and not self.passes_netmem

    @property
    def create_function(self) -> str:
        """What makes every pool on this kernel; the newest name where none is known."""
        return next((name for name in CREATE if name in self.functions or name in self.symbols), CREATE[0])

    @property
    def release_tracepoint(self) -> str:
        """The tracepoint of a pool's end on this kernel; the newest name where there is none."""
        return next((name for name in POOL_RELEASE if name in self.tracepoints), POOL_RELEASE[0])

    def alloc_functions(self, known: Container[str]) -> tuple[str, ...]:
        """Those of the *known* that every whole page is handed out by."""
        return tuple(name for name in ALLOC if name in known and name in self.allocators)

    def frag_function(self, known: Container[str]) -> str:
        """That of the *known* that every fragment is handed out by; empty where there is none."""
        return next((name for name in FRAG if name in known), "")

    @property
    def missing_offsets(self) -> tuple[str, ...]:
        """Struct members that the kernel side can't do without and that this kernel doesn't have."""
        return tuple(path for name, path in OFFSETS.items() if name not in self.offsets and name not in OPTIONAL)
