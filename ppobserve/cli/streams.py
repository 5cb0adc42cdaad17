"""Standard input, output and error, prepared once: closed, full, and of any encoding."""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from ppobserve.errors import OutputError

LOOK_ALIKES = {"…": "~", "·": ".", "→": ">", "▴": "^", "▾": "v"}
"""ASCII of the same width, for the characters that texts and messages of ppobserve have."""
ENCODABLE = "ppobserve-encodable"
"""The error handler of the streams, as codecs(3) knows it."""
_UNDECODED = range(0xDC80, 0xDD00)
"""Where Python puts the bytes of names that it cannot decode (PEP 383)."""


class ReaderGone(Exception):
    """Standard output is a pipe that nothing reads any more, as in ``ppobserve top | head``."""


def prepare() -> None:
    """Make the streams usable. Do nothing to those that a test has replaced, nor to those that are prepared."""
    for fd, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        _fill(fd, mode)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as the process
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(_Output(1, "w", closefd=False), sys.__stdout__)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(_Notes(2, "w", closefd=False), sys.__stderr__)


def encoded(text: str) -> bytes:
    """UTF-8 of any text: names may have bytes that are not UTF-8."""
    return text.encode("utf-8", ENCODABLE)


@contextmanager
def flushed() -> Iterator[None]:
    """Write out at the end what was printed. OutputError or ReaderGone if that fails, unless something else has."""
    try:
        yield
    except SystemExit:  # --help and --version end so
        sys.stdout.flush()
        raise
    except BaseException:
        with suppress(OutputError, ReaderGone):
            sys.stdout.flush()
        raise
    sys.stdout.flush()


def _fill(fd: int, mode: int) -> None:
    """Put something in the place of a closed descriptor: the next file that is opened would be taken for it.

    Writing to standard output fails then, as it does while it is closed.
    """
    try:
        os.fstat(fd)
    except OSError:
        os.set_inheritable(os.open(os.devnull, mode), True)  # the lowest that is free


def _text(raw: _Output, like: TextIO | None) -> TextIO:
    """A text stream of the same encoding and buffering as *like*, which is None if Python found it closed."""
    unbuffered = bool(getattr(like, "write_through", False))  # PYTHONUNBUFFERED
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),  # as Python itself does
        encoding=like.encoding if like else "utf-8",
        errors=ENCODABLE,
        line_buffering=bool(getattr(like, "line_buffering", False)),
        write_through=unbuffered,
    )


class _Output(io.FileIO):
    """Writes all of it, also where the descriptor does not block; once it has failed, nothing more."""

    _lost = False

    def write(self, data: object) -> int:
        """The size of *data*. OutputError or ReaderGone for what cannot be written, the first time."""
        whole = rest = memoryview(data).cast("B")  # type: ignore[arg-type]  # a buffer, as FileIO has it
        while rest and not self._lost:
            try:
                done = super().write(rest)
            except OSError as error:
                self._lost = True
                self._lose(error)
            else:
                rest = rest[done:] if done is not None else self._when_writable(rest)
        return whole.nbytes

    def _when_writable(self, rest: memoryview) -> memoryview:
        waiting = select.poll()
        waiting.register(self.fileno(), select.POLLOUT)
        waiting.poll()
        return rest

    def _lose(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise ReaderGone from None
        why = "it is closed" if error.errno == errno.EBADF else error.strerror
        raise OutputError(f"cannot write to standard output: {why}") from None


class _Notes(_Output):
    """Standard error: notes get lost, and what they are about goes on."""

    def _lose(self, error: OSError) -> None:
        pass


def _encodable(error: UnicodeError) -> tuple[str, int]:
    """For codecs.register_error: what is written in place of characters that the encoding has not."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_in_ascii, error.object[error.start : error.end])), error.end


def _in_ascii(char: str) -> str:
    if ord(char) in _UNDECODED:
        return f"\\x{ord(char) - 0xDC00:02x}"
    return LOOK_ALIKES.get(char) or char.encode("ascii", "backslashreplace").decode()


codecs.register_error(ENCODABLE, _encodable)
