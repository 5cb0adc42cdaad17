"""What the kernel holds for one process, its BPF programs and maps by id: those of others come and go meanwhile."""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress
from pathlib import Path

from ppobserve.kernel import bpf
from tests.live.conftest import eventually

PROC = Path("/proc")
GONE_SECONDS = 60.0
"""The kernel frees a program after every CPU has passed a quiet moment."""
INFO_BYTES, MAP_IDS = 64, 52  # struct bpf_prog_info up to map_ids, and where nr_map_ids is
MOST_MAPS = 64


def programs_of(pid: int | str = "self") -> set[int]:
    """The programs that a process and its descendants have descriptors of, or links to (proc(5), fdinfo)."""
    found = _numbers(str(pid), "prog_id")
    return found.union(*(programs_of(child) for child in children(pid)))


def children(pid: int | str) -> list[int]:
    """The processes that a process has started, and that have not ended."""
    with suppress(OSError):
        texts = [path.read_text() for path in (PROC / str(pid) / "task").glob("*/children")]
        return [int(child) for text in texts for child in text.split()]
    return []


def maps_of_this_process() -> set[int]:
    """The maps that this process has descriptors of, and those of its programs."""
    return _numbers("self", "map_id").union(*(_maps_of_program(number) for number in _numbers("self", "prog_id")))


def gone(programs: set[int], seconds: float = GONE_SECONDS) -> bool:
    """Have these programs left the kernel? It never gives a number again before it has given all others."""
    return eventually(lambda: not programs & bpf.program_ids(), seconds)


def left_since(before: set[int], seconds: float = GONE_SECONDS) -> set[int]:
    """Programs that are new since *before* and that no process holds: those that an ended process left behind.

    At any moment there may be some that others are about to be handed, or that the kernel is about to free.
    """
    left = bpf.program_ids() - before

    def nothing() -> bool:
        nonlocal left
        held = [_numbers(path.name, "prog_id") for path in PROC.glob("[0-9]*")] if left else []
        left &= bpf.program_ids() - set().union(*held)
        return not left

    eventually(nothing, seconds)
    return left


def _numbers(pid: str, name: str) -> set[int]:
    """The numbers of this name in the descriptions of a process's descriptors. Empty if it has ended."""
    found = set()
    with suppress(OSError):
        for path in (PROC / pid / "fdinfo").iterdir():
            with suppress(OSError):
                lines = path.read_text().splitlines()
                found |= {int(line.split()[1]) for line in lines if line.startswith(f"{name}:")}
    return found


def _maps_of_program(number: int) -> set[int]:
    """The maps of a program, also those without a descriptor."""
    try:
        fd = bpf.bpf(bpf.PROG_GET_FD_BY_ID, struct.pack("<I", number), "cannot open a program")
    except bpf.BpfError:
        return set()
    ids = (ctypes.c_uint32 * MOST_MAPS)()
    info = ctypes.create_string_buffer(struct.pack("<52xIQ", MOST_MAPS, ctypes.addressof(ids)))
    try:
        attr = struct.pack("<IIQ", fd, INFO_BYTES, ctypes.addressof(info))
        bpf.bpf(bpf.OBJ_GET_INFO_BY_FD, attr, "cannot ask a program")
    finally:
        os.close(fd)
    return set(ids[: struct.unpack_from("<I", info, MAP_IDS)[0]])
