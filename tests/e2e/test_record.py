"""A recorder that is killed, on this kernel: what it has written is there, and the next one goes on behind it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from ppobserve.source.recorded import Recorded, open_recording

LIMIT = 60


def recorder(path: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ppobserve.cli.main", "record", "-o", str(path), "0.02", *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def grown(path: Path, size: int) -> bool:
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if path.exists() and path.stat().st_size >= size:
            return True
        time.sleep(0.02)
    return False


def opened(path: Path) -> closing[Recorded]:
    return closing(open_recording(path))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_killed_recorder_loses_nothing_that_it_wrote(name: str, tmp_path: Path, live: None) -> None:
    path = tmp_path / name
    with recorder(path) as killed:
        assert grown(path, 2000)
        killed.send_signal(signal.SIGKILL)
    with opened(path) as recorded:
        before = [recorded.snapshot(number) for number in range(len(recorded))]
        assert len(before) > 1 and all(before)
        assert len(recorded.problems) <= 1  # of gzip, that its member has no end
    with path.open("ab") as file:
        file.write(b'{"schema":1,"ti' if name.endswith("jsonl") else b"\x1f\x8b\x08\x10\x00")
    with recorder(path, "3") as going_on:
        assert going_on.wait(LIMIT) == 0
    with opened(path) as recorded:
        assert [recorded.snapshot(number) for number in range(len(before))] == before
        assert len(recorded) == len(before) + 3
        assert "cut off" in recorded.problems[0] or "left out" in recorded.problems[0]
