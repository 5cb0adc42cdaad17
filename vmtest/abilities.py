"""What a kernel must be able to do in a guest: known by what it has, not by its number. Runs in the guest.

The answer goes to PPOBSERVE_EXPECT (tests/conftest.py): what is listed there and does not work fails, the rest is
skipped. The facts are types, symbols and modules, so a capability is never concluded from an attempt to use it.
"""

from __future__ import annotations

import lzma
import os
from dataclasses import dataclass
from pathlib import Path

from ppobserve.kernel import btf

KALLSYMS = Path("/proc/kallsyms")
BTF = Path("/sys/kernel/btf")
MODULES = Path("/lib/modules")
PREEMPTION = Path("/sys/kernel/debug/sched/preempt")

GIVEN = ("tracepoint", "numa")
"""Every kernel has the tracepoints, and every guest two nodes."""
SYMBOLS = {"kprobe": "register_kprobe", "fentry": "bpf_trampoline_link_prog"}
TYPES = {
    # 5.18: b530e9e1063e ("bpf: Add "live packet" mode for XDP in BPF_PROG_RUN")
    "frames": "xdp_test_data.orig_ctx",
    # 6.7: 3acf8ace6823 ("bpf: Add missed value to kprobe perf link info")
    "misses": "bpf_link_info.perf_event.kprobe.missed",
    # CONFIG_PAGE_POOL_STATS
    "stats": "page_pool.alloc_stats",
}
DRIVERS = {"veth": "veth", "virtio": "virtio_net"}
"""Capability to the module that must make page_pools: veth since 6.4, virtio_net since 7.1."""
USES_POOLS = b"page_pool_create"
LAZY = "(lazy)"


@dataclass(frozen=True)
class Facts:
    """What a kernel has."""

    symbols: frozenset[str]
    """Those of SYMBOLS that are in kallsyms."""
    types: frozenset[str]
    """Those of TYPES that are in BTF."""
    drivers: frozenset[str]
    """Those of DRIVERS that make page_pools."""
    module_types: bool
    """BTF of modules, and with it an id for that of the kernel."""
    preemption: str
    """The modes of preemption, the chosen one in brackets; empty if the kernel does not say."""


def facts() -> Facts:
    """Return the facts of the running kernel."""
    types = btf.load(BTF / "vmlinux")
    return Facts(
        symbols=frozenset(SYMBOLS.values()) & _functions(),
        types=frozenset(path for path in TYPES.values() if _has_member(types, path)),
        drivers=frozenset(module for module in DRIVERS.values() if _makes_pools(module)),
        module_types=len(list(BTF.iterdir())) > 1,
        preemption=PREEMPTION.read_text() if PREEMPTION.exists() else "",
    )


def abilities(kernel: Facts) -> tuple[str, ...]:
    """Return the capabilities of tests/conftest.py that a kernel with these facts must have."""
    has = [name for name, symbol in SYMBOLS.items() if symbol in kernel.symbols]
    has += [name for name, path in TYPES.items() if path in kernel.types]
    has += [name for name, module in DRIVERS.items() if module in kernel.drivers]
    # A test run of live frames is moved only where it asks for that itself: with lazy preemption it never does.
    has += ["moves"] if "frames" in has and LAZY not in kernel.preemption else []
    # bpftrace finds the types of a tracepoint's fields by the id of the kernel's BTF, which came with that of modules
    # (5.11: 36e68442d1af ("bpf: Load and verify kernel module BTFs")).
    has += ["bpftrace"] if kernel.module_types else []
    return (*GIVEN, *has)


def _functions() -> frozenset[str]:
    with KALLSYMS.open() as lines:
        return frozenset(line.split()[2] for line in lines)


def _has_member(types: btf.Btf, path: str) -> bool:
    try:
        types.resolve(path)
    except LookupError:
        return False
    return True


def _makes_pools(module: str) -> bool:
    """True if the module refers to page_pool_create(). It need not be loaded."""
    (file,) = (MODULES / os.uname().release).glob(f"kernel/drivers/net/{module}.ko*")
    data = file.read_bytes()
    return USES_POOLS in (lzma.decompress(data) if file.suffix == ".xz" else data)
