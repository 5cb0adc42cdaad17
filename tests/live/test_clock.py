"""A daemon in a time namespace: the kernel's stamps are the host's, this process's clocks are not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ppobserve.kernel import clock
from ppobserve.lab.frames import run_frames
from ppobserve.lab.veth import VethLab
from ppobserve.model.snapshot import State
from ppobserve.source.live import Live
from tests.live.conftest import Start, eventually, of_device

AHEAD = 100_000
SHIFTED = ("unshare", "--time", "--fork", "--monotonic", str(AHEAD), "--boottime", str(AHEAD))
PPOBSERVE = (*SHIFTED, sys.executable, "-m", "ppobserve.cli.main")
PARKED, SENT = 30_011, 100_003
SLACK, LIMIT = 300, 240  # seconds, on an emulated CPU


@pytest.fixture(scope="module", autouse=True)
def namespaces(live: None, require: Callable[..., None]) -> None:
    require(Path("/proc/self/ns/time").exists(), "the kernel has no time namespaces (CONFIG_TIME_NS)")


def shifted(*words: str) -> list[dict[str, Any]]:
    """Run a command of ours in a time namespace and return its JSON documents."""
    done = subprocess.run([*PPOBSERVE, *words, "--json"], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_here_the_kernels_clocks_are_ours() -> None:
    assert clock.measure() == clock.Clock()


@pytest.mark.usefixtures("veth")
def test_a_zombie_is_as_old_as_it_is(start: Start) -> None:
    source = start()
    with VethLab(receiver_cpu=0) as lab:
        lab.send(SENT, cpu=0)
        lab.park(PARKED, cpu=0)
        destroyed = time.monotonic()
        lab.destroy_pools()
        assert eventually(lambda: is_detached(source, lab), SLACK)
        (snapshot,) = shifted("top", "--once", "--level", "standard")
        age = time.monotonic() - destroyed
        (zombie,) = (each for each in snapshot["pools"] if each["netns"] == lab.receiver.netns and each["ifindex"])
        assert 0 <= zombie["gauges"]["pool_detached_seconds"] <= age + 1
        lab.read_parked(PARKED)
    assert abs(snapshot["uptime"] - time.clock_gettime(time.CLOCK_BOOTTIME)) < SLACK


def is_detached(source: Live, lab: VethLab) -> bool:
    return [each.pool.state for each in of_device(source.read(), lab.receiver)] == [State.DETACHED]


@pytest.mark.usefixtures("frames")
def test_events_have_the_time_at_which_they_happened() -> None:
    pipe = subprocess.PIPE
    command = [*PPOBSERVE, "trace", "--event", "destroy", "--netdev", "-", "--count", "1", "--json"]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as running:
        assert running.stdout and json.loads(running.stdout.readline())["event"] == "start"
        before = time.time()
        run_frames(64)
        event = json.loads(running.stdout.readline())
        after = time.time()
        running.communicate(timeout=LIMIT)
    assert before - 1 <= event["time_ns"] / 1e9 <= after + 1
