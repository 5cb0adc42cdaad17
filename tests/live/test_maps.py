"""What `check` says of kernel memory is what the attached maps take."""

from __future__ import annotations

import os
import struct

from ppobserve.kernel import bpf, memory
from ppobserve.model.features import Features
from ppobserve.model.plan import Level
from ppobserve.probe import source
from ppobserve.probe.attach import attach
from ppobserve.probe.maps import memory_of

MAP_GET_NEXT_ID, MAP_GET_FD_BY_ID = 12, 14
A_CPU = 1 << 14
"""More than what the maps with a small value a CPU take."""


def maps() -> dict[int, int]:
    """Every map of this host by id, and what it takes. Others' may come and go meanwhile."""
    found, last = dict[int, int](), 0
    while last := _next(last):
        try:
            fd = bpf.bpf(MAP_GET_FD_BY_ID, struct.pack("<I", last), "cannot open a map")
        except bpf.BpfError:
            continue
        found[last] = memory.locked_bytes(fd)
        os.close(fd)
    return found


def _next(last: int) -> int:
    attr = bpf.ctypes.create_string_buffer(struct.pack("<II", last, 0), 144)
    failed = bpf._libc.syscall(bpf.SYS_BPF, MAP_GET_NEXT_ID, attr, 144) < 0
    return 0 if failed else int(struct.unpack_from("<I", attr, 4)[0])


def test_maps_take_what_check_says(features: Features) -> None:
    told = memory_of(source.tables(features))
    before = maps()
    with attach(features, Level.LEAN):
        ours = {number: size for number, size in maps().items() if number not in before}
    assert sum(told.values()) <= sum(ours.values()) <= sum(told.values()) + A_CPU
    assert sorted(told.values())[-3:] == sorted(ours.values())[-3:]
