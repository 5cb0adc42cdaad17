"""What the tables hold before the first event: every free entry and slot, and the group that must always be there."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from ppobserve.kernel import bpf
from ppobserve.probe import abi

MAPS = ("pools", "slots", "entries", "free_pools", "free_groups", "free_slots")
REST_GROUP = 1
"""Key of the group of pools without a device (bpf/end.h), which has the first entry and slot of the groups."""


def fill(maps: Mapping[str, int], tables: abi.Tables) -> None:
    """Fill the maps of ``MAPS``, given as descriptors. BpfError if the kernel refuses."""
    first_slot = 1 + tables.groups  # slot 0 stands for "none yet", the groups' own follow
    _push(maps["free_pools"], 0, tables.pools)
    _push(maps["free_groups"], tables.pools + 1, tables.entries)
    _push(maps["free_slots"], first_slot, first_slot + tables.slots)
    _enter_rest(maps, tables)


def _push(stack: int, first: int, end: int) -> None:
    """Put the numbers from *first* to before *end* on a stack, the lowest on top."""
    for number in range(end - 1, first - 1, -1):
        bpf.push(stack, u32(number))


def _enter_rest(maps: Mapping[str, int], tables: abi.Tables) -> None:
    entry = tables.pools
    group = abi.Pool(owner=REST_GROUP, nid=-1, queue=-1, cpu=-1, device_node=-1)
    slot = abi.slot_type(tables.nodes)(owner=REST_GROUP, entry=entry)
    bpf.update(maps["entries"], REST_GROUP.to_bytes(8, sys.byteorder), u32(entry))
    bpf.update(maps["pools"], u32(entry), bytes(group))
    bpf.update(maps["slots"], u32(1), bytes(slot))


def u32(value: int) -> bytes:
    """A key or value of the kernel's u32."""
    return value.to_bytes(4, sys.byteorder)
