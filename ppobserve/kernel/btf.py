"""The kernel's own type information: member offsets, array lengths, functions, tracepoints.

A reader of our own, since pahole 1.24 and bpftool 7.1 fail on a 7.3 kernel. Format: the kernel's
Documentation/bpf/btf.rst and include/uapi/linux/btf.h.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

from ppobserve.errors import KernelFactError
from ppobserve.kernel import btf_sections

VMLINUX = Path("/sys/kernel/btf/vmlinux")

ARRAY, STRUCT, UNION, ENUM, TYPEDEF, FUNC, FUNC_PROTO = 3, 4, 5, 6, 8, 12, 13
# typedef, volatile, const, restrict, type tag: transparent on the way to a type
_MODIFIERS = frozenset({8, 9, 10, 11, 18})
_MODIFIERS_AT_MOST = 64

_Asked = TypeVar("_Asked", bound=Callable[..., Any])


def _readable(ask: _Asked) -> _Asked:
    """Types that point past the end, or at themselves, and names that are none: all that a corrupt blob may hold."""

    @functools.wraps(ask)
    def asked(*args: Any) -> Any:
        try:
            return ask(*args)
        except (IndexError, ValueError, RecursionError) as error:
            raise btf_sections.malformed(str(error)) from None

    return cast(_Asked, asked)


class Btf:
    """One BTF blob. Types are found by name; ids count from 1, 0 is void."""

    def __init__(self, blob: bytes) -> None:
        sections = btf_sections.sections(blob)
        self._words, self._strings = sections.types, sections.strings
        self._starts = btf_sections.type_starts(sections)
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
            self._found.setdefault((btf_sections.kind(self._words[at + 1]), offsets[self._words[at]]), index)

    def _string_offsets(self, name: str) -> Iterator[int]:
        """Every place where the whole string stands; more than one in a blob that was not deduplicated."""
        needle, at = b"\0" + name.encode() + b"\0", -1
        while (at := self._strings.find(needle, at + 1)) >= 0:
            yield at + 1

    def _kind(self, index: int) -> int:
        return btf_sections.kind(self._words[self._starts[index] + 1])

    def _strip(self, index: int) -> int:
        for _ in range(_MODIFIERS_AT_MOST):
            if self._kind(index) not in _MODIFIERS:
                return index
            index = self._words[self._starts[index] + 2]
        raise ValueError("a type that is made of itself")

    def _member(self, index: int, field: str) -> tuple[int, int] | None:
        """Type id and byte offset of a member, also one of an anonymous struct or union inside."""
        index = self._strip(index)
        if self._kind(index) not in (STRUCT, UNION):
            return None
        at = self._starts[index]
        info = self._words[at + 1]
        for entry in range(at + 3, at + 3 + 3 * btf_sections.count(info), 3):
            name, type_id, bits = self._words[entry : entry + 3]
            offset = (bits & 0xFFFFFF if info >> 31 else bits) // 8
            if not name:
                if inner := self._member(type_id, field):
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
        """The number of elements of the array member at *path*; LookupError when it is missing, or not an array."""
        index = self._strip(self.resolve(path)[0])
        if self._kind(index) != ARRAY:
            raise LookupError(path)
        return self._words[self._starts[index] + 5]

    @_readable
    def enum_value(self, enum: str, member: str) -> int:
        """The value of one enumerator; LookupError when the enum or the enumerator is missing."""
        at = self._starts[self.find(enum, ENUM)]
        for entry in range(at + 3, at + 3 + 2 * btf_sections.count(self._words[at + 1]), 2):
            if self.name(self._words[entry]) == member:
                return self._words[entry + 1]
        raise LookupError(f"{enum}.{member}")

    @_readable
    def argument_count(self, function: int) -> int:
        """How many arguments the function with this id takes."""
        prototype = self._words[self._starts[function] + 2]
        if self._kind(prototype) != FUNC_PROTO:
            raise ValueError("a function whose prototype is none")
        return btf_sections.count(self._words[self._starts[prototype] + 1])


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
