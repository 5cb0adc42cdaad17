"""The lab's side of one child: start it, ask it, notice its death."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ppobserve.errors import LabError
from ppobserve.lab import protocol

_BROKEN = (ConnectionResetError.__name__, BrokenPipeError.__name__)
_DEATH_SECONDS = 10.0
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from ppobserve.lab import endpoint; "
    "endpoint.main(int(sys.argv[2]), int(sys.argv[3]))"
)


class Child:
    """A process that carries out requests, one at a time.

    A fresh program and no fork, which would be unsafe in a parent with threads.
    """

    def __init__(self, role: str) -> None:
        self.role = role
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            arguments = [str(_PACKAGE_PARENT), str(theirs.fileno()), str(os.getpid())]
            # -I, -S: nothing but the standard library and our own package decides what root imports.
            command = [sys.executable, "-I", "-S", "-c", _PROGRAM, *arguments]
            # A session of its own: Ctrl-C in a terminal is for the lab alone, which then ends its children.
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def fileno(self) -> int:
        """What to poll for an answer."""
        return self._control.fileno()

    def tell(self, verb: str, *arguments: Any) -> None:
        """Make a request whose answer is fetched later, by :func:`answers`."""
        try:
            self._control.send(protocol.request(verb, *arguments))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._died() from error

    def ask(self, verb: str, *arguments: Any) -> Any:
        """Make a request and wait for its answer. Raises what went wrong there; LabError when the child died."""
        self.tell(verb, *arguments)
        return self.answer()

    def answer(self) -> Any:
        """The next answer, waited for."""
        try:
            packet = self._control.recv(protocol.MAX_BYTES)
        except ConnectionResetError:  # it ended with a request of ours unread
            packet = b""
        if not packet:
            raise self._died()
        return protocol.result(packet)

    def close(self) -> None:
        """End the process and wait for it; with it goes all that it held."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def is_dead(self, seconds: float) -> bool:
        """True if the process has ended, or does so within *seconds*."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _died(self) -> LabError:
        status = self._process.wait()
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return LabError(f"the lab's {self.role} died", because=f"{how}, process {self.pid}")


def answers(*children: Child) -> list[Any]:
    """Return one answer of each of *children*, in their order. Raise the first failure or death among them at once.

    A connection breaks because the child at its other end dies: then that death is raised, which may be noticed later.
    """
    waiting, found = select.poll(), dict.fromkeys(children)
    by_fd = {child.fileno(): child for child in children}
    for fd in by_fd:
        waiting.register(fd, select.POLLIN)
    while by_fd:
        for fd, _ in waiting.poll():
            waiting.unregister(fd)
            child = by_fd.pop(fd)
            try:
                found[child] = child.answer()
            except LabError as failure:
                raise _cause(failure, by_fd.values()) from None
    return list(found.values())


def _cause(failure: LabError, others: Iterable[Child]) -> LabError:
    """Return the death of one of *others* if it is why a connection broke, else *failure*."""
    if failure.because in _BROKEN:
        for child in others:
            if child.is_dead(_DEATH_SECONDS):
                return child._died()
    return failure
