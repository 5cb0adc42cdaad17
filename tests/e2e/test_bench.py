"""bench/frames.py, shortened: it runs, and says what it found in the form that `make bench` reads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

from bench.run import TOP, parted

MOST = 50
"""Percent. Nothing runs once per frame at level standard; the rest is what this machine does meanwhile."""


def test_frames_with_and_without(live: None, own_turn: None, figure: Callable[..., None]) -> None:
    bench = [sys.executable, "-m", "bench.frames", "--short"]
    printed = subprocess.run(bench, cwd=TOP, check=True, stdout=subprocess.PIPE, text=True).stdout
    section, (line,) = parted(printed)
    claim = json.loads(line)
    assert claim["script"] == "bench/frames.py"
    assert "B / A" in section
    assert abs(claim["value"]) < MOST
    figure("live frame: added by level standard", claim["value"], "%")
