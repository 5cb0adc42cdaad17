"""The running kernel's machine code, read through a BPF program: no /proc/kcore, no vmlinux, and lockdown's mode
``integrity`` allows it. It tells whether a function calls another one, or has it inlined.
"""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Iterator

from ppobserve.kernel import bpf, programs

BYTES = 1024
"""The most that is read of one function."""

_LOOKUP, _PROBE_READ_KERNEL = 1, 113  # helpers: bpf_map_lookup_elem, bpf_probe_read_kernel


def read(address: int, size: int) -> bytes:
    """*size* bytes of kernel text, ``BYTES`` at the most. BpfError when the kernel refuses; needs root."""
    holder = bpf.create_array(value_bytes=BYTES)
    try:
        program = programs.load(programs.TYPE_RAW_TRACEPOINT, _copy_to(holder), "peek")
        try:
            bpf.test_run(program, context=bpf.u64s([address]))
        finally:
            os.close(program)
        return bpf.look_up(holder, BYTES)[:size]
    finally:
        os.close(holder)


def _copy_to(holder: int) -> bytes:
    """A program that copies ``BYTES`` from the address in its first argument into the one element of a map."""
    i = programs.instruction
    return b"".join(
        (
            i(0x79, 6, 1),  # r6 = args[0]
            i(0x62, 10, 0, -4, 0),  # the key on the stack: 0
            i(0x18, 1, 1, 0, holder),  # r1 = map, two instructions long
            i(0x00),
            i(0xBF, 2, 10),
            i(0x07, 2, imm=-4),  # r2 = &key
            i(0x85, imm=_LOOKUP),
            i(0x15, 0, 0, 4, 0),  # no element: to the end
            i(0xBF, 1, 0),
            i(0xB7, 2, imm=BYTES),
            i(0xBF, 3, 6),
            i(0x85, imm=_PROBE_READ_KERNEL),
            programs.returning(0),
        )
    )


def branches_to(start: int, end: int, target: int) -> bool:
    """Does the function at *start* (up to *end*, ``BYTES`` at the most) call or jump to *target*?

    BpfError when the kernel lets nobody read it. Never, as far as we know, on a machine whose code is not known here.
    """
    return target in branches(read(start, min(end - start, BYTES)), start)


def branches(code: bytes, address: int, machine: str = platform.machine()) -> Iterator[int]:
    """Where the relative branches of *code*, which stands at *address*, go to: that is how compilers call."""
    found = {"x86_64": _x86_branches, "aarch64": _arm_branches}.get(machine)
    return found(code, address) if found else iter(())


def _x86_branches(code: bytes, address: int) -> Iterator[int]:
    """Every place that may be a call or jump with a 32-bit displacement. The middle of an instruction may look like
    one, but hardly like one to a given function."""
    for at in range(len(code) - 4):
        if code[at] in (0xE8, 0xE9):
            yield address + at + 5 + int(struct.unpack_from("<i", code, at + 1)[0])


def _arm_branches(code: bytes, address: int) -> Iterator[int]:
    """B and BL: 26 bits of words, signed."""
    for at in range(0, len(code) - 3, 4):
        (word,) = struct.unpack_from("<I", code, at)
        if word >> 26 in (0b000101, 0b100101):
            words = (word & 0x3FFFFFF) - (1 << 26 if word & 1 << 25 else 0)
            yield address + at + 4 * words
