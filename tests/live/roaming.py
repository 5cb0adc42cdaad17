"""An XDP program that drops frames, and knows how often the CPU was another one than before."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ppobserve.kernel.bpf import create_array, look_up
from ppobserve.kernel.programs import TYPE_XDP, instruction, load, returning
from ppobserve.lab.frames import XDP_DROP

LOOK_UP, CPU = 1, 8  # helpers, include/uapi/linux/bpf.h
MAP_FD = 1  # BPF_PSEUDO_MAP_FD
LAST, MOVES = 0, 8  # what the map holds: the CPU of the last frame plus one, and how often it changed


@contextmanager
def roaming() -> Iterator[tuple[int, Callable[[], int]]]:
    """The program, and the number of its moves so far. It is for one sender: it counts without atomics."""
    seen = create_array(16)
    try:
        program = load(TYPE_XDP, _code(seen), "ppobserve_roam")
        try:
            yield program, lambda: max(struct.unpack("=QQ", look_up(seen, 16))[1] - 1, 0)
        finally:
            os.close(program)
    finally:
        os.close(seen)


def _code(seen: int) -> bytes:
    return b"".join(
        [
            instruction(0x85, imm=CPU),
            instruction(0xBF, 6, 0),  # r6 = r0
            instruction(0x07, 6, imm=1),  # r6 += 1
            instruction(0x62, 10, off=-4),  # *(u32 *)(r10 - 4) = 0, the key
            instruction(0xBF, 2, 10),
            instruction(0x07, 2, imm=-4),
            instruction(0x18, 1, MAP_FD, imm=seen),
            instruction(0),
            instruction(0x85, imm=LOOK_UP),
            instruction(0x15, 0, off=6),  # no such element
            instruction(0x79, 1, 0, off=LAST),
            instruction(0x1D, 1, 6, off=4),  # the CPU of the frame before
            instruction(0x7B, 0, 6, off=LAST),
            instruction(0x79, 1, 0, off=MOVES),
            instruction(0x07, 1, imm=1),
            instruction(0x7B, 0, 1, off=MOVES),
            returning(XDP_DROP),
        ]
    )
