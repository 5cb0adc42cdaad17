"""The end of a pool on a machine of more CPUs than this one has: its slots are made up, the fold is the kernel's."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from operator import add
from typing import Any

import pytest

from ppobserve.kernel import bpf
from ppobserve.model.features import Features
from ppobserve.model.plan import Level
from ppobserve.probe import abi, program_text
from ppobserve.probe import attach as attaching
from ppobserve.probe.attach import Attached, attach, load
from ppobserve.probe.fill import REST_GROUP
from ppobserve.probe.hook_code import on_demand
from ppobserve.probe.tables import MappedTables

MAP_GET_FD_BY_ID, MAP_LOOKUP_AND_DELETE_ELEM = 14, 21
INFO_BYTES, MAP_IDS, VERIFIED = 232, 52, 216  # struct bpf_prog_info
NAME, NAME_BYTES = 24, 16  # struct bpf_map_info
POOL, *NEIGHBOURS = (0xDEAD_0000_0000_0000 + 4096 * number for number in (1, 2, 3))
ITS_ID = 7  # another one than memory that can't be read has
SPARE = 5
REST_SLOT = 1
COUNTERS = ("batch_pages", "slow", "held", "nid_updates", "alloc_cache", "frag_reuse")
HOW = BY_EVENT, BY_READ = "pool_released", "sample_pool"
FOLD = "fold_further"


class Machine:
    """Attached programs for some number of CPUs, whose maps this test fills."""

    def __init__(self, attached: Attached) -> None:
        self.attached, self.sizes = attached, attached.tables
        self.fds = dict(maps(attached.program(FOLD)) | maps(attached.program(BY_EVENT)))
        self._type = abi.slot_type(self.sizes.nodes)
        size = ctypes.sizeof(self._type)
        self._slots = mmap.mmap(self.fds["slots"], -(-size * self.sizes.all_slots // mmap.PAGESIZE) * mmap.PAGESIZE)

    def slot(self, index: int) -> ctypes.Structure:
        """A slot in its map."""
        return self._type.from_buffer(self._slots, index * ctypes.sizeof(self._type))

    def pop(self, stack: str) -> int:
        """Take one from a stack of free ones."""
        value = ctypes.c_uint32()
        attr = struct.pack("<IIQQ", self.fds[stack], 0, 0, ctypes.addressof(value))
        bpf.bpf(MAP_LOOKUP_AND_DELETE_ELEM, attr, "cannot pop")
        return value.value

    def make_pool(self, owner: int, cpus: Iterable[int]) -> int:
        """Enter a pool with a slot on each of *cpus*, which has counted what is made up. Return its entry."""
        entry = self.pop("free_pools")
        pool = abi.Pool(owner=owner, id=ITS_ID, seen_ns=1)
        bpf.update(self.fds["pools"], u32(entry), bytes(pool))
        bpf.update(self.fds["entries"], struct.pack("=Q", owner), u32(entry))
        for cpu in cpus:
            index = self.pop("free_slots")
            slot = self.slot(index)
            slot.owner, slot.entry, slot.cpu = owner, entry, cpu
            for place, name in enumerate(COUNTERS):
                setattr(slot, name, made_up(cpu, place))
            slot.mismatch[len(slot.mismatch) - 1] = made_up(cpu, len(COUNTERS))
            bpf.update(self.fds["slot_index"], u32(entry * self.sizes.cells + cpu), u32(index))
        return entry

    def counted(self, index: int) -> list[int]:
        """What a slot has counted."""
        slot = self.slot(index)
        return [*(getattr(slot, name) for name in COUNTERS), slot.mismatch[len(slot.mismatch) - 1]]

    def end(self, how: str, owner: int, entry: int) -> float:
        """End a pool; seconds that it took."""
        context = [owner, 0] if how == BY_EVENT else [entry]
        begin = time.perf_counter()
        bpf.test_run(self.attached.program(how), context=bpf.u64s(context))
        return time.perf_counter() - begin

    def free_slots(self) -> list[int]:
        """Take all that are left."""
        found = []
        with suppress(bpf.BpfError):
            while True:
                found.append(self.pop("free_slots"))
        return found


def load_only(request: Mapping[str, Any], seconds: float) -> dict[str, int]:
    """Ask the loader for tables that user space may write."""
    only = {"freeze": [], "attach": [], "load": [*request["load"], on_demand(BY_EVENT)]}
    return load({**request, **only}, seconds)


def made_up(cpu: int, place: int) -> int:
    return (cpu + 1) * (place + 2)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def maps(program: int) -> dict[str, int]:
    """Descriptors of the maps that a program uses, by name."""
    ids = (ctypes.c_uint32 * 64)()
    info = ctypes.create_string_buffer(INFO_BYTES)
    struct.pack_into("=IQ", info, MAP_IDS, len(ids), ctypes.addressof(ids))
    ask(program, info)
    (count,) = struct.unpack_from("=I", info, MAP_IDS)
    return dict(map(opened, ids[:count]))


def opened(number: int) -> tuple[str, int]:
    fd = bpf.bpf(MAP_GET_FD_BY_ID, struct.pack("<I", number), "cannot open a map")
    info = ctypes.create_string_buffer(INFO_BYTES)
    ask(fd, info)
    return info.raw[NAME : NAME + NAME_BYTES].rstrip(b"\0").decode(), fd


def ask(fd: int, info: ctypes.Array[ctypes.c_char]) -> None:
    attr = struct.pack("<IIQ", fd, INFO_BYTES, ctypes.addressof(info))
    bpf.bpf(bpf.OBJ_GET_INFO_BY_FD, attr, "cannot ask the kernel of a descriptor")


def verified(attached: Attached, program: str = FOLD) -> int:
    """Instructions of a program that the verifier walked.

    0 before kernel commit aba64c7da983 ("bpf: Add verified_insns to bpf_prog_info and fdinfo", 5.16).
    """
    info = ctypes.create_string_buffer(INFO_BYTES)
    ask(attached.program(program), info)
    return int(struct.unpack_from("=I", info, VERIFIED)[0])


SIZES = (
    (2, 2),
    pytest.param((33, 2), marks=pytest.mark.host),
    pytest.param((360, 16), marks=pytest.mark.host),
    (8192, 16),
)
"""CPUs and nodes. Guests are asked the least and the most."""


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]} CPUs")
def machine(features: Features, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """What a read and the end of a pool need, loaded and not attached: the tables are this test's alone."""
    monkeypatch.setattr(attaching, "load", load_only)
    cpus, nodes = request.param
    sizes = replace(program_text.tables(features), cpus=cpus, nodes=nodes, pools=3, groups=2, slots=cpus + SPARE)
    with attach(features, Level.LEAN, tables=sizes) as attached:
        machine = Machine(attached)
        yield machine
        for fd in machine.fds.values():
            os.close(fd)


def summed(cpus: Iterable[int]) -> list[int]:
    """What a pool with a slot on each of *cpus* has counted."""
    return [sum(made_up(cpu, place) for cpu in cpus) for place in range(len(COUNTERS) + 1)]


def test_every_count_of_every_cpu_is_in_the_group_and_every_slot_is_free(
    machine: Machine, figure: Callable[..., None]
) -> None:
    """The neighbours in the table are not touched until they end themselves."""
    cpus = range(machine.sizes.cpus)
    expected = [0] * (len(COUNTERS) + 1)
    pools = [(NEIGHBOURS[0], {0, cpus[-1]}), (POOL, cpus), (NEIGHBOURS[1], {0, cpus[-1]})]
    entries = [machine.make_pool(owner, used) for owner, used in pools]
    for how in HOW:
        for entry, (owner, used) in [(entries[1], pools[1]), (entries[0], pools[0]), (entries[2], pools[2])]:
            seconds = machine.end(how, owner, entry)
            expected = list(map(add, expected, summed(used)))
            assert machine.counted(REST_SLOT) == expected
            if how == BY_EVENT and owner != NEIGHBOURS[0]:
                figure(f"end of a pool with a slot on {len(used)} of {len(cpus)} CPUs", 1000 * seconds, "ms")
        entries = [machine.make_pool(owner, used) for owner, used in pools] if how != HOW[-1] else []
    assert [raw.owner for _, raw in MappedTables(machine.attached).copy().entries()] == [REST_GROUP]
    assert sorted(machine.free_slots()) == list(range(3, 3 + machine.sizes.slots))
    figure(f"instructions verified for a fold on {len(cpus)} CPUs", verified(machine.attached), "")
