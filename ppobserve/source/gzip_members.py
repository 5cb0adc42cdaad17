"""The text of a file, plain or gzip, whole or torn anywhere: read once from end to end, then again at any place.

A gzip member that was torn (its writer was killed) has no end that could be told from what was appended behind it. So
our own members begin with a mark, and the text of one never goes past the next mark.
"""

from __future__ import annotations

import os
import re
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

# RFC 1952: deflate, with a comment, of no time, by no known system.
MARK = b"\x1f\x8b\x08\x10\x00\x00\x00\x00\x00\xffppobserve recording\x00"
_MAGIC = MARK[:3]
_GZIP = 31  # zlib: a gzip header, and the largest window
_PIECE, _INPUT = 1 << 20, 1 << 16
_PLACES, _STRIDE = 64, 1 << 22
"""At most so many states to go on from are kept, some 45 KiB each; at first, one for so many bytes of text."""


@dataclass(frozen=True)
class Torn:
    """Here the text breaks off in the middle; what follows begins a line."""

    why: str


class Text(Protocol):
    """A file's text, whose offsets count its bytes as if it had never been packed."""

    def pieces(self) -> Iterator[bytes | Torn]:
        """All of it, from the beginning, about a MiB at a time."""

    def at(self, offset: int, length: int) -> bytes:
        """A part that ``pieces`` has come by."""


def open_text(fd: int) -> Text:
    """What is in the regular file *fd*; packed or not is told by its first bytes, not by a name."""
    return Packed(fd) if os.pread(fd, len(_MAGIC), 0) == _MAGIC else Plain(fd)


class Plain:
    """Text as it is."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def pieces(self) -> Iterator[bytes | Torn]:
        """See :class:`Text`."""
        offset = 0
        while piece := os.pread(self._fd, _PIECE, offset):
            yield piece
            offset += len(piece)

    def at(self, offset: int, length: int) -> bytes:
        """See :class:`Text`."""
        return os.pread(self._fd, length, offset)


@dataclass(frozen=True)
class _Place:
    """Somewhere to go on from: the text before it, where its packed bytes begin, and where their stretch ends."""

    text: int
    packed: int
    end: int
    state: Any = None
    """The decompression's; None: a member begins here. (zlib has no name for its type.)"""

    @property
    def is_end_of_member(self) -> bool:
        """Does nothing of a member lie open here?"""
        return self.state is None or bool(self.state.eof)


class Packed:
    """Text in gzip members. Any part of it lies a few MiB at most behind a place to go on from."""

    def __init__(self, fd: int) -> None:
        self._fd, self._stride = fd, _STRIDE
        self._places: list[_Place] = []
        self._last = _Place(0, 0, 0), b""
        """The last piece that ``at`` came to, with the place behind it: most reading goes on there."""

    def pieces(self) -> Iterator[bytes | Torn]:
        """See :class:`Text`."""
        text = 0
        for begin, end in pairwise(_begins(self._fd)):
            self._places.append(_Place(text, begin, end))
            try:
                for place, piece in self._unpack(self._places[-1]):
                    self._keep(place)
                    text = place.text
                    yield piece
            except zlib.error as error:
                yield Torn(f"the gzip member is damaged ({str(error).rpartition(': ')[2]})")
            else:
                if not place.is_end_of_member:
                    yield Torn("the gzip member has no end")

    def at(self, offset: int, length: int) -> bytes:
        """See :class:`Text`."""
        found = bytearray()
        for place, piece in self._onwards(offset):
            found += piece[max(offset + len(found) - place.text + len(piece), 0) :]
            if len(found) >= length:
                self._last = place, piece
                break
        return bytes(found[:length])

    def _onwards(self, offset: int) -> Iterator[tuple[_Place, bytes]]:
        """Text from a place before *offset* to the end, each piece with the place behind it."""
        start, piece = self._last
        if not start.text - len(piece) <= offset <= start.text + self._stride:  # else: behind what was read last
            start, piece = self._before(offset), b""
        else:
            yield start, piece
        later = [each for each in self._places if each.packed >= start.end and not each.state]
        for begin in (start, *later):
            with suppress(zlib.error):  # as pieces() has told; no text is counted behind it
                yield from self._unpack(begin)

    def _unpack(self, place: _Place) -> Iterator[tuple[_Place, bytes]]:
        """Text from *place* to the end of its stretch, each piece with the place behind it."""
        place = replace(place, state=place.state and place.state.copy())
        while data := os.pread(self._fd, min(_INPUT, place.end - place.packed), place.packed):
            before = place.state and place.state.copy()
            try:
                place, piece = _step(place, data)
                yield place, piece
            except zlib.error:  # and the text of the whole step is lost with it, so go there byte by byte
                place = replace(place, state=before)
                for byte in range(len(data)):
                    place, piece = _step(place, data[byte : byte + 1])
                    yield place, piece

    def _keep(self, place: _Place) -> None:
        """Keep a copy of a place now and then; of too many, every second, and the next ones further apart."""
        if place.text - self._places[-1].text < self._stride or place.is_end_of_member:
            return
        self._places.append(replace(place, state=place.state.copy()))
        inner = [each for each in self._places if each.state]
        if len(inner) > _PLACES:
            self._stride *= 2
            gone = set(map(id, inner[::2]))
            self._places = [each for each in self._places if id(each) not in gone]

    def _before(self, offset: int) -> _Place:
        return self._places[bisect_right([place.text for place in self._places], offset) - 1]


def _step(place: _Place, data: bytes) -> tuple[_Place, bytes]:
    """Unpack some of *data*, whose bytes are at *place*. Zeros may be between members that others wrote."""
    packed, state = place.packed, place.state
    if place.is_end_of_member:
        stripped = data.lstrip(b"\0") if state else data
        packed, data = packed + len(data) - len(stripped), stripped
        if not data:
            return replace(place, packed=packed), b""
        state = zlib.decompressobj(_GZIP)
    piece = state.decompress(data, _PIECE)
    while not state.eof and not state.unconsumed_tail and (rest := state.decompress(b"", _PIECE)):
        piece += rest  # of the last input; zlib holds it back when a piece is full
    packed += len(data) - len(state.unconsumed_tail) - len(state.unused_data)
    return _Place(place.text + len(piece), packed, place.end, state), piece


def _begins(fd: int) -> list[int]:
    """Where stretches begin, and the end of the last: the file's beginning, each mark, the file's end."""
    begins, offset = [0], 1
    while data := os.pread(fd, _PIECE, offset):
        begins += [offset + found.start() for found in re.finditer(re.escape(MARK), data)]
        offset += max(len(data) - len(MARK) + 1, 1)
    return [*begins, os.fstat(fd).st_size]
