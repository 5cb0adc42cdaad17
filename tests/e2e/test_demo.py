"""`make demo HERE=1` as a newcomer runs it, and ended by Ctrl-C: it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent.parent
MARK = "PPOBSERVE_DEMO_TEST"
ENDS_WITHIN = 30


@dataclass(frozen=True)
class Demo:
    """A demo in a process group of its own; all that it starts has its mark in the environment."""

    process: subprocess.Popen[str]
    mark: str

    def read_until(self, last: str) -> str:
        """What it printed, up to the line that has *last*."""
        lines: list[str] = []
        assert self.process.stdout
        for line in iter(self.process.stdout.readline, ""):
            lines.append(line)
            if last in line:
                return "".join(lines)
        pytest.fail(f"it ended before {last!r}:\n{''.join(lines)}")

    def left(self) -> list[str]:
        """The command lines of its processes that still run."""
        mine = f"{MARK}={self.mark}".encode()
        return [_read(each / "cmdline") for each in Path("/proc").glob("[0-9]*") if mine in _bytes(each / "environ")]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


def _read(path: Path) -> str:
    return _bytes(path).replace(b"\0", b" ").decode()


@pytest.fixture
def demo(live: None) -> Iterator[Demo]:
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", "--here"],
        cwd=TOP,
        env={**os.environ, MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        yield Demo(process, mark)
        process.kill()


def test_it_shows_this_host_and_a_page_of_it(demo: Demo) -> None:
    text, _ = demo.process.communicate()
    assert demo.process.returncode == 0, text
    page = next(line for line in text.splitlines() if line.endswith("/report.html"))
    assert "ppv1" in Path(page).read_text()
    assert max(len(line) for line in text.splitlines() if line != page) < 80
    assert demo.left() == []


@pytest.mark.parametrize("last", ["The daemon attaches", "Traffic", "Pools, busiest first"])
def test_ctrl_c_leaves_nothing_behind(demo: Demo, last: str) -> None:
    before = demo.read_until(last)
    time.sleep(0.5)
    os.killpg(demo.process.pid, signal.SIGINT)
    try:
        text, _ = demo.process.communicate(timeout=ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        pytest.fail(f"still running: {demo.left()}")
    assert demo.process.returncode == 128 + signal.SIGINT, before + text
    assert "Traceback" not in text
    assert demo.left() == []
