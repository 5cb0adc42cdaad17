"""Runs the loader child once: request in, file descriptors out, within a time limit."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import ppobserve
from ppobserve.errors import LoaderError

LOADER = (sys.executable, "-m", "ppobserve.probe.loader")
_MAX_FDS = 64
_REPLY_BYTES = 64 * 1024
_LOG_LINES = 12


def ask(
    request: Mapping[str, Any], seconds: float, command: Sequence[str] = LOADER
) -> tuple[dict[str, Any], list[int]]:
    """The child's reply and the descriptors that came with it.

    LoaderError when it crashed, or took longer than *seconds*; then it is killed. A reply that is itself an error is
    given back with what the child wrote to its standard error, the verifier's words among it, as ``log``.
    """
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryFile() as written:
        with theirs:
            child = _start([*command, str(theirs.fileno())], theirs, written)
        try:
            _request(child, request)
            reply, fds = _reply(ours, seconds)
        finally:
            child.kill()
            status = child.wait()
        log = _tail(written)
    if not reply:
        raise LoaderError(f"the BCC loader ended without an answer (exit status {status})", because=log)
    return {"log": log, **reply}, fds


def _start(command: Sequence[str], channel: socket.socket, written: IO[bytes]) -> subprocess.Popen[bytes]:
    package = str(Path(ppobserve.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        command,
        pass_fds=[channel.fileno()],
        stdin=subprocess.PIPE,
        stdout=written,
        stderr=written,
        env={**os.environ, "PYTHONPATH": path},
    )


def _request(child: subprocess.Popen[bytes], request: Mapping[str, Any]) -> None:
    assert child.stdin
    try:
        with child.stdin as pipe:
            pipe.write(json.dumps(request).encode())
    except BrokenPipeError:
        pass  # it died before it read: the missing reply tells


def _reply(channel: socket.socket, seconds: float) -> tuple[dict[str, Any], list[int]]:
    channel.settimeout(seconds)
    try:
        text, fds, _, _ = socket.recv_fds(channel, _REPLY_BYTES, _MAX_FDS)
    except TimeoutError:
        raise LoaderError(
            f"the BCC loader did not finish within {seconds:.0f} s, and was ended",
            fix="look at the machine's load and memory: compiling takes 110 MiB and less than a second on an idle core",
        ) from None
    return (json.loads(text) if text else {}), list(fds)


def _tail(written: IO[bytes]) -> str:
    written.seek(0)
    lines = [line.rstrip() for line in written.read().decode(errors="replace").splitlines() if line.strip()]
    return "\n  ".join(lines[-_LOG_LINES:])
