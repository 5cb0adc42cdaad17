"""Streams that are closed or full, and an ASCII locale, for the commands that attach or make traffic."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ppobserve.lab.frames import run_frames
from tests.live.conftest import eventually

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("live", "frames")]

ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
COMMANDS = {
    "check": ["check"],
    "bpftrace": ["bpftrace"],
    "top": ["top", "--once", "0.1"],
    "pools": ["pools", "--seconds", "0.1"],
    "trace": ["trace", "--seconds", "1"],
    "record": ["record", "0.1", "2", "-o", "FILE"],
    "lab": ["lab", "frames", "--count", "1"],
}
SILENT = {"record"}
"""Prints nothing on standard output."""
REDIRECTS = {"<&- 2>&-": 0, "<&- >&-": 1, ">/dev/full": 1, "2>/dev/full": 0, "": 0}


@pytest.mark.parametrize("redirect", REDIRECTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_streams_that_are_closed_or_full(command: str, redirect: str, tmp_path: Path) -> None:
    """Without a redirection in an ASCII locale, for a file whose name is not UTF-8."""
    path = os.fsencode(tmp_path) + b"/\xff.gz"
    words = [path if word == "FILE" else word for word in COMMANDS[command]]
    shell = ["sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, "-m", "ppobserve.cli.main", *words]
    done = subprocess.run(shell, env={**os.environ, **ASCII}, capture_output=True, timeout=120, check=False)
    assert done.returncode == (0 if command in SILENT else REDIRECTS[redirect]), done.stderr
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr
    if done.returncode:
        assert done.stderr.splitlines()[-1].startswith(b"ppobserve: cannot write to standard output: ")
    if command == "record":
        assert os.listdir(os.fsencode(tmp_path)) == [b"\xff.gz"]


COMM = Path("/proc/self/comm")


@pytest.fixture
def odd_name() -> Iterator[None]:
    """This process has a name that no encoding but UTF-8 has, and not even that all of it."""
    before = COMM.read_bytes()
    COMM.write_bytes("née€".encode() + b"\xff")
    yield
    COMM.write_bytes(before)


@pytest.mark.usefixtures("odd_name")
def test_events_are_printed_in_an_ascii_locale() -> None:
    command = [sys.executable, "-m", "ppobserve.cli.main", "trace", "-n", "3", "--netdev", "-", "--event", "return"]
    trace = subprocess.Popen(command, env={**os.environ, **ASCII}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert trace.stdout
        assert any(line.startswith(b"TIME ") for line in trace.stdout)
        run_frames(64)
        out, err = trace.communicate(timeout=60)
    finally:
        trace.kill()
        trace.communicate()
    assert (trace.returncode, err) == (0, b"")
    assert out.count(b" n\\xe9e\\u20ac\\ufffd\n") == 3
    assert b"\n3 events shown" in out


@pytest.mark.parametrize("redirect", ["<&- >&- 2>&-", "</dev/null >/dev/full 2>/dev/full"])
def test_a_daemon_without_streams_serves_and_ends(redirect: str) -> None:
    """Its notes are lost, and nothing else is."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
    command = [sys.executable, "-m", "ppobserve.cli.main", "serve", "--listen", address]
    daemon = subprocess.Popen(["sh", "-c", f'exec "$@" {redirect}', "sh", *command], env={**os.environ, **ASCII})
    try:
        assert eventually(lambda: _healthy(address), 60)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(60) == 0
    finally:
        daemon.kill()
        daemon.wait()


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/healthz", timeout=10) as answer:
            return bool(answer.read() == b"ok\n")
    except OSError:
        return False
