"""What the demo starts ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from demo.process import TOP, DemoError, output, started

ENDS = """
import sys, time
from demo.process import end_on_signals, started
end_on_signals()
with started(["sh", "-c", "trap 'sleep 0.5; echo cleaned; exit' TERM; echo ready; while :; do sleep 0.1; done"]):
    time.sleep(60)
"""


def test_output_is_what_a_program_prints() -> None:
    assert output(["sh", "-c", "echo ' one '; echo two >&2"]) == "one"


def test_a_program_that_fails_has_the_last_word() -> None:
    with pytest.raises(DemoError, match=r"\Aoops\Z"):
        output(["sh", "-c", "echo oops >&2; exit 3"])


def test_a_program_ends_with_its_block() -> None:
    with started(["sleep", "60"]) as process:
        pass
    assert process.returncode == -signal.SIGTERM


def test_what_a_program_started_ends_with_it_too() -> None:
    with started(["sh", "-c", "sleep 60 & echo started; wait"], apart=True, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == "started\n"
    end = time.monotonic() + 10
    while time.monotonic() < end and has_members(process.pid):
        time.sleep(0.05)
    assert not has_members(process.pid)


def has_members(group: int) -> bool:
    """True if a process of the group still runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_does_not_disturb_the_end(number: signal.Signals) -> None:
    demo = subprocess.Popen([sys.executable, "-c", ENDS], cwd=TOP, stdout=subprocess.PIPE, text=True)
    with demo:
        assert demo.stdout and demo.stdout.readline() == "ready\n"
        demo.send_signal(number)
        time.sleep(0.2)
        os.kill(demo.pid, number)
        assert demo.stdout.read() == "cleaned\n"
    assert demo.returncode == 128 + number
