"""Records out of the buffers that BPF programs write: the ring buffer, and perf's where there is none. Mapped memory:
nothing is copied by the kernel, and no system call is made.

Source: the kernel's kernel/bpf/ringbuf.c and Documentation/bpf/ringbuf.rst; include/uapi/linux/perf_event.h. Counters
are read before what they count, and an x86-64 keeps that order. Machines that don't are only held to it by what the
interpreter does between two reads.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from typing import Protocol

PAGE = mmap.PAGESIZE
_U64 = struct.Struct("=Q")

# Of struct bpf_ringbuf_hdr: 32 bits of length with two flags, 32 bits that only the kernel needs.
_BUSY, _DISCARD, _LENGTH, _HEADER_BYTES = 1 << 31, 1 << 30, (1 << 30) - 1, 8

# Of struct perf_event_mmap_page; of struct perf_event_header: type, misc, size; of a raw sample: its length.
_HEAD, _TAIL = 1024, 1032
_PERF_HEADER = struct.Struct("=IHH")
_SAMPLE, _RAW_BYTES = 9, 4


class Memory(Protocol):
    """Bytes that others write: a map, or a test's bytearray."""

    def __getitem__(self, place: slice) -> bytes | bytearray: ...
    def __setitem__(self, place: slice, value: bytes) -> None: ...
    def __len__(self) -> int: ...


class RingBuffer:
    """One ring for all CPUs: positions of consumer and producer, and the data, mapped twice in a row."""

    def __init__(self, consumer: Memory, producer: Memory) -> None:
        """*consumer* is the page that only we write; *producer* its own page and twice the data."""
        self._consumer, self._producer = consumer, producer
        self._mask = (len(producer) - PAGE) // 2 - 1
        self._at = _word(consumer, 0)

    @classmethod
    def mapped(cls, fd: int, size: int) -> RingBuffer:
        """The ring of a BPF map whose data takes *size* bytes, a power of two."""
        consumer = mmap.mmap(fd, PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        return cls(consumer, mmap.mmap(fd, PAGE + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=PAGE))

    def records(self) -> Iterator[bytes]:
        """What is there now, oldest first, up to the first that is still being written. The room is given back at the
        end, or where the caller stops."""
        end = _word(self._producer, 0)
        try:
            while self._at < end:
                place = PAGE + (self._at & self._mask)
                (length,) = struct.unpack("=I", self._producer[place : place + 4])
                if length & _BUSY:
                    return
                start, size = place + _HEADER_BYTES, length & _LENGTH
                self._at += _HEADER_BYTES + size + -size % 8
                if not length & _DISCARD:
                    yield bytes(self._producer[start : start + size])
        finally:
            self._consumer[0:8] = _U64.pack(self._at)


class PerfBuffer:
    """One CPU's buffer: a page of positions, then the data, a power of two."""

    def __init__(self, memory: Memory) -> None:
        self._memory, self._size = memory, len(memory) - PAGE
        self._at = _word(memory, _TAIL)

    @classmethod
    def mapped(cls, fd: int, size: int) -> PerfBuffer:
        """The buffer of a perf event, with *size* bytes of data."""
        return cls(mmap.mmap(fd, PAGE + size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE))

    def records(self) -> Iterator[bytes]:
        """What is there now, oldest first. Samples only: what is lost the kernel side counts itself."""
        end = _word(self._memory, _HEAD)
        try:
            while self._at < end:
                kind, _, size = _PERF_HEADER.unpack(self._bytes(self._at, _PERF_HEADER.size))
                body = self._bytes(self._at + _PERF_HEADER.size, size - _PERF_HEADER.size)
                self._at += size
                if kind == _SAMPLE:
                    yield body[_RAW_BYTES:]
        finally:
            self._memory[_TAIL : _TAIL + 8] = _U64.pack(self._at)

    def _bytes(self, at: int, size: int) -> bytes:
        """From a position on, around the end of the data if need be."""
        start = at % self._size
        first = bytes(self._memory[PAGE + start : PAGE + min(start + size, self._size)])
        return first + bytes(self._memory[PAGE : PAGE + size - len(first)])


def _word(memory: Memory, at: int) -> int:
    return int(_U64.unpack(memory[at : at + 8])[0])
