"""``record`` and ``report`` from their words to their files."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from ppobserve.cli import record
from ppobserve.cli.main import main
from ppobserve.errors import ReadError, RemoteError
from ppobserve.model.snapshot import Snapshot
from ppobserve.source import opening
from ppobserve.source.live import Live
from ppobserve.source.recorded import open_recording
from tests.unit.cli.test_main import Capture, Shown, refused

MOVING = Path(__file__).parent.parent.parent / "data/recordings/moving.jsonl.gz"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    source = Shown()
    monkeypatch.setattr(Live, "start", lambda *_: source)
    yield source
    assert source.closed == 1, "nothing may stay attached"


@pytest.fixture
def unattached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Live, "start", lambda *_: pytest.fail("attached for nothing"))


def times(path: Path) -> list[float]:
    with closing(open_recording(path)) as recorded:
        assert recorded.problems == ()
        return [snapshot.time for snapshot in recorded.snapshots(len(recorded))]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_record_takes_so_many_and_another_goes_on(name: str, shown: Shown, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / name
    assert main(["record", "-o", str(path), "0.01", "3"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith(f"every 0.01 s, Ctrl-C to end\nppobserve: 3 snapshots are in {path}\n")
    assert times(path) == [1e9 + 1, 1e9 + 2, 1e9 + 3]
    shown.closed = 0
    assert main(["record", "-o", str(path), "0.01", "2"]) == 0
    assert times(path) == [1e9 + n for n in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(number: int, shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> Snapshot:
        found = Shown.read(shown)
        if shown.reads == 4:
            os.kill(os.getpid(), number)
        return found

    monkeypatch.setattr(shown, "read", read)
    before = signal.getsignal(number)
    assert main(["record", "-o", str(tmp_path / "a.gz"), "0.01"]) == 0
    assert len(times(tmp_path / "a.gz")) == 4
    assert signal.getsignal(number) == before


def failing(shown: Shown, monkeypatch: pytest.MonkeyPatch, *calls: int) -> None:
    """These reads fail, by their number from 1."""
    number = count(1)

    def read() -> Snapshot:
        if next(number) in calls:
            raise RemoteError("cannot read http://db7:10817: connection refused", fix="start it")
        return Shown.read(shown)

    monkeypatch.setattr(shown, "read", read)


def test_a_read_that_fails_is_a_gap_and_it_goes_on(
    shown: Shown, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that is started anew while one sleeps."""
    failing(shown, monkeypatch, 3, 4, 7)
    assert main(["record", "-o", str(tmp_path / "a.gz"), "0.01", "8"]) == 0
    assert len(times(tmp_path / "a.gz")) == 5
    trouble = "ppobserve: cannot read http://db7:10817: connection refused; trying again\n"
    again = "ppobserve: reading again\n"
    failed = "ppobserve: 3 reads failed, and there is nothing of those moments\n"
    end = f"ppobserve: 5 snapshots are in {tmp_path / 'a.gz'}\n"
    assert capsys.readouterr().err.endswith(f"Ctrl-C to end\n{(trouble + again) * 2}{failed}{end}")


def test_what_could_never_be_read_is_an_error(
    shown: Shown, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(shown, monkeypatch, 1)
    assert main(["record", "-o", str(tmp_path / "a.gz"), "0.01"]) == 1
    assert capsys.readouterr().err.endswith("cannot read http://db7:10817: connection refused\n  try: start it\n")
    assert list(tmp_path.iterdir()) == []


def test_a_daemon_is_recorded_where_there_is_one(
    tmp_path: Path, unattached: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Shown()
    monkeypatch.setattr(opening, "local_daemon", lambda _: ("http://127.0.0.1:10817", daemon))
    assert main(["record", "-o", str(tmp_path / "a"), "0.01", "2"]) == 0
    assert "reading the daemon at http://127.0.0.1:10817" in capsys.readouterr().err
    assert (len(times(tmp_path / "a")), daemon.closed) == (2, 1)


def test_old_parts_go(shown: Shown, tmp_path: Path) -> None:
    words = ["record", "-o", str(tmp_path / "a.jsonl"), "--max-bytes", "1K", "--keep", "2", "0.01", "7"]
    assert main(words) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.1.jsonl", "a.2.jsonl", "a.jsonl"]
    assert times(tmp_path / "a.jsonl") == [1e9 + 5, 1e9 + 6, 1e9 + 7]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: -o"),
        (["-o", "/nowhere/a"], "cannot write /nowhere/a: No such file or directory"),
        (["-o", "/dev/null"], "cannot record into /dev/null: it is no file"),
        (["-o", str(MOVING.parent)], f"cannot write {MOVING.parent}: Is a directory"),
        (["-o", "/tmp/a", "--max-bytes", "0"], "not a positive number: '0'"),
        (["-o", "/tmp/a", "--keep", "-1"], "--keep"),
        (["-o", "/tmp/a", "--from", str(MOVING)], f"{MOVING} is a recording already\n  try: ppobserve top --from"),
        (["-o", "/tmp/a", "--from", "http://127.0.0.1:9", "--level", "lean"], "--level and --rung are for --from live"),
    ],
)
def test_where_nothing_can_be_recorded_nothing_is_attached(
    words: list[str], said: str, unattached: None, capsys: Capture
) -> None:
    status, err = refused(lambda: main(["record", *words]), capsys)
    assert status == 2
    assert said in err


def test_a_file_of_another_kind_is_left_as_it_is(unattached: None, capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text(text := Path(__file__).read_text())
    status, err = refused(lambda: main(["record", "-o", str(path)]), capsys)
    assert (status, path.read_text()) == (2, text)
    assert f"cannot record into {path}: it is there, and not a recording\n  try: another name" in err


def test_who_can_not_attach_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Live:
        raise ReadError("no")

    monkeypatch.setattr(Live, "start", fail)
    assert main(["record", "-o", str(tmp_path / "a.gz")]) == 1
    assert list(tmp_path.iterdir()) == []


class Told(threading.Event):
    """A clock for ``moments``: waiting moves it, and so does the work."""

    now = 1000.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now += max(timeout or 0.0, 0.0)
        return self.is_set()


@pytest.mark.parametrize(
    ("work", "at"),
    [
        ([0.0, 0.0, 0.0, 0.0], [0, 2, 4, 6]),
        ([0.5, 1.9, 0.1, 0.0], [0, 2, 4, 6]),
        ([2.5, 0.0, 7.0, 0.0], [0, 4, 6, 14]),
        ([2.0, 2.0, 2.0, 2.0], [0, 2, 4, 6]),
    ],
)
def test_moments_keep_to_the_clock_whatever_the_work(
    work: list[float], at: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, seen = Told(), []
    monkeypatch.setattr(record.time, "monotonic", lambda: told.now)
    for took, _ in zip(work, record.moments(2.0, 4, told), strict=True):
        seen.append(told.now - 1000)
        told.now += took
    assert seen == at


def test_report_writes_a_page(tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "report.html"
    assert main(["report", str(MOVING), "-o", str(page)]) == 0
    assert capsys.readouterr() == ("", "")
    assert "ppv1 dropped" in page.read_text()


def test_report_of_what_is_none_is_a_sentence(tmp_path: Path, capsys: Capture) -> None:
    words = ["report", __file__, "-o", str(tmp_path / "report.html")]
    status, err = refused(lambda: main(words), capsys)
    assert status == 2
    assert err.startswith(f"ppobserve: {__file__} is not a recording")
    assert list(tmp_path.iterdir()) == []


def test_report_to_nowhere_is_a_sentence(capsys: Capture) -> None:
    status, err = refused(lambda: main(["report", str(MOVING), "-o", "/nowhere/report.html"]), capsys)
    assert (status, err) == (2, "ppobserve: cannot write /nowhere/report.html: No such file or directory\n")


def test_report_of_parts_is_of_all(shown: Shown, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    main(["record", "-o", str(path), "--max-bytes", "1K", "0.01", "3"])
    assert main(["report", str(path), "-o", str(tmp_path / "r.html")]) == 0
    assert "3 snapshots, 3 of them" in (tmp_path / "r.html").read_text()
