"""Memory that this process has, and memory that its maps have in the kernel."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

SELF = Path("/proc/self")
_M_ARENA_MAX = -8


def share_one_heap() -> None:
    """Have all threads take memory from one heap, before the first of them starts. They take turns anyway, and with
    several heaps the daemon would grow for thousands of scrapes.

    mallopt(3) and its M_ARENA_MAX are glibc's; another C library has one heap anyway.
    """
    if option := getattr(ctypes.CDLL(None), "mallopt", None):
        option(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Give the kernel what is free in the heap: looking at a kernel takes 8 MiB that are not needed again. What is left
    is there to stay, and no garbage collection needs to look at it.

    malloc_trim(3) is glibc's; another C library keeps less anyway.
    """
    gc.collect()
    gc.freeze()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(ctypes.c_size_t(0))


def locked_bytes(map_fd: int, process: Path = SELF) -> int:
    """What a map takes in the kernel, as it says itself in fdinfo; before 6.4 only the size of keys and values (kernel
    commit 90a5527d7686, "bpf: add new map ops ->map_mem_usage").
    """
    lines = (process / "fdinfo" / str(map_fd)).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("memlock:"))
