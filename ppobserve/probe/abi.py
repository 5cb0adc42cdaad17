"""What the kernel side writes, as ctypes: the mirror of ``bpf/abi.h``.

``assertions()`` turns every offset and size here into a C assertion, which the loader compiles with the programs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

U64, U32, S32 = ctypes.c_uint64, ctypes.c_uint32, ctypes.c_int32

BATCHES = 8
NAME_BYTES = 16
MISSES = ("ring_empty", "numa")
RETURNS = ("numa", "ring_full", "referenced", "pfmemalloc", "nid_update", "teardown", "other")

PLACES = ("cache", "ring")
RING_STRETCH = 512
"""Slots of a ring that one run of bpf/sample/kept.c looks at."""

MAX_NODES = 16

FOLDS = 32
"""Stretches of CPUs in which the end of a pool is folded, at most: as many tail calls as every kernel allows."""


def nodes_told_apart(nodes: int) -> int:
    """How many NUMA nodes the mismatch matrix has rows for; the rest share the row of unknown nodes."""
    return max(min(nodes, MAX_NODES), 1)


@dataclass(frozen=True)
class Tables:
    """Sizes of the tables, in entries."""

    cpus: int
    nodes: int
    pools: int = 1024
    groups: int = 128
    slots: int = 4096
    """Those for pools, one for each CPU that they are used on; each group has another."""

    @property
    def entries(self) -> int:
        """Pools and groups share a table."""
        return self.pools + self.groups

    @property
    def all_slots(self) -> int:
        """Slot 0 is nobody's, then come the groups' own, then those for pools."""
        return 1 + self.groups + self.slots

    @property
    def stretch(self) -> int:
        """CPUs whose slots the end of a pool adds up before it calls itself for the next ones."""
        return -(-self.cpus // FOLDS)

    @property
    def cells(self) -> int:
        """Places of a pool in the index of slots: one for each CPU, in whole stretches."""
        return -(-self.cpus // self.stretch) * self.stretch

    def defines(self) -> dict[str, int]:
        """The sizes as the kernel side names them."""
        sizes = {
            "CPUS": self.cpus,
            "NODES": self.nodes,
            "POOLS": self.pools,
            "GROUPS": self.groups,
            "SLOTS": self.slots,
            "FOLD_STRETCH": self.stretch,
            "CELLS": self.cells,
        }
        return sizes


class Pool(ctypes.Structure):
    """``struct pool``: one pool from first sight to its end, or a group of ended pools."""

    _fields_ = (
        ("owner", U64),
        ("seen_ns", U64),
        ("detached_ns", U64),
        ("released", U64),
        ("frag_page", U64),
        ("release_cnt", U32),
        ("inflight", S32),
        ("id", U32),
        ("nid", S32),
        ("netns", U32),
        ("ifindex", U32),
        ("napi_id", U32),
        ("queue", S32),
        ("cpu", S32),
        ("device_node", S32),
        ("order", U32),
        ("provider", U32),
        ("cache_pages", U32),
        ("ring_pages", U32),
        ("ring_size", U32),
        ("tearing", U32),
        ("consumer_cpu", S32),
        ("first_cache", U32),
        ("first_ring", U32),
        ("first_hold", U32),
        ("ring_head", U32),
        ("netdev", ctypes.c_char * NAME_BYTES),
        ("driver", ctypes.c_char * NAME_BYTES),
        ("device", ctypes.c_char * NAME_BYTES),
    )


class Ledger(ctypes.Structure):
    """``struct ledger``: facts about the tables themselves."""

    _fields_ = (("folds_begun", U64), ("folds_done", U64), ("pools_dropped", U64), ("slots_dropped", U64))


class Stats(ctypes.Structure):
    """``struct stats``: what the kernel itself counted for one pool."""

    _fields_ = (
        ("alloc_fast", U64),
        ("alloc_slow", U64),
        ("alloc_empty", U64),
        ("alloc_refill", U64),
        ("alloc_waive", U64),
        ("has_recycled", U64),
        ("recycle_cached", U64),
        ("recycle_ring", U64),
        ("recycle_ring_full", U64),
        ("recycle_released_ref", U64),
    )


@cache
def slot_type(nodes: int) -> type[ctypes.Structure]:
    """``struct slot`` for a kernel side that tells *nodes* nodes apart."""
    fields = (
        ("owner", U64),
        ("entry", U32),
        ("cpu", U32),
        ("batch", U64 * BATCHES),
        ("batch_pages", U64),
        ("miss", U64 * len(MISSES)),
        ("slow", U64),
        ("held", U64),
        ("returned", U64 * len(RETURNS)),
        ("nid_updates", U64),
        ("alloc_cache", U64),
        ("frag_reuse", U64),
        ("scrubbed", U64 * len(PLACES)),
        ("mismatch", U64 * (nodes + 1) ** 2),
    )
    return type("Slot", (ctypes.Structure,), {"_fields_": fields})


@cache
def kept_type(nodes: int) -> type[ctypes.Structure]:
    """``struct kept``: the pages that one pool keeps, by place and node."""
    return type("Kept", (ctypes.Structure,), {"_fields_": (("pages", U64 * (nodes + 1) * len(PLACES)),)})


def assertions(nodes: int) -> str:
    """C that does not compile unless ``bpf/abi.h`` has every field where this module has it."""
    structs: dict[str, type[ctypes.Structure]] = {
        "pool": Pool,
        "ledger": Ledger,
        "slot": slot_type(nodes),
        "kept": kept_type(nodes),
        "stats": Stats,
    }
    return enum_assertions() + assertions_of(structs, "bpf/abi.h", "ppobserve/probe/abi.py")


_ENUMS = {"RETURN": RETURNS, "MISS": MISSES, "IN": PLACES}
"""Enumerators of ``bpf/abi.h`` by their prefix: an index stands for its name here."""


def enum_assertions() -> str:
    """C that does not compile unless the enumerators stand in the order of their names here."""
    counts = {"RETURNS": len(RETURNS), "MISSES": len(MISSES), "PLACES": len(PLACES), "BATCHES": BATCHES}
    values = {f"{prefix}_{name.upper()}": index for prefix, names in _ENUMS.items() for index, name in enumerate(names)}
    message = '"bpf/abi.h and ppobserve/probe/abi.py differ"'
    lines = [f"_Static_assert({name} == {value}, {message});" for name, value in {**values, **counts}.items()]
    return "\n".join([*lines, f"_Static_assert(NAME_BYTES == {NAME_BYTES}, {message});", ""])


def assertions_of(structs: Mapping[str, type[ctypes.Structure]], header: str, mirror: str) -> str:
    """The same for these structs, by the names that they have in *header*; *mirror* is their module here."""
    message = f'"{header} and {mirror} differ"'
    lines = (line for name, struct in structs.items() for line in _struct_assertions(name, struct, message))
    return "\n".join(lines) + "\n"


def _struct_assertions(name: str, struct: type[ctypes.Structure], message: str) -> list[str]:
    fields = {field[0]: getattr(struct, field[0]) for field in struct._fields_}
    return [
        f"_Static_assert(sizeof(struct {name}) == {ctypes.sizeof(struct)}, {message});",
        *(
            f"_Static_assert(__builtin_offsetof(struct {name}, {field}) == {place.offset}, {message});"
            for field, place in fields.items()
        ),
    ]
