"""Guests as slots become free, with shells in their place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from vmtest import report, schedule, slots
from vmtest.kernels import Kernel, KernelMissing
from vmtest.schedule import Schedule, Start


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Guests' results, slots and rows there; one slot."""

    @contextmanager
    def claimed(name: str) -> Iterator[Path]:
        results = tmp_path / name
        results.mkdir()
        yield results

    monkeypatch.setattr(schedule, "claimed", claimed)
    monkeypatch.setattr(schedule, "TOP", tmp_path)
    monkeypatch.setattr(schedule, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(slots, "take", lambda take=slots.take: take(tmp_path / "slots"))
    monkeypatch.setenv("PPOBSERVE_SLOTS", "1")
    monkeypatch.setenv("PPOBSERVE_ROWS", str(tmp_path / "rows"))
    return tmp_path


def guest(shell: str, version: str = "") -> Start:
    def start(results: Path) -> tuple[list[str], Kernel | None]:
        kernel = Kernel(results.name, version, Path("vmlinuz")) if version else None
        return ["sh", "-c", f"cd {results}; {shell}"], kernel

    return start


def missing(results: Path) -> tuple[list[str], Kernel | None]:
    raise KernelMissing("no kernel oldest: suite bullseye: gone")


@pytest.fixture
def run() -> Iterator[Callable[..., Schedule]]:
    with ExitStack() as stack:
        yield lambda **guests: Schedule(stack, guests)


def test_guests_run_in_their_order_and_one_waits_for_the_slot_of_another(run, folder: Path) -> None:
    both = "echo %s >> ../order; sleep 0.2; echo %s >> ../order"
    guests = run(a=guest(both % ("a", "a")), b=guest(both % ("b", "b")))
    assert (guests.finished("b").status, guests.finished("a").status) == (0, 0)
    assert (folder / "order").read_text().split() == ["a", "a", "b", "b"]


def test_a_guest_without_a_kernel_does_not_keep_the_others_from_running(run) -> None:
    guests = run(oldest=missing, stable=guest("exit 3", "6.12.117-1"))
    assert guests.finished("oldest").not_run == "no kernel oldest: suite bullseye: gone"
    stable = guests.finished("stable")
    assert (stable.status, stable.title, stable.not_run) == (3, "stable 6.12.117-1", "")


def test_a_kernel_of_two_roles_runs_once(run) -> None:
    guests = run(stable=guest("true", "6.12.117-1"), newest=guest("exit 1", "6.12.117-1"))
    assert guests.finished("newest").not_run == "the same kernel as stable"


def test_each_guest_is_a_row_of_the_summary(run, folder: Path) -> None:
    junit = '<testsuites><testsuite tests="5" failures="1" errors="0" skipped="1"/></testsuites>'
    guests = run(newest=guest(f"echo '{junit}' > junit.xml", "7.3.4-1"), oldest=missing)
    guests.finished("newest"), guests.finished("oldest")
    newest, oldest = report.rows(folder / "rows")
    assert (newest.tier, newest.counts, newest.log) == ("newest 7.3.4-1", report.Counts(3, 1, 1), "newest/log")
    assert (oldest.tier, oldest.counts, bool(oldest.not_run)) == ("oldest", report.Counts(), True)


def test_progress_is_a_line_for_all_guests(run, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(schedule, "PROGRESS_SECONDS", 0.2)
    lines = ["tests/live/test_a.py::test_a PASSED  [  7%]", "tests/live/test_a.py::test_b FAILED  [ 14%]"]
    written = "; ".join(f"echo '{line}' >> log" for line in lines)
    run(newest=guest(f"{written}; sleep 3", "7.3.4-1")).finished("newest")
    assert "0 min: newest 7.3.4-1: 14 %, 1 failed" in capsys.readouterr().out.splitlines()


def test_what_still_runs_is_ended(folder: Path) -> None:
    with ExitStack() as stack:
        guests = Schedule(stack, {"a": guest("true"), "b": guest("touch begun; exec sleep 60")})
        guests.finished("a")
        (running,) = guests._running.values()
        assert running.status is None
    assert running.status not in (0, None)


def test_a_program_that_boots_a_guest_itself_is_not_run_without_its_kernel(run, monkeypatch) -> None:
    monkeypatch.setattr(schedule, "find", missing)
    assert "suite bullseye: gone" in run(bench=schedule.command("-c", "", kernel="oldest")).finished("bench").not_run


def test_the_live_tests_run_in_a_guest_of_that_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kernel = Kernel("stable", "6.12.117-1", Path("vmlinuz"))
    monkeypatch.setattr(schedule, "find", lambda name: kernel)
    words, found = schedule.live_tests("stable", "--tests attach")(tmp_path)
    assert found is kernel
    assert words[:2] == [sys.executable, "-m"]
    assert words[-2:] == ["stable", f"{sys.executable} -B -m vmtest.live_tests {tmp_path} --tests attach"]
