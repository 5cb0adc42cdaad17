"""perf_event_open(2), as far as it says whether this kernel lets a kprobe in, and takes what BPF programs send."""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import struct
from pathlib import Path

from ppobserve.kernel import numa
from ppobserve.kernel.bpf import BpfError
from ppobserve.kernel.programs import attach_perf

KPROBE_PMU = Path("/sys/bus/event_source/devices/kprobe/type")
SYS_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "ppc64le": 319, "s390x": 331}
SET_BPF = {"ppc64le": 0x80042408}.get(platform.machine(), 0x40042408)  # PERF_EVENT_IOC_SET_BPF
_ATTR_BYTES = 112
_CLOEXEC = 8
# perf_event.h: PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, and the flag watermark.
_TYPE_SOFTWARE, _BPF_OUTPUT, _SAMPLE_RAW, _WATERMARK = 1, 10, 1 << 10, 1 << 14
_libc = ctypes.CDLL(None, use_errno=True)


def open_kprobe(function: str, pmu: Path = KPROBE_PMU, *, at_return: bool = False, cpus: Path = numa.CPUS) -> int:
    """An fd of a kprobe on *function*, at its entry or return; closing it takes the probe away. OSError: why not.

    Its programs run on every CPU. The event itself needs one, which must be online.
    """
    kind = int(pmu.read_text())
    name = ctypes.create_string_buffer(function.encode())
    attr = bytearray(_ATTR_BYTES)
    struct.pack_into("<IIQ", attr, 0, kind, _ATTR_BYTES, at_return)  # config: PERF_PROBE_CONFIG_IS_RETPROBE
    struct.pack_into("<Q", attr, 56, ctypes.addressof(name))  # config1: the function's name; config2: the offset, 0
    return _open(attr, numa.online_cpus(cpus)[0])


def run_at(event: int, program: int) -> int:
    """Have a BPF program run at a perf event, whose fd it takes; returns the fd that keeps it there. OSError: why not.

    A link, which knows how often its probe was skipped; before kernel commit b89fbfbb854c ("bpf: Implement minimal BPF
    perf link", 5.15) the event itself.
    """
    try:
        link = attach_perf(program, event)
    except BpfError:
        fcntl.ioctl(event, SET_BPF, program)
        return event
    os.close(event)
    return link


def open_bpf_output(cpu: int, wakeup_bytes: int) -> int:
    """An fd of what BPF programs send on one CPU (bpf_perf_event_output), as raw samples.

    Whoever polls is woken when *wakeup_bytes* are there. OSError says why not.
    """
    attr = bytearray(_ATTR_BYTES)
    struct.pack_into("<IIQQQ", attr, 0, _TYPE_SOFTWARE, _ATTR_BYTES, _BPF_OUTPUT, 1, _SAMPLE_RAW)
    struct.pack_into("<QI", attr, 40, _WATERMARK, wakeup_bytes)
    return _open(attr, cpu)


def _open(attr: bytearray, cpu: int) -> int:
    """Any process, one CPU, no group, close on exec."""
    buffer = ctypes.create_string_buffer(bytes(attr), _ATTR_BYTES)
    number = SYS_PERF_EVENT_OPEN.get(platform.machine(), 241)
    fd = int(_libc.syscall(number, buffer, -1, cpu, -1, _CLOEXEC))
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd
