"""What our maps take in the kernel, told by maps of the same shape: made, asked, and let go of. Nothing is attached."""

from __future__ import annotations

import ctypes
import os
from typing import NamedTuple

from ppobserve.kernel import bpf, memory
from ppobserve.probe import abi

HASH, ARRAY, PROGRAMS, LRU_HASH, STACK = 1, 2, 3, 9, 23
MMAPABLE = 1 << 10

_CPU_BYTES = 128
"""``struct cpu`` of bpf/cpu.h: two cache lines for each CPU."""


class Shape(NamedTuple):
    """A map as bpf/table.h declares it; sizes in bytes."""

    kind: int
    key: int
    value: int
    entries: int
    flags: int = 0


def shapes(tables: abi.Tables) -> dict[str, Shape]:
    """Every map of every plan, but for those with one small value a CPU."""
    slot, kept = abi.slot_type(tables.nodes), abi.kept_type(tables.nodes)
    return {
        "pools": Shape(ARRAY, 4, ctypes.sizeof(abi.Pool), tables.entries, MMAPABLE),
        "slots": Shape(ARRAY, 4, ctypes.sizeof(slot), tables.all_slots, MMAPABLE),
        "ledgers": Shape(ARRAY, 4, ctypes.sizeof(abi.Ledger), 1, MMAPABLE),
        "kept": Shape(ARRAY, 4, ctypes.sizeof(kept), 1, MMAPABLE),
        "entries": Shape(HASH, 8, 4, tables.entries),
        "slot_index": Shape(ARRAY, 4, 4, tables.pools * tables.cells),
        "cpus": Shape(ARRAY, 4, _CPU_BYTES, tables.cpus),
        "refused": Shape(LRU_HASH, 8, 1, 1024),
        "endings": Shape(HASH, 8, 12, tables.pools),
        "fold_program": Shape(PROGRAMS, 4, 4, 1),
        "ended": Shape(LRU_HASH, 8, 1, 1024),
        "free_pools": Shape(STACK, 0, 4, tables.pools),
        "free_groups": Shape(STACK, 0, 4, tables.groups),
        "free_slots": Shape(STACK, 0, 4, tables.slots),
    }


def memory_of(tables: abi.Tables) -> dict[str, int]:
    """Bytes of every map, as the kernel accounts them. BpfError without root."""
    return {name: _bytes(shape) for name, shape in shapes(tables).items()}


def _bytes(shape: Shape) -> int:
    fd = bpf.create_map(*shape)
    try:
        return memory.locked_bytes(fd)
    finally:
        os.close(fd)
