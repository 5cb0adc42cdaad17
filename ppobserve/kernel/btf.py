"""The kernel's own type information: member offsets, array lengths, functions, tracepoints.

A reader of our own, since pahole 1.24 and bpftool 7.1 fail on a 7.3 kernel. Format: the kernel's
Documentation/bpf/btf.rst and include/uapi/linux/btf.h.
"""

from __future__ import annotations

import functools
import struct
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

from ppobserve.errors import KernelFactError

VMLINUX = Path("/sys/kernel/btf/vmlinux")
MAGIC = 0xEB9F

ARRAY, STRUCT, UNION, ENUM, TYPEDEF, FUNC = 3, 4, 5, 6, 8, 12
# typedef, volatile, const, restrict, type tag: transparent on the way to a type
_MODIFIERS = frozenset({8, 9, 10, 11, 18})

# Words after the three of struct btf_type: a fixed number, or so many for each of vlen entries. Unlisted: none.
_FIXED_WORDS = {1: 1, ARRAY: 3, 14: 1, 17: 1}
_WORDS_PER_ENTRY = {STRUCT: 3, UNION: 3, ENUM: 2, 13: 2, 15: 3, 19: 3}

_MODIFIERS_AT_MOST = 64

_Asked = TypeVar("_Asked", bound=Callable[..., Any])


def _readable(ask: _Asked) -> _Asked:
    """Types that point past the end, or at themselves, and names that are none: all that a corrupt blob may hold."""

    @functools.wraps(ask)
    def asked(*args: Any) -> Any:
        try:
            return ask(*args)
        except (IndexError, ValueError, RecursionError) as error:
            raise KernelFactError("the kernel's BTF is malformed", because=str(error)) from None

    return cast(_Asked, asked)


class Btf:
    """One BTF blob. Types are found by name; ids count from 1, 0 is void."""

    def __init__(self, blob: bytes) -> None:
        self._words, self._strings = _sections(blob)
        self._starts = _type_starts(self._words)
        self._asked: set[str] = set()
        self._found: dict[tuple[int, str], int] = {}

    def name(self, offset: int) -> str:
        """The string at *offset* of the string section."""
        return self._strings[offset : self._strings.index(b"\0", offset)].decode()

    def find(self, name: str, kind: int) -> int:
        """The id of the type called *name*; LookupError when there is none."""
        self.look_up(frozenset({name}))
        if index := self._found.get((kind, name), 0):
            return index
        raise LookupError(name)

    def names(self, wanted: frozenset[str], kind: int) -> dict[str, int]:
        """Which of *wanted* exist with this *kind*, and their ids."""
        self.look_up(wanted)
        return {name: index for name in wanted if (index := self._found.get((kind, name), 0))}

    @_readable
    def look_up(self, wanted: frozenset[str]) -> None:
        """Find these names, of every kind, in one pass over all types: asking for many at once is asking once."""
        new = wanted - self._asked
        if not new:
            return
        self._asked |= new
        offsets = {offset: name for name in new for offset in self._string_offsets(name)}
        names = map(self._words.__getitem__, self._starts)  # of all 150,000 types, so without a loop of our own
        for index in [index for index, name in enumerate(names) if name in offsets and index]:
            at = self._starts[index]
            self._found.setdefault((self._words[at + 1] >> 24 & 0x1F, offsets[self._words[at]]), index)

    def _string_offsets(self, name: str) -> Iterator[int]:
        """Every place where the whole string stands; more than one in a blob that was not deduplicated."""
        needle, at = b"\0" + name.encode() + b"\0", -1
        while (at := self._strings.find(needle, at + 1)) >= 0:
            yield at + 1

    def _kind(self, index: int) -> int:
        return self._words[self._starts[index] + 1] >> 24 & 0x1F

    def _strip(self, index: int) -> int:
        for _ in range(_MODIFIERS_AT_MOST):
            if self._kind(index) not in _MODIFIERS:
                return index
            index = self._words[self._starts[index] + 2]
        raise ValueError("a type that is made of itself")

    def _member(self, index: int, field: str) -> tuple[int, int] | None:
        """Type id and byte offset of a member, also one of an anonymous struct or union inside."""
        at = self._starts[self._strip(index)]
        info = self._words[at + 1]
        for entry in range(at + 3, at + 3 + 3 * (info & 0xFFFF), 3):
            name, type_id, bits = self._words[entry : entry + 3]
            offset = (bits & 0xFFFFFF if info >> 31 else bits) // 8
            if not name:
                inner = self._member(type_id, field) if self._kind(self._strip(type_id)) in (STRUCT, UNION) else None
                if inner:
                    return inner[0], offset + inner[1]
            elif self.name(name) == field:
                return type_id, offset
        return None

    @_readable
    def resolve(self, path: str) -> tuple[int, int]:
        """Type id and byte offset of ``struct.member.member``; LookupError when this kernel has none."""
        first, *fields = path.split(".")
        index, total = self.find(first, STRUCT), 0
        for field in fields:
            member = self._member(index, field)
            if member is None:
                raise LookupError(path)
            index, total = member[0], total + member[1]
        return index, total

    def offset(self, path: str) -> int:
        """Bytes from the start of the struct to ``struct.member.member``."""
        return self.resolve(path)[1]

    @_readable
    def array_length(self, path: str) -> int:
        """The number of elements of the array member at *path*."""
        return self._words[self._starts[self._strip(self.resolve(path)[0])] + 5]

    @_readable
    def enum_value(self, enum: str, member: str) -> int:
        """The value of one enumerator; LookupError when the enum or the enumerator is missing."""
        at = self._starts[self.find(enum, ENUM)]
        for entry in range(at + 3, at + 3 + 2 * (self._words[at + 1] & 0xFFFF), 2):
            if self.name(self._words[entry]) == member:
                return self._words[entry + 1]
        raise LookupError(f"{enum}.{member}")

    @_readable
    def argument_count(self, function: int) -> int:
        """How many arguments the function with this id takes."""
        prototype = self._words[self._starts[function] + 2]
        return self._words[self._starts[prototype] + 1] & 0xFFFF


def _sections(blob: bytes) -> tuple[array[int], bytes]:
    """The type section as 32-bit words, and the string section."""
    if len(blob) < 24 or struct.unpack_from("<H", blob)[0] != MAGIC:
        raise KernelFactError("the kernel's BTF is not BTF of this machine's byte order")
    header, type_off, type_len, str_off, str_len = struct.unpack_from("<5I", blob, 4)
    types, strings = header + type_off, header + str_off
    if types + type_len > len(blob) or strings + str_len > len(blob) or type_len % 4:
        raise KernelFactError("the kernel's BTF is truncated", because=f"{len(blob)} bytes, header asks for more")
    words = array("I")
    words.frombytes(blob[types : types + type_len])
    return words, blob[strings : strings + str_len]


def _type_starts(words: array[int]) -> array[int]:
    """Where each type begins, by id. The one loop over all 150,000 types, so it is written for speed."""
    starts, at, end = array("I", [0]), 0, len(words)
    fixed, each = _FIXED_WORDS, _WORDS_PER_ENTRY
    append = starts.append
    while at + 3 <= end:
        append(at)
        info = words[at + 1]
        kind = info >> 24 & 0x1F
        at += 3 + (each[kind] * (info & 0xFFFF) if kind in each else fixed.get(kind, 0))
    if at != end:
        raise KernelFactError("the kernel's BTF is malformed", because="a type reaches past the end of its section")
    return starts


def load(path: Path = VMLINUX) -> Btf:
    """The running kernel's BTF; KernelFactError where it has none, hides it, or it is malformed."""
    try:
        return Btf(path.read_bytes())
    except FileNotFoundError:
        raise KernelFactError(
            f"this kernel has no type information: {path} does not exist",
            fix="a kernel with CONFIG_DEBUG_INFO_BTF=y (every distribution's, since about 5.10)",
        ) from None
    except OSError as error:
        raise KernelFactError(f"cannot read {path}: {error.strerror}") from None
