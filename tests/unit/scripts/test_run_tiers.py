"""The summary of all tiers: what failed, and why, is in the last lines."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from scripts.run_tiers import Tier, run_tiers
from vmtest import slots

PASSES = "def test_it(): assert True\n"
FAILS = "def test_it(): assert 6 * 7 == 41, 'what six times seven is'\n"
SKIPS = "import pytest\ndef test_it(): pytest.skip('no such card')\n"


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str]]]:
    """`run(host={"unit": SHELL}, guests={...})`: the exit status, and the lines printed."""

    def run(host: dict[str, str], guests: dict[str, str] | None = None) -> tuple[int, list[str]]:
        commands = {**host, **(guests or {})}

        def command(tier: str, junit: Path) -> Sequence[str]:
            return ["env", f"JUNIT={junit}", "sh", "-c", commands[tier]]

        status = run_tiers(list(host), list(guests or {}), tmp_path / "tiers", command)
        return status, capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def pytest_on(tmp_path: Path) -> Callable[[str], str]:
    """`pytest_on(text)`: a shell command that runs a file of tests."""

    def written(text: str) -> str:
        file = tmp_path / f"test_{len(list(tmp_path.iterdir()))}.py"
        file.write_text(text)
        words = shlex.join([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(file)])
        return f'{words} --junitxml="$JUNIT"'

    return written


def test_a_later_tier_runs_after_one_that_failed_and_the_last_line_is_the_sum(run, pytest_on) -> None:
    status, lines = run({"a": pytest_on(FAILS), "b": pytest_on(PASSES + SKIPS.replace("test_it", "test_card"))})
    assert status == 1
    assert lines[-1] == "1 passed, 1 failed, 1 skipped"
    a, b = lines[-4:-2]
    assert a.split()[:4] == ["a", "0", "1", "0"] and a.endswith("a.log")
    assert b.split()[:4] == ["b", "1", "0", "1"]


def test_the_end_says_which_test_failed_and_why(run, pytest_on) -> None:
    _, lines = run({"a": pytest_on(FAILS), "b": pytest_on(PASSES)})
    end = "\n".join(lines[-40:])
    assert "--- a failed ---" in end and "test_it" in end and "what six times seven is" in end
    assert "--- b failed ---" not in end


def test_a_tier_that_ends_badly_without_a_report_is_a_failure_and_its_log_is_shown(run) -> None:
    status, lines = run({"lint": "echo x.py:1: undefined name; exit 2"})
    assert (status, lines[-1]) == (1, "0 passed, 1 failed, 0 skipped")
    assert "x.py:1: undefined name" in lines


def test_all_well(run, pytest_on) -> None:
    status, lines = run({"a": pytest_on(PASSES)}, {"guests": pytest_on(PASSES)})
    assert (status, lines[-1]) == (0, "2 passed, 0 failed, 0 skipped")


def test_lanes_run_beside_each_other(run, tmp_path: Path) -> None:
    wait = f"touch {tmp_path}/%s; for i in $(seq 100); do [ -e {tmp_path}/%s ] && exit 0; sleep 0.1; done; exit 1"
    status, _ = run({"a": wait % ("mine", "theirs")}, {"b": wait % ("theirs", "mine")})
    assert status == 0


def test_a_tier_may_have_rows_of_its_own(run) -> None:
    row = '{"tier": "newest 7.3.4", "counts": {"passed": 5, "failed": 0, "skipped": 2}, "minutes": 3.5, "log": "l"}'
    gone = row.replace("newest 7.3.4", "oldest").replace('"l"', '"l", "not_run": "no suite bullseye"')
    status, lines = run({"guests": f"echo '{row}' >> $PPOBSERVE_ROWS; echo '{gone}' >> $PPOBSERVE_ROWS"})
    assert status == 0
    assert lines[-4].split() == ["newest", "7.3.4", "5", "0", "2", "3.5", "l"]
    assert lines[-3].split(maxsplit=1) == ["oldest", "not run: no suite bullseye"]


def test_figures_are_shown(run) -> None:
    _, lines = run({"a": "echo '=== figures ==='; echo 'this host  RSS  27 MiB'; echo '=== 1 passed ==='"})
    assert "this host  RSS  27 MiB" in lines


def test_the_host_lane_gives_its_slot_back_at_its_end(tmp_path: Path) -> None:
    slot = slots.wait(tmp_path / "slots")
    freed = f"for i in $(seq 100); do flock -n {slot.name} true && exit 0; sleep 0.1; done; exit 1"
    assert run_tiers(["a"], ["b"], tmp_path / "t", lambda t, _: ["sh", "-c", {"a": "true", "b": freed}[t]], slot) == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_interrupted_it_ends_what_runs_and_says_what_was_done(tmp_path: Path, number: int, status: int) -> None:
    code = (
        "import sys, signal; from pathlib import Path; from scripts.run_tiers import run_tiers\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "shell = {'a': 'true', 'b': 'touch begun; exec sleep 100', 'c': 'true'}\n"
        f"command = lambda tier, junit: ['sh', '-c', 'cd {tmp_path}; ' + shell[tier]]\n"
        f"sys.exit(run_tiers(['a', 'b', 'c'], [], Path('{tmp_path}/tiers'), command))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    end = time.monotonic() + 120
    while not (tmp_path / "begun").exists() and time.monotonic() < end:
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == status
    assert "c not run: interrupted" in out
    assert re.search(r"^b +0 +1 +0 +\d+\.\d  \S+b\.log$", out, re.MULTILINE)
    assert out.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


def test_a_tier_that_is_interrupted_as_it_starts_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it has begun before the call that starts it returns."""
    popen = subprocess.Popen

    def interrupted(*args, **options):
        process = popen(*args, **options)
        signal.raise_signal(signal.SIGINT)
        return process

    tier = Tier("a", tmp_path)
    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tier.start(lambda name, junit: ["true"])
    assert tier.process
    assert tier.process.wait(60) == 0
    assert tier.running is False
