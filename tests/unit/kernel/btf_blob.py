"""Writes small BTF blobs, as a compiler would (kernel Documentation/bpf/btf.rst)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

LAYOUT = {
    **dict.fromkeys((2, 7, 8, 9, 10, 11, 12, 16, 18), (0, 0)),
    **{1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0), 15: (0, 12), 17: (4, 0)},
    19: (0, 12),
}
"""What a compiler of today puts into the layout section."""

Member = tuple[str, int, int]
"""Name, type id, offset in bits."""

(INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT,
 DECL_TAG, TYPE_TAG, ENUM64) = range(1, 20)  # fmt: skip


class Blob:
    """Types get ids from 1 in the order in which they are added; each method returns the id."""

    def __init__(self) -> None:
        self.strings, self.words, self.types = b"\0", b"", 0

    def string(self, text: str) -> int:
        """Where *text* stands in the string section, once for all its uses; 0 for no name."""
        if not text:
            return 0
        at = self.strings.find(b"\0" + text.encode() + b"\0")
        if at < 0:
            at = len(self.strings) - 1
            self.strings += text.encode() + b"\0"
        return at + 1

    def add(self, kind: int, name: str = "", size_or_type: int = 0, *, vlen: int = 0, flag: bool = False,
            extra: Sequence[int] = ()) -> int:  # fmt: skip
        info = flag << 31 | kind << 24 | vlen
        self.words += struct.pack(f"<{3 + len(extra)}I", self.string(name), info, size_or_type, *extra)
        self.types += 1
        return self.types

    def integer(self, name: str = "int", size: int = 4) -> int:
        return self.add(INT, name, size, extra=[size * 8])

    def struct(self, name: str, *members: Member, kind: int = STRUCT, flag: bool = False) -> int:
        extra = [word for member, kind_id, bits in members for word in (self.string(member), kind_id, bits)]
        return self.add(kind, name, 64, vlen=len(members), flag=flag, extra=extra)

    def union(self, name: str, *members: Member) -> int:
        return self.struct(name, *members, kind=UNION)

    def array(self, element: int, index: int, length: int) -> int:
        return self.add(ARRAY, extra=[element, index, length])

    def enum(self, name: str, **values: int) -> int:
        extra = [word for member, value in values.items() for word in (self.string(member), value)]
        return self.add(ENUM, name, 4, vlen=len(values), extra=extra)

    def enum64(self, name: str, **values: int) -> int:
        halves = [(self.string(member), value & 0xFFFFFFFF, value >> 32) for member, value in values.items()]
        return self.add(ENUM64, name, 8, vlen=len(values), extra=[word for half in halves for word in half])

    def function(self, name: str, *arguments: int) -> int:
        extra = [word for kind_id in arguments for word in (0, kind_id)]
        return self.add(FUNC, name, self.add(FUNC_PROTO, vlen=len(arguments), extra=extra))

    def bytes(self, layout: Mapping[int, tuple[int, int]] | None = None) -> bytes:
        """The blob; with a layout section if there is a *layout*: bytes of the type and of an entry, by kind."""
        places = 0, len(self.words), len(self.words), len(self.strings)
        if layout is None:
            return struct.pack("<HBBI4I", 0xEB9F, 1, 0, 24, *places) + self.words + self.strings
        sizes = [layout.get(kind, (0, 0)) for kind in range(max(layout) + 1)]
        section = b"".join(struct.pack("<BBH", *each, 0) for each in sizes)
        layout_at = len(self.words) + len(self.strings) + -len(self.strings) % 4
        header = struct.pack("<HBBI6I", 0xEB9F, 1, 0, 32, *places, layout_at, len(section))
        return header + (self.words + self.strings).ljust(layout_at, b"\0") + section
