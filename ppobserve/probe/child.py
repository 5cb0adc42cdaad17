"""Runs the loader child once: request in, file descriptors out, within a time limit."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import ppobserve
from ppobserve.errors import LoaderError

LOADER = (sys.executable, "-m", "ppobserve.probe.loader")
_MAX_FDS = 64
_REPLY_BYTES = 64 * 1024
_LOG_LINES = 12
_PROC = Path("/proc")
_LAST_WORDS = 1.0
"""Seconds that a child which closed its socket has to end by itself, so that its exit status is its own."""


def ask(
    request: Mapping[str, Any], seconds: float, command: Sequence[str] = LOADER
) -> tuple[dict[str, Any], list[int]]:
    """The child's reply and the descriptors that came with it.

    LoaderError when it could not be started, crashed, wrote nonsense, or took longer than *seconds*; then it is killed.
    The time in which it could have run and got no CPU does not count: on a busy host that is most of it.
    A reply that is itself an error is given back with what the child wrote to its standard error, the verifier's words
    among it, as ``log``.
    """
    with _memory_file("request") as asked, _memory_file("log") as written:
        asked.write(json.dumps(request).encode())  # a file: a pipe would wait for a child that does not read
        asked.seek(0)
        text, fds, status = _run(command, asked, written, seconds)
        log = _tail(written)
    if not text:
        raise _ended(status, log)
    return {"log": log, **_parsed(text, fds, log)}, fds


def _ended(status: int, log: str) -> LoaderError:
    """The error for a child that is gone. SIGKILL is mostly the kernel's: the memory of a container was too small."""
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    fix = "a memory limit of 256 MiB or more: compiling takes 110 MiB" if status == -signal.SIGKILL else ""
    return LoaderError(f"the BCC loader ended without an answer ({how})", because=log, fix=fix)


_NOEXEC_SEAL = 0x8


def _memory_file(name: str) -> IO[bytes]:
    """A file in memory: /tmp may be read-only, full, or missing. LoaderError when the kernel refuses.

    Sealed against execution, which ``vm.memfd_noexec`` may demand, since kernel commit 105ff5339f49 ("mm/memfd: add
    MFD_NOEXEC_SEAL and MFD_EXEC", 6.3).
    """
    try:
        try:
            fd = os.memfd_create(name, os.MFD_CLOEXEC | _NOEXEC_SEAL)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            fd = os.memfd_create(name)
    except OSError as error:
        raise LoaderError(f"cannot make a file in memory for the BCC loader: {error.strerror}") from None
    return os.fdopen(fd, "w+b")


def _run(command: Sequence[str], asked: IO[bytes], written: IO[bytes], seconds: float) -> tuple[bytes, list[int], int]:
    """Start the child, wait for its reply, and end it: the reply, its descriptors, the exit status."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            child = _start([*command, str(theirs.fileno())], theirs, asked, written)
        try:
            text, fds = _reply(ours, child.pid, seconds)
            with suppress(subprocess.TimeoutExpired):
                child.wait(0 if text else _LAST_WORDS)
        finally:
            child.kill()
            status = child.wait()
    return text, fds, status


def _start(
    command: Sequence[str], channel: socket.socket, asked: IO[bytes], written: IO[bytes]
) -> subprocess.Popen[bytes]:
    package = str(Path(ppobserve.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    try:
        return subprocess.Popen(
            command,
            pass_fds=[channel.fileno()],
            stdin=asked,
            stdout=written,
            stderr=written,
            env={**os.environ, "PYTHONPATH": path},
            cwd="/",  # "python -m" looks for modules in the current folder first, which may be anyone's
        )
    except OSError as error:
        raise LoaderError(f"cannot start the BCC loader {command[0]}: {error.strerror}") from None


def _reply(channel: socket.socket, pid: int, seconds: float) -> tuple[bytes, list[int]]:
    begin = time.monotonic()
    while (left := begin + seconds + _waited(pid) - time.monotonic()) > 0:
        channel.settimeout(left)
        with suppress(TimeoutError):
            text, fds, _, _ = socket.recv_fds(channel, _REPLY_BYTES, _MAX_FDS)
            for fd in fds:
                os.set_inheritable(fd, False)
            return text, list(fds)
    raise LoaderError(
        f"the BCC loader did not finish within {seconds:.0f} s, and was ended",
        fix="look at the machine's load and memory: compiling takes 110 MiB and less than a second on an idle core",
    )


def _waited(pid: int) -> float:
    """Return the seconds that a process was ready to run and had no CPU (Documentation/scheduler/sched-stats.rst).

    0 on a kernel without CONFIG_SCHED_INFO.
    """
    with suppress(OSError, ValueError, IndexError):
        return int((_PROC / str(pid) / "schedstat").read_text().split()[1]) / 1e9
    return 0.0


def _parsed(text: bytes, fds: Sequence[int], log: str) -> dict[str, Any]:
    """The reply's JSON object; LoaderError, and the descriptors closed, when it is none."""
    try:
        return dict(json.loads(text))
    except (TypeError, ValueError):
        for fd in fds:
            os.close(fd)
        raise LoaderError("the BCC loader answered with something else than a reply", because=log) from None


def _tail(written: IO[bytes]) -> str:
    written.seek(0)
    lines = [line.rstrip() for line in written.read().decode(errors="replace").splitlines() if line.strip()]
    return "\n  ".join(lines[-_LOG_LINES:])
