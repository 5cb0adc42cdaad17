"""Writes recordings: a line a snapshot, appended at once: a kill at any moment loses only what was not yet written."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ppobserve.errors import PpobserveError, RecordingError
from ppobserve.kernel.disk import cannot_write
from ppobserve.model.recording import BEGINNING, to_line
from ppobserve.model.snapshot import Snapshot
from ppobserve.source.gzip_members import MARK

LEVEL = 6
"""Of zlib. 512 pools take 4 ms a snapshot; level 1 takes half of that, and makes files of half as much again."""


class Recorder:
    """Appends snapshots to a file, as gzip if its name ends in ``.gz``.

    A file that has reached *max_bytes* (0: never) becomes ``NAME.1.gz``, those before it move one number up, and *keep*
    of them stay. RecordingError when the file is something else, is being recorded into, or can't be written;
    OutputError when its disk is full or broken.
    """

    def __init__(self, path: Path, max_bytes: int = 0, keep: int = 1) -> None:
        self._path, self._max_bytes, self._keep = path, max_bytes, keep
        self.snapshots = 0
        """How many were written."""
        self._fd, self._head, self._torn = -1, b"", False
        self._begin()

    def write(self, snapshot: Snapshot) -> None:
        """Append one, and hand it to the kernel: from then on only the machine's crash can lose it."""
        with self._explained():
            if 0 < self._max_bytes <= os.fstat(self._fd).st_size:
                self._rotate()
            self._torn = True
            _append(self._fd, self._head + self._member.add(to_line(snapshot)))
        self._torn, self._head = False, b""
        self.snapshots += 1

    def close(self) -> None:
        """End the file well; twice is harmless. On a full disk it lacks its end, as after a kill."""
        if self._fd >= 0:
            with suppress(OSError):
                self._end()

    def _end(self) -> None:
        """A file that nothing was written into does not stay."""
        fd, self._fd = self._fd, -1
        try:
            if not self._head and not self._torn:
                _append(fd, self._member.end())
            if not os.fstat(fd).st_size:
                os.unlink(self._path)
        finally:
            os.close(fd)

    def _begin(self) -> None:
        """Open the file behind what it has, which may be torn."""
        packed = self._path.suffix == ".gz"
        self._member = _Gzip() if packed else _Plain()
        with self._explained():
            fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o644)
        try:
            with self._explained():
                _claim(fd, self._path)
                clean = _is_clean(fd, self._path, packed)
        except PpobserveError:
            os.close(fd)
            raise
        self._fd, self._head = fd, self._member.begin() if clean else b"\n" + self._member.begin()

    def _rotate(self) -> None:
        self._end()
        names = [self._path, *(rotated(self._path, number) for number in range(1, self._keep + 1))]
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            with suppress(FileNotFoundError):
                os.replace(newer, older)
        self._begin()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            recorded = f"{self.snapshots} snapshots were recorded" if self.snapshots else ""
            raise cannot_write(self._path, error, RecordingError, because=recorded) from None


def rotated(path: Path, number: int) -> Path:
    """Where the part before a recording is (1), the one before that (2), ...: ``a.1.gz`` of ``a.gz``."""
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def _append(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _claim(fd: int, path: Path) -> None:
    """Be the only one who writes there, as long as *fd* is open."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RecordingError(f"cannot record into {path}: another ppobserve is doing it", fix="another name") from None


def _is_clean(fd: int, path: Path, packed: bool) -> bool:
    """Does a line begin at the file's end? RecordingError for a file that is no recording of this kind."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise RecordingError(f"cannot record into {path}: it is no file")
    size = os.fstat(fd).st_size
    beginning = MARK[:3] if packed else BEGINNING
    if size and os.pread(fd, len(beginning), 0) != beginning[:size]:
        what = "a gzip file" if packed else "a recording"
        raise RecordingError(f"cannot record into {path}: it is there, and not {what}", fix="another name")
    # A torn gzip member needs nothing: readers look for the mark of the next one.
    return packed or not size or os.pread(fd, 1, size - 1) == b"\n"


class _Plain:
    """Lines as they are."""

    def begin(self) -> bytes:
        return b""

    def add(self, line: bytes) -> bytes:
        return line

    def end(self) -> bytes:
        return b""


class _Gzip:
    """A gzip member that is flushed behind each line, and begins with the mark that readers look for."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._sum, self._size = 0, 0

    def begin(self) -> bytes:
        return MARK

    def add(self, line: bytes) -> bytes:
        self._sum, self._size = zlib.crc32(line, self._sum), self._size + len(line)
        return self._packer.compress(line) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._packer.flush() + struct.pack("<II", self._sum, self._size & 0xFFFFFFFF)
