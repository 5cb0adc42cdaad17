"""What `check` says of kernel memory is what the attached maps take."""

from __future__ import annotations

import os
import struct

from ppobserve.kernel import bpf, memory
from ppobserve.model.features import Features
from ppobserve.model.plan import Level
from ppobserve.probe import program_text
from ppobserve.probe.attach import attach
from ppobserve.probe.maps import memory_of
from tests.live.owned import maps_of_this_process

MAP_GET_FD_BY_ID = 14
A_CPU = 1 << 14
"""More than what the maps with a small value a CPU take."""


def bytes_of(number: int) -> int:
    """What a map takes."""
    fd = bpf.bpf(MAP_GET_FD_BY_ID, struct.pack("<I", number), "cannot open a map")
    try:
        return memory.locked_bytes(fd)
    finally:
        os.close(fd)


def test_maps_take_what_check_says(features: Features) -> None:
    told = memory_of(program_text.tables(features))
    before = maps_of_this_process()
    with attach(features, Level.LEAN):
        ours = [bytes_of(number) for number in maps_of_this_process() - before]
    assert sum(told.values()) <= sum(ours) <= sum(told.values()) + A_CPU
    assert sorted(told.values())[-3:] == sorted(ours)[-3:]
