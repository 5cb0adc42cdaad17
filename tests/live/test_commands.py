"""Commands as an operator runs them, while a device receives: what hangs on this Python and this BCC."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ppobserve.kernel.features import gather
from ppobserve.lab.veth import VethLab
from ppobserve.model.plan import Level, Rung, make_plan
from ppobserve.model.series import total
from ppobserve.source.recorded import open_recording
from tests.live.conftest import TURNS

TOP = Path(__file__).parents[2]
PATIENCE_SECONDS = 900  # an emulated CPU compiles for half a minute, and for ten where many others run
PAUSE_SECONDS = 0.3  # an emulated CPU has to compile beside it
pytestmark = [pytest.mark.host, pytest.mark.usefixtures("veth")]


def ppobserve(*words: str) -> subprocess.CompletedProcess[str]:
    """A command, which must do well."""
    command = [sys.executable, "-m", "ppobserve.cli.main", *words]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    return done


def best() -> Rung:
    """The rung that is taken where none is asked for."""
    return make_plan(gather(), Level.STANDARD).rung


@pytest.fixture
def receiver() -> Iterator[str]:
    """The name of a device that receives all the time. Spliced data keeps pages from being recycled: the one thing that
    each rung sees."""
    end = threading.Event()

    def send(lab: VethLab) -> None:
        while not end.wait(PAUSE_SECONDS):
            lab.send(100_003, splice=True)

    with VethLab() as lab:
        sender = threading.Thread(target=send, args=(lab,))
        sender.start()
        try:
            yield lab.receiver.device
        finally:
            end.set()
            sender.join()


def test_check_says_that_it_is_observable() -> None:
    said = ppobserve("check").stdout
    assert f"level standard, by {best().value}" in said
    assert "\nobservable: yes\n" in said


def test_top_shows_the_device_that_receives(rung: Rung, receiver: str) -> None:
    shown = ppobserve("top", "--once", "--rung", rung.value)
    assert f"by {rung.value}" in shown.stdout + shown.stderr
    assert receiver in shown.stdout.split()


def test_a_recording_is_a_report(receiver: str, tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    for turn in range(TURNS):  # on a busy host no page may come in the second that one takes
        recording = tmp_path / f"{turn}.jsonl.gz"
        ppobserve("record", "-o", str(recording), "--level", "standard", "0.5", "3")
        with closing(open_recording(recording)) as recorded:
            snapshots = [recorded.snapshot(number) for number in range(len(recorded))]
        assert [snapshot.plan.rung for snapshot in snapshots] == [best()] * 3
        held = [total(pool.counters["pages_held"]) for pool in snapshots[-1].pools if pool.pool.netdev == receiver]
        if any(held):
            break
    assert any(held)
    ppobserve("report", str(recording), "-o", str(page))
    assert receiver in page.read_text()
