"""The command, as an operator runs it: into a pipe, ended by Ctrl-C, or by a reader that has seen enough."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest

from ppobserve.lab.frames import run_frames
from tests.live.traffic import has_frames

SECONDS = 120
SCHEMA = jsonschema.Draft202012Validator(json.loads((Path(__file__).parents[2] / "docs/schema/trace.json").read_text()))
COMMAND = (sys.executable, "-m", "ppobserve.cli.main", "trace", "--netdev", "-")


@pytest.fixture(autouse=True)
def frames(live: None, own_turn: None, require: Callable[..., None]) -> None:
    require(has_frames(), "the kernel has no live frames", capability="frames")


@contextmanager
def tracing(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The command, at work: it has said what it traces."""
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *words], stdout=pipe, stderr=pipe, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def test_ctrl_c_ends_it_with_the_sum_of_what_it_said() -> None:
    with tracing("--json", "--event", "slow,destroy", "--limit", "0") as running:
        assert running.stdout
        start = json.loads(running.stdout.readline())
        run_frames(64 * 3, cpu=0, per_pool=64)
        shown = [json.loads(running.stdout.readline()) for _ in range(6)]
        running.send_signal(signal.SIGINT)
        rest, err = running.communicate(timeout=SECONDS)
    assert (start["event"], start["schema"], start["kinds"]) == ("start", 1, ["slow", "destroy"])
    assert [each["event"] for each in shown] == ["slow", "destroy"] * 3
    assert {each["pages"] for each in shown if each["event"] == "destroy"} == {0}
    end = json.loads(rest.splitlines()[-1])
    for each in (start, *shown, *map(json.loads, rest.splitlines())):
        SCHEMA.validate(each)
    assert (end["event"], end["limited"], end["lost"]) == ("end", 0, 0)
    assert end["shown"] >= 6
    assert (running.returncode, err) == (0, "")


def test_a_reader_that_has_seen_enough_ends_it_quietly() -> None:
    with tracing("--event", "return") as running:
        assert running.stdout and running.stderr
        assert running.stdout.readline().startswith("Tracing return by ")
        running.stdout.close()
        run_frames(1009, cpu=0, per_pool=1009)
        assert running.wait(SECONDS) == 0
        assert running.stderr.read() == ""


def test_after_its_count_it_ends_by_itself_with_the_sum() -> None:
    with tracing("--event", "return", "--count", "5", "--stack") as running:
        assert running.stdout
        assert running.stdout.readline().startswith("Tracing return by ")
        run_frames(1009, cpu=0, per_pool=1009)
        out, err = running.communicate(timeout=SECONDS)
    lines = out.splitlines()
    assert lines[-1].startswith("5 events shown, ")
    assert sum(" return " in line for line in lines) == 5
    assert any(line.startswith("    page_pool_") for line in lines)
    assert (running.returncode, err) == (0, "")
