"""A flag that signal handlers set, wherever they interrupt what waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ppobserve.cli.interrupt import Flag

STORM = """
import os, signal, threading, time
from ppobserve.cli.interrupt import Flag

flag = Flag()
for each in (signal.SIGINT, signal.SIGTERM):
    signal.signal(each, lambda *_: flag.set())
pid, end = os.getpid(), time.monotonic() + 2

def storm():
    while time.monotonic() < end:
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)

threading.Thread(target=storm).start()
while time.monotonic() < end:
    flag.wait(0.001)
    flag.is_set()
print("through")
"""


@pytest.fixture
def flag() -> Iterator[Flag]:
    flag = Flag()
    yield flag
    flag.close()


def test_it_is_set_once_and_for_all(flag: Flag) -> None:
    assert not flag.wait(-1) and not flag.wait(0.01) and not flag.is_set()
    flag.set()
    assert flag.wait(60) and flag.wait(0) and flag.is_set()


def test_setting_it_very_often_does_not_block(flag: Flag) -> None:
    for _ in range(100_000):  # more than a pipe takes
        flag.set()
    assert flag.is_set()


def test_a_signal_ends_a_wait(flag: Flag) -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: flag.set())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert flag.wait(60)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_signals_in_the_midst_of_each_other_stop_nothing() -> None:
    """With a threading.Event, this hangs: so did a recorder that got Ctrl-C and SIGTERM at once."""
    done = subprocess.run(
        [sys.executable, "-c", STORM], env=os.environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "through\n"), done.stderr
