"""Signals that end what is under way in order."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Flag:
    """An event that a signal handler may set.

    A threading.Event holds a lock in parts of wait() and set(). A handler that runs in one of them and calls set()
    waits for that lock without end, because its own thread has it.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def set(self) -> None:
        """Set it; again does nothing."""
        with suppress(BlockingIOError):  # the pipe is full
            os.write(self._write, b"!")

    def is_set(self) -> bool:
        """True once it was set."""
        return self.wait(0)

    def wait(self, seconds: float) -> bool:
        """Return True as soon as it is set, False after so many seconds."""
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        return bool(poll.poll(max(seconds, 0) * 1000))

    def close(self) -> None:
        """Give the pipe back."""
        os.close(self._read)
        os.close(self._write)


@contextmanager
def until_interrupted() -> Iterator[Flag]:
    """A flag that the first Ctrl-C sets, so that what is under way gets finished; a second one interrupts as ever."""
    stop = Flag()

    def interrupt(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
        stop.close()
