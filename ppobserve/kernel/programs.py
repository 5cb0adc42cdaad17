"""BPF programs: written by hand or by a compiler, loaded and attached by bpf(2) itself.

Nothing here depends on how a compiler's library names or loads programs. Source: the kernel's
include/uapi/linux/bpf.h and Documentation/bpf/.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from typing import NamedTuple

from ppobserve.kernel.bpf import LINK_CREATE, PROG_LOAD, RAW_TRACEPOINT_OPEN, BpfError, bpf

TYPE_KPROBE, TYPE_XDP, TYPE_RAW_TRACEPOINT, TYPE_TRACING = 2, 6, 17, 26
ATTACH_FENTRY, ATTACH_FEXIT, ATTACH_XDP, ATTACH_PERF_EVENT = 24, 25, 37, 41
XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE = 2, 4
XDP_HAS_FRAGS = 32

_NAME_BYTES = 15  # BPF_OBJ_NAME_LEN, less the end
_LOG_BYTES = (1 << 18, 1 << 24)
_LOAD_TRIES = 5
_REDIRECT = 23  # helper bpf_redirect
_LICENSE = ctypes.create_string_buffer(b"GPL")


def instruction(code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    """One ``struct bpf_insn``: opcode, registers, offset and immediate."""
    return struct.pack("<BBhi", code, dst | src << 4, off, imm)


def returning(value: int) -> bytes:
    """The smallest program there is: ``r0 = value; exit``."""
    return instruction(0xB7, imm=value) + instruction(0x95)


def redirecting(ifindex: int) -> bytes:
    """An XDP program that sends every frame out of a device: ``return bpf_redirect(ifindex, 0)``."""
    arguments = instruction(0xB7, 1, imm=ifindex) + instruction(0xB7, 2)
    return arguments + instruction(0x85, imm=_REDIRECT) + instruction(0x95)


class _Program(NamedTuple):
    """What BPF_PROG_LOAD wants to know."""

    kind: int
    code: bytes
    name: str
    attach: int
    btf_id: int
    flags: int


def load(kind: int, code: bytes, name: str, *, attach: int = 0, btf_id: int = 0, flags: int = 0) -> int:
    """Load *code*, an array of struct bpf_insn, and return the program's fd.

    *attach* and *btf_id* (the function's, in the kernel's BTF) are the hook of a tracing program, *flags* are BPF_F_*.
    BpfError with the verifier's reason if the kernel refuses it.
    """
    program = _Program(kind, code, name, attach, btf_id, flags)
    try:
        return _load(program)
    except BpfError as error:
        return _load_with_log(program, error)


def _load_with_log(program: _Program, refusal: BpfError) -> int:
    """Load a refused program again, now with the verifier's log, which costs more than verifying."""
    for size in _LOG_BYTES:
        log = ctypes.create_string_buffer(size)
        try:
            return _load(program, log)
        except BpfError as error:
            if error.errno != errno.ENOSPC:  # the log did not fit
                break
    raise BpfError(_refused(program), refusal.errno or 0, log.value.decode(errors="replace"))


def _refused(program: _Program) -> str:
    return f"cannot load BPF program {program.name}"


def _load(program: _Program, log: ctypes.Array[ctypes.c_char] | None = None) -> int:
    text = ctypes.create_string_buffer(program.code, len(program.code))
    attr = struct.pack(
        "<IIQQIIQII16sII",
        program.kind,
        len(program.code) // 8,
        ctypes.addressof(text),
        ctypes.addressof(_LICENSE),
        int(log is not None),
        len(log) if log is not None else 0,
        ctypes.addressof(log) if log is not None else 0,
        0,
        program.flags,
        program.name.encode()[:_NAME_BYTES],
        0,
        program.attach,
    )
    attr = attr.ljust(108, b"\0") + struct.pack("<I", program.btf_id)  # attach_btf_id, after func_info and line_info
    return _patiently(attr, _refused(program))


def _patiently(attr: bytes, what: str) -> int:
    """PROG_LOAD, again where a signal stopped the verifier, as libbpf does (EAGAIN since c3494801cd17, 5.0)."""
    for _ in range(_LOAD_TRIES - 1):
        try:
            return bpf(PROG_LOAD, attr, what)
        except BpfError as error:
            if error.errno != errno.EAGAIN:
                raise
    return bpf(PROG_LOAD, attr, what)


def attach_tracing(program: int) -> int:
    """Attach a loaded fentry or fexit program to its function; returns the link's fd."""
    return bpf(RAW_TRACEPOINT_OPEN, struct.pack("<QI", 0, program), "cannot attach the tracing program")


def attach_raw_tracepoint(program: int, tracepoint: str) -> int:
    """Attach a loaded program to a tracepoint, which takes any number of them; returns the link's fd."""
    name = ctypes.create_string_buffer(tracepoint.encode())
    attr = struct.pack("<QI", ctypes.addressof(name), program)
    return bpf(RAW_TRACEPOINT_OPEN, attr, f"cannot attach to tracepoint {tracepoint}")


def attach_xdp(program: int, ifindex: int, mode: int = XDP_FLAGS_DRV_MODE) -> int:
    """Attach an XDP program, in native mode or another; returns the link's fd, which detaches when it is closed.

    Needs BPF_LINK_CREATE for XDP, kernel commit aa8d3a716b59 ("bpf, xdp: Add bpf_link-based XDP attachment API", 5.9).
    """
    attr = struct.pack("<IIII", program, ifindex, ATTACH_XDP, mode)
    return bpf(LINK_CREATE, attr, f"cannot attach XDP to interface {ifindex}")


def attach_perf(program: int, event: int) -> int:
    """Attach a program to a perf event, such as a kprobe; returns the link's fd, which keeps the event.

    BpfError before kernel commit b89fbfbb854c ("bpf: Implement minimal BPF perf link", 5.15).
    """
    return bpf(LINK_CREATE, struct.pack("<IIII", program, event, ATTACH_PERF_EVENT, 0), "cannot attach to a perf event")
