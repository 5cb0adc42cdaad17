"""Other Pythons and BCCs: the tests pass there, and what is too old says so."""

from __future__ import annotations

import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from ppobserve.cli import OLDEST
from ppobserve.kernel.features import gather
from ppobserve.model.plan import Rung
from tests import support
from tests.support_userspaces import note, rungs
from vmtest import chroot, pythons, report
from vmtest.guest import TOP
from vmtest.userspace_tests import KERNEL, OLDER_BCC
from vmtest.userspaces import SUITES, TOO_OLD, Userspace

Passed = Callable[[str], Path]
Have = Callable[[str], Userspace]
TOO_OLD_FOR = ("python3 -m ppobserve.cli.main check", "python3 -m ppobserve.cli.main", "scripts/setup")
WAIT_SECONDS = 60
NAP = f"600.{os.getpid()}"
HERE = "{}.{}".format(*sys.version_info)

ORPHAN = """
import subprocess, time
subprocess.run(["sh", "-c", "sleep 0.1 &"])
time.sleep(1)
subprocess.run("grep -h State: /proc/[0-9]*/status", shell=True)
"""


def of_suites(job: str) -> list[str]:
    return [f"{suite}-{job}" for suite in SUITES]


@pytest.mark.parametrize("job", of_suites(KERNEL))
def test_newest_kernel_by_every_rung(job: str, passed: Passed, userspace: Have) -> None:
    found = rungs(passed(job) / "junit.xml")
    keep(userspace(job.partition("-")[0]), newest=found)
    assert found == "fentry, kprobe, tracepoint"


@pytest.mark.parametrize("job", of_suites("host"))
def test_this_kernel(job: str, passed: Passed, userspace: Have) -> None:
    found = rungs(passed(job) / "junit.xml")
    keep(userspace(job.partition("-")[0]), host=found)
    assert "tracepoint" in found


@pytest.mark.parametrize("job", [f"{OLDER_BCC}-host"])
def test_this_kernel_by_the_oldest_python_and_a_bcc_as_old(job: str, passed: Passed, userspace: Have) -> None:
    """The pair of Ubuntu 22.04."""
    found = rungs(passed(job) / "junit.xml")
    python, old = pythons.VERSIONS[0], userspace(OLDER_BCC)
    note(f"Python {python} with {old.name}'s BCC", python=python, bcc=old.bcc, host=found)
    support.write_page()
    assert "tracepoint" in found


@pytest.mark.parametrize("job", of_suites("unit"))
def test_unit_tests(job: str, passed: Passed, userspace: Have) -> None:
    assert report.counts(passed(job) / "junit.xml").passed
    keep(userspace(job.partition("-")[0]), unit="yes")


@pytest.mark.parametrize("job", [f"python{version}-unit" for version in pythons.VERSIONS])
def test_unit_tests_by_another_python(job: str, passed: Passed) -> None:
    assert report.counts(passed(job) / "junit.xml").passed
    python = job.partition("-")[0].removeprefix("python")
    note(f"Python {python} without BCC", python=python, unit="yes")
    support.write_page()


def test_this_machine_has_a_row(live: None) -> None:
    """Everything runs here, and in the guests of every role: what those tiers found is in docs/support."""
    release = platform.freedesktop_os_release()
    host = support.rungs_of(platform.release())
    assert host == ", ".join(rung for rung in Rung if not gather().refusals.get(rung))
    note(
        f"{release['ID'].title()} {release['VERSION_ID']}",
        python=HERE,
        bcc=".".join(version("bcc").split(".")[:2]),
        unit="yes",
        host=host,
        newest=support.rungs_of_newest(),
    )
    support.write_page()


@pytest.mark.parametrize("command", TOO_OLD_FOR)
@pytest.mark.parametrize("suite", TOO_OLD)
def test_too_old_a_python_is_told_in_one_sentence(suite: str, command: str, userspace: Have) -> None:
    old = userspace(suite)
    refused = subprocess.run(chroot.command(old.root, command), cwd=TOP, capture_output=True, text=True)
    needed = f"ppobserve needs Python {'.'.join(map(str, OLDEST))} or later"
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"{needed}; this is {old.python} (/usr/bin/python3)\n"
    keep(old, unit=needed)


def test_every_version_that_is_classified_runs_in_a_tier(userspace: Have) -> None:
    classified = set(re.findall(r"Python :: (3\.\d+)\"", (TOP / "pyproject.toml").read_text()))
    assert classified == {HERE, *pythons.VERSIONS, *(userspace(suite).python for suite in SUITES)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_when_what_runs_there_is_ended(number: signal.Signals, userspace: Have, tmp_path: Path) -> None:
    before = Path("/proc/mounts").read_text()
    words = chroot.command(userspace(next(iter(SUITES))).root, f"touch {tmp_path}/up; exec sleep {NAP}", tmp_path)
    with subprocess.Popen(words, cwd=TOP) as running:
        wait_until(lambda: (tmp_path / "up").exists() and bool(sleepers()))
        running.send_signal(number)
        assert running.wait(WAIT_SECONDS) == -number
    wait_until(lambda: not sleepers())
    assert Path("/proc/mounts").read_text() == before


def test_orphans_are_fetched(userspace: Have) -> None:
    """The tests are not process 1, which would have to."""
    words = chroot.command(userspace(next(iter(SUITES))).root, f"exec python3 -c {shlex.quote(ORPHAN)}")
    states = subprocess.run(words, cwd=TOP, capture_output=True, text=True, check=True).stdout
    assert states.count("State:") > 1
    assert "zombie" not in states


def sleepers() -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*/cmdline") if _read(path) == f"sleep\0{NAP}\0".encode()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def keep(userspace: Userspace, **cells: str) -> None:
    note(userspace.name, python=userspace.python, bcc=userspace.bcc, **cells)
    support.write_page()
