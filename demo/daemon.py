"""A daemon that lives as long as a ``with`` block, and the commands that read it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from demo.process import PPOBSERVE, DemoError, started

LISTEN = ("127.0.0.1", 10817)
START_SECONDS = 300.0
"""An emulated CPU compiles for half a minute, on a busy host for several."""
HOW = re.compile(r"level \w+ by \w+")
ADDRESS = re.compile(r"serving (http://\S+)/metrics")


@dataclass(frozen=True)
class Daemon:
    """A running ``ppobserve serve``, and what it said about how it attached."""

    url: str
    said: str

    @property
    def how(self) -> str:
        """``level standard by fentry``."""
        return found[0] if (found := HOW.search(self.said)) else ""

    def get(self, path: str) -> str:
        """What it answers. OSError if it does not."""
        with build_opener(ProxyHandler({})).open(self.url + path, timeout=30) as answer:
            text: str = answer.read().decode()
            return text

    def is_healthy(self) -> bool:
        """True if it answers and all is well with it."""
        try:
            return bool(self.get("/healthz"))
        except URLError:
            return False


@contextmanager
def serving() -> Iterator[Daemon]:
    """Start the daemon; it is healthy when the block begins, and gone when the block has ended."""
    command = [*PPOBSERVE, "serve", "--listen", listen()]
    with tempfile.TemporaryFile("w+") as log, started(command, stderr=log) as process:
        yield _healthy(process, log.fileno())


def listen() -> str:
    """Where to listen: PPOBSERVE_LISTEN, or the usual address, or any free port if that one is in use."""
    host, port = LISTEN
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(LISTEN)
        except OSError:
            port = 0
    return os.environ.get("PPOBSERVE_LISTEN") or f"{host}:{port}"


def _healthy(process: subprocess.Popen[str], log: int) -> Daemon:
    """The daemon, once it is healthy. DemoError with what it said if it ends before, or takes too long."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        said = _said(log)
        if (found := ADDRESS.search(said)) and (daemon := Daemon(found[1], said)).is_healthy():
            return daemon
        time.sleep(0.1)
    how = "ended" if process.returncode is not None else f"was not healthy within {START_SECONDS:.0f} s"
    raise DemoError(f"ppobserve serve {how}:\n{_said(log)}")


def _said(log: int) -> str:
    return os.pread(log, 1 << 16, 0).decode(errors="replace")


@contextmanager
def recording(daemon: Daemon, path: Path) -> Iterator[None]:
    """Record the daemon's counters into *path*, once a second, for the length of the block."""
    with started([*PPOBSERVE, "record", "--from", daemon.url, "-o", path], stderr=subprocess.DEVNULL):
        yield
