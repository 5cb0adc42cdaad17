"""scripts/under_load: its load is there while the command runs, and gone with it; its status is the command's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.conftest import eventually
from tests.live.owned import PROC

SCRIPT = Path(__file__).parents[2] / "scripts/under_load"
SECONDS = 60
SEEN = 'echo $(cat "/proc/$PPID/task/$PPID/children"); '
"""What the command sees: the processes beside it, and itself."""


@pytest.fixture(autouse=True)
def stress(live: None, require: Callable[..., None]) -> None:
    require(shutil.which("stress-ng"), "no stress-ng here (scripts/setup test installs it)")


def under_load(command: str) -> tuple[int, list[int]]:
    """The exit status, and the processes of the load."""
    done = subprocess.run([SCRIPT, "sh", "-c", SEEN + command], capture_output=True, text=True, check=False)
    beside = next(line for line in done.stdout.splitlines() if line.replace(" ", "").isdecimal())
    return done.returncode, [int(pid) for pid in beside.split()][:-1]


def test_the_load_is_there_as_long_as_the_command() -> None:
    status, load = under_load("exit 3")
    assert (status, len(load)) == (3, 3)
    assert eventually(lambda: not any((PROC / str(pid)).exists() for pid in load), SECONDS)


def test_a_load_that_ends_early_proves_nothing() -> None:
    status, load = under_load(
        'for pid in $(cat "/proc/$PPID/task/$PPID/children"); do kill "$pid"; break; done; sleep 1'
    )
    assert status == 1
    assert eventually(lambda: not any((PROC / str(pid)).exists() for pid in load), SECONDS)
