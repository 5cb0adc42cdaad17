"""A recorder that is killed, on this kernel: what it has written is there, and the next one goes on behind it."""

from __future__ import annotations

import signal
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from ppobserve.source.recorded import Recorded, open_recording
from tests.live.conftest import eventually

GZIP = 31  # zlib's window bits for a file of gzip
LIMIT = 120
SNAPSHOTS = 3


def recorder(path: Path, *words: str) -> subprocess.Popen[str]:
    attach = ("--level", "standard")  # without a level, a daemon of this host would be read
    command = [sys.executable, "-m", "ppobserve.cli.main", "record", *attach, "-o", str(path), "0.02", *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def written(path: Path) -> int:
    """How many snapshots a recording has by now. How big each is depends on what pools this host has."""
    packed = path.read_bytes() if path.exists() else b""
    lines = zlib.decompressobj(GZIP).decompress(packed) if path.suffix == ".gz" else packed
    return lines.count(b"\n")


def opened(path: Path) -> closing[Recorded]:
    return closing(open_recording(path))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_killed_recorder_loses_nothing_that_it_wrote(name: str, tmp_path: Path, live: None) -> None:
    path = tmp_path / name
    with recorder(path) as killed:
        assert eventually(lambda: written(path) >= SNAPSHOTS, LIMIT)
        killed.send_signal(signal.SIGKILL)
    with opened(path) as recorded:
        before = [recorded.snapshot(number) for number in range(len(recorded))]
        assert len(before) >= SNAPSHOTS and all(before)
        assert len(recorded.problems) <= 1  # of gzip, that its member has no end
    with path.open("ab") as file:
        file.write(b'{"schema":1,"ti' if name.endswith("jsonl") else b"\x1f\x8b\x08\x10\x00")
    with recorder(path, "3") as going_on:
        assert going_on.wait(LIMIT) == 0
    with opened(path) as recorded:
        assert [recorded.snapshot(number) for number in range(len(before))] == before
        assert len(recorded) == len(before) + 3
        assert "cut off" in recorded.problems[0] or "left out" in recorded.problems[0]
