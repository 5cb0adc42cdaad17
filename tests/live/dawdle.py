"""An XDP program that takes its time for a frame, so that a move between two refills can be met."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ppobserve.kernel.programs import TYPE_XDP, instruction, load, returning
from ppobserve.lab.frames import XDP_DROP

NUMBERS, GET_PRANDOM_U32 = 2000, 7  # include/uapi/linux/bpf.h


@contextmanager
def dawdling() -> Iterator[int]:
    """The loaded program; the verifier walks its loop NUMBERS times."""
    program = load(TYPE_XDP, asking_for_numbers(), "dawdle")
    try:
        yield program
    finally:
        os.close(program)


def asking_for_numbers() -> bytes:
    """Ask for many random numbers, and drop the frame."""
    start = instruction(0xB7, 6, imm=NUMBERS)  # r6 = NUMBERS
    loop = instruction(0x85, imm=GET_PRANDOM_U32) + instruction(0x17, 6, imm=1) + instruction(0x55, 6, off=-3)
    return start + loop + returning(XDP_DROP)
