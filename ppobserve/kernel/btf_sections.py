"""A BTF blob taken apart: its sections, and where each type begins. All of it is understood, or none of it is used.

Format: the kernel's include/uapi/linux/btf.h. A kind that is not listed here is measured by the blob's own layout
section, kernel commit 222edc843c15 ("btf: Add BTF kind layout encoding to UAPI", 7.1). Without one it has no known
length, and every type behind it would be misread.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass

from ppobserve.errors import KernelFactError

MAGIC, VERSION = 0xEB9F, 1
_HEADER, _HEADER_WITH_LAYOUT = 24, 32

Size = tuple[int, int]
"""Words behind the three of ``struct btf_type``: for the type, and for each of its entries."""

_READ: Mapping[int, Size] = {
    3: (3, 0),  # array
    4: (0, 3),  # struct
    5: (0, 3),  # union
    6: (0, 2),  # enum
    **dict.fromkeys((8, 9, 10, 11, 12, 18), (0, 0)),  # typedef, volatile, const, restrict, function, type tag
    13: (0, 2),  # function prototype
}
"""Kinds whose contents ``kernel.btf`` reads."""
_SKIPPED: Mapping[int, Size] = {
    1: (1, 0),  # integer
    **dict.fromkeys((2, 7, 16), (0, 0)),  # pointer, forward, float
    14: (1, 0),  # variable
    15: (0, 3),  # section
    17: (1, 0),  # declaration tag
    19: (0, 3),  # enum64
    20: (1, 1),  # location parameter
    21: (0, 1),  # location prototype
    22: (0, 3),  # location section
}
"""Kinds that are passed over. A layout section takes precedence."""


def kind(info: int) -> int:
    """The kind in a type's second word: 7 bits, of which kernels before 7.2 use 5 and leave the others 0."""
    return info >> 24 & 0x7F


def count(info: int) -> int:
    """The number of a type's entries: 24 bits, of which kernels before 7.2 use 16 and leave the others 0."""
    return info & 0xFFFFFF


def malformed(why: str) -> KernelFactError:
    """The error for a blob that contradicts itself."""
    return KernelFactError("the kernel's BTF is malformed", because=why)


def unknown(what: str) -> KernelFactError:
    """The error for a blob of a kernel that is newer than this reader."""
    return KernelFactError(f"cannot read the kernel's BTF: {what}", fix="a newer ppobserve")


@dataclass(frozen=True)
class Sections:
    """The parts of a blob."""

    types: array[int]
    """32-bit words."""
    strings: bytes
    layout: Mapping[int, Size]
    """The size of each kind, as the blob itself describes it; empty if it does not."""


def sections(blob: bytes) -> Sections:
    """Split a blob by its header. KernelFactError if it is truncated, or of another format."""
    if not blob:
        raise KernelFactError("the kernel's BTF is empty", because="a container may hide it behind /dev/null")
    if len(blob) < _HEADER or struct.unpack_from("<H", blob)[0] != MAGIC:
        raise KernelFactError("the kernel's BTF is not BTF of this machine's byte order")
    _, version, flags, header = struct.unpack_from("<HBBI", blob)
    if (version, flags) != (VERSION, 0):
        raise unknown(f"it is of version {version} with flags {flags:#x}, and ppobserve reads version {VERSION}")
    if header < _HEADER:
        raise malformed(f"a header of {header} bytes")
    types, strings = (_section(blob, header, at) for at in (8, 16))
    return Sections(_words(types), strings, _layout(blob, header))


def _section(blob: bytes, header: int, field: int) -> bytes:
    """The bytes that an offset and a length in the header name."""
    offset, length = struct.unpack_from("<2I", blob, field)
    if header + offset + length > len(blob):
        raise KernelFactError("the kernel's BTF is truncated", because=f"{len(blob)} bytes, header asks for more")
    return blob[header + offset : header + offset + length]


def _words(section: bytes) -> array[int]:
    if len(section) % 4:
        raise KernelFactError("the kernel's BTF is truncated", because=f"{len(section)} bytes of types")
    words = array("I")
    words.frombytes(section)
    return words


def _layout(blob: bytes, header: int) -> dict[int, Size]:
    """``struct btf_layout`` of each kind from 0: bytes of the type, bytes of an entry, flags without a meaning yet."""
    if header < _HEADER_WITH_LAYOUT:
        return {}
    section = _section(blob, header, _HEADER)
    if len(section) % 4:
        raise malformed(f"{len(section)} bytes of layout")
    sizes = [(each[0], each[1]) for each in struct.iter_unpack("<BBH", section)]
    if any(size % 4 for each in sizes for size in each):
        raise malformed("its layout has sizes that are not whole words")
    return {kind: (own // 4, entry // 4) for kind, (own, entry) in enumerate(sizes) if kind}


def _sizes(layout: Mapping[int, Size]) -> dict[int, Size]:
    """The size of every kind that can be measured."""
    for kind, size in _READ.items():
        if layout.get(kind, size) != size:
            raise unknown(f"its types of kind {kind} are laid out in a new way")
    return {**_SKIPPED, **layout, **_READ}


def type_starts(blob: Sections) -> array[int]:
    """Where each type begins, by id. The one loop over all 150,000 types, so it is written for speed."""
    words, sizes = blob.types, _sizes(blob.layout)
    starts, at, end = array("I", [0]), 0, len(words)
    append = starts.append
    try:
        while at + 3 <= end:
            append(at)
            info = words[at + 1]
            own, entry = sizes[info >> 24 & 0x7F]
            at += 3 + own + entry * (info & 0xFFFFFF)
    except KeyError as error:
        raise unknown(f"it has a type of kind {error}, and no layout of that kind") from None
    if at != end:
        raise malformed("a type reaches past the end of its section")
    return starts
