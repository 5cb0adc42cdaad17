"""Where the snapshots of a recording are: its files are read once, and of each whole line is kept where and when."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from ppobserve.errors import ReadError
from ppobserve.model.clock import set_by
from ppobserve.model.document import SCHEMA
from ppobserve.model.recording import Head, head
from ppobserve.source.gzip_members import Text, Torn, open_text

MAX_LINE = 64 << 20
"""Bytes of a line whose end is still looked for; 512 pools take 0.4 MiB."""
PATIENCE = 1000
"""So many lines that are none of ours, and none that is, and no further line is looked at."""


@dataclass(frozen=True)
class _Line:
    offset: int
    text: bytes
    torn: str = ""
    """Why it has no end; empty when it has one."""


class Index:
    """The whole snapshots of some files, numbered from 0 in the order that they were written."""

    def __init__(self) -> None:
        self.times = array("d")
        """Seconds since the epoch, as the clock was."""
        self.set_by: dict[int, float] = {}
        """Where the clock was set, see :data:`ppobserve.model.recording.SetBy`."""
        self.problems: list[str] = []
        """What is wrong with the files, as sentences."""
        self.schemas: set[int] = set()
        """Of snapshots that were left out, because this version can't read them."""
        self._texts: list[Text] = []
        self._last: Head | None = None
        self._file, self._offset, self._length = array("H"), array("q"), array("q")

    def add(self, name: str, fd: int) -> None:
        """Look at every line of a file. ReadError when the disk refuses."""
        self._texts.append(open_text(fd))
        strange: dict[str, list[int]] = {}
        begun = len(self.times)
        try:
            for number, line in enumerate(_lines(self._texts[-1]), 1):
                if why := self._strange(line):
                    strange.setdefault(why, []).append(number)
                if number >= PATIENCE and len(self.times) == begun:
                    break
        except OSError as error:
            raise ReadError(f"cannot read {name}: {error.strerror}") from None
        self.problems += [f"{name}: {_which(numbers)} {why}" for why, numbers in strange.items()]

    def line(self, number: int) -> bytes:
        """The line of a snapshot. ReadError when the disk refuses."""
        try:
            return self._texts[self._file[number]].at(self._offset[number], self._length[number])
        except OSError as error:
            raise ReadError(f"cannot read the recording: {error.strerror}") from None

    def _strange(self, line: _Line) -> str:
        """Keep a snapshot's line; why it is left out if it is none."""
        if line.torn:
            return line.torn
        found = head(line.text)
        if found and found.schema == SCHEMA:
            if self._last and (step := set_by(found, self._last)):
                self.set_by[len(self.times)] = step
            self._last = found
            self.times.append(found.time)
            self._file.append(len(self._texts) - 1)
            self._offset.append(line.offset)
            self._length.append(len(line.text))
        elif found:
            self.schemas.add(found.schema)
            return f"left out: of schema {found.schema}, and this ppobserve reads schema {SCHEMA}"
        return "left out: no whole snapshot" if not found and line.text.strip() else ""


def _which(numbers: list[int]) -> str:
    first = f"line {numbers[0]}"
    return first if len(numbers) == 1 else f"{first} and {len(numbers) - 1} more"


def _lines(text: Text) -> Iterator[_Line]:
    """Every line, its newline left out; nothing more after one that seems to have no end."""
    offset, rest = 0, b""
    for piece in text.pieces():
        if isinstance(piece, Torn):
            yield _Line(offset, rest, f"cut off: {piece.why}")
            offset, rest = offset + len(rest), b""
            continue
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield _Line(offset, line)
            offset += len(line) + 1
        if len(rest) > MAX_LINE:
            yield _Line(offset, b"", f"left out, and all that follows: longer than {MAX_LINE >> 20} MiB")
            return
    if rest:
        yield _Line(offset, rest, "cut off: the file ends in it")
