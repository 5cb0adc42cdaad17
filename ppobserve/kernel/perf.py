"""perf_event_open(2), as far as it says whether this kernel lets a kprobe in."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from pathlib import Path

KPROBE_PMU = Path("/sys/bus/event_source/devices/kprobe/type")
SYS_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "ppc64le": 319, "s390x": 331}
_ATTR_BYTES = 112
_libc = ctypes.CDLL(None, use_errno=True)


def open_kprobe(function: str, pmu: Path = KPROBE_PMU) -> int:
    """An fd of a kprobe on *function*'s entry; closing it takes the probe away. OSError says why not."""
    kind = int(pmu.read_text())
    name = ctypes.create_string_buffer(function.encode())
    attr = bytearray(_ATTR_BYTES)
    struct.pack_into("<II", attr, 0, kind, _ATTR_BYTES)
    struct.pack_into("<Q", attr, 56, ctypes.addressof(name))  # config1: the function's name; config2: the offset, 0
    buffer = ctypes.create_string_buffer(bytes(attr), _ATTR_BYTES)
    number = SYS_PERF_EVENT_OPEN.get(platform.machine(), 241)
    fd = int(_libc.syscall(number, buffer, -1, 0, -1, 8))  # any process, CPU 0, no group, close on exec
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd
