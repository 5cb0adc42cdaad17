"""``ppobserve top`` as text and JSON, on a recording of a guest with two nodes, and on a source that goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from ppobserve.cli import top
from ppobserve.cli.main import main
from ppobserve.errors import ReadError
from ppobserve.model.document import from_document
from ppobserve.model.plan import Level, Rung
from ppobserve.model.snapshot import Snapshot
from ppobserve.source import Opening
from ppobserve.source.recorder import Recorder
from ppobserve.ui.screen.app import TopApp
from ppobserve.ui.view import View
from tests.unit.export.samples import Source, moment
from tests.unit.ui.recorded import RECORDING, recorded

Capture = pytest.CaptureFixture[str]
GAPS = (
    "ppobserve: at 1:54: nothing was recorded for 16 s\n"
    "ppobserve: at 2:10: nothing was recorded for 21 s\n"
    "ppobserve: at 3:03: nothing was recorded for 15 s\n"
    f"ppobserve: and 4 more oddities: ppobserve report {RECORDING} -o FILE.html  lists them\n"
)
"""What is said of the recording: its guest was busy."""
SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schema/snapshot.json").read_text())


def shown(capsys: Capture, *words: str, recording: bool = True) -> list[str]:
    assert main(["top", *(["--from", str(RECORDING)] if recording else []), *words]) == 0
    said = capsys.readouterr()
    assert said.err == (GAPS if recording else "")
    return said.out.splitlines()


def pools(lines: list[str]) -> list[str]:
    return [line.split()[0] for line in lines if line and line.split()[0].isdecimal()]


def test_a_recording_is_shown_in_its_own_time(capsys: Capture) -> None:
    lines = shown(capsys, "60", "-T")
    assert lines[0] == "ppobserve: level full, by fentry"
    assert lines.count(lines[1]) == 7, "391 s in steps of 60"
    assert "Ctrl-C" not in lines[0]
    assert max(map(len, lines)) < 80


def test_once_is_one_step(capsys: Capture) -> None:
    assert pools(shown(capsys, "--once", "300")) == pools(shown(capsys, "300", "1")) == ["7", "3", "6", "5", "4"]


def test_sorts_limits_filters_and_columns(capsys: Capture) -> None:
    def of(*words: str) -> list[str]:
        return pools(shown(capsys, "300", "1", *words))

    assert of("--sort", "pool") == ["3", "4", "5", "6", "7"]
    assert of("--sort", "pool", "--reverse") == ["7", "6", "5", "4", "3"]
    assert of("--limit", "2") == ["7", "3"]
    assert of("--filter", "netdev=ppv*") == ["7", "6", "5", "4"]
    assert of("--filter", "driver=virtio*") == ["3"]
    assert of("--filter", "netdev=ppv* mismatches>1") == ["7"]
    lines = shown(capsys, "300", "1", "--columns", "netdev,remote", "--filter", "virtio")
    assert lines[1].split() == ["NETDEV", "REMOTE"]
    assert lines[2].split()[0] == "eth0" and len(lines[2].split()) == 2


def test_a_filter_that_fits_nothing_says_so(capsys: Capture) -> None:
    assert "no pool fits the filter" in shown(capsys, "300", "1", "--filter", "netdev=nothing")


def test_json_lines_are_valid_by_the_schema_that_ships(capsys: Capture) -> None:
    lines = shown(capsys, "1", "--json")
    assert len(lines) == len(recorded()) - 1
    check = jsonschema.Draft202012Validator(SCHEMA)
    for line in lines:
        check.validate(json.loads(line))
    assert [from_document(json.loads(line)) for line in lines] == recorded()[1:]


def test_json_has_the_pools_of_the_view_in_its_order(capsys: Capture) -> None:
    (line,) = shown(capsys, "300", "1", "--json", "--filter", "netdev=ppv*", "--sort", "pool", "--limit", "3")
    snapshot = from_document(json.loads(line))
    assert [sample.pool.id for sample in snapshot.pools] == ["4", "5", "6"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sort", "slwo"], "--sort: there is no column 'slwo'\n  try: slow"),
        (["--columns", "pool,slwo"], "--columns: there is no column 'slwo'"),
        (["--filter", "slow>x"], "filter: 'slow>x' compares with 'x', which is no number"),
        (["--limit", "0"], "not a positive number of pools: '0'"),
        (["--json", "--columns", "pool"], "--columns is for text"),
        (["--level", "full"], "--level and --rung are for --from live"),
        (["--from", "http://host:1/metrics"], "'http://host:1/metrics' is not the address of a daemon"),
        (["--from", "/nonexistent"], "cannot read /nonexistent: No such file"),
    ],
)
def test_what_can_not_be_shown_exits_2_with_a_sentence(words: list[str], said: str, capsys: Capture) -> None:
    try:
        status = main(["top", "--from", str(RECORDING), *words])
    except SystemExit as caught:
        status = int(caught.code or 0)
    told = capsys.readouterr()
    assert (status, told.out) == (2, "")
    assert said in told.err and "Traceback" not in told.err


def test_a_daemon_that_is_down_exits_1_with_a_sentence(capsys: Capture) -> None:
    assert main(["top", "--from", "http://127.0.0.1:1", "--once"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("ppobserve: cannot read http://127.0.0.1:1: connection refused\n")


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Source:
    """A source that is opened whatever is asked for, and shows a second more at each read."""
    source = Source(*(replace(moment(), time=1e9 + second) for second in range(9)))
    source.close = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setattr(top, "open_source", lambda *_: source)
    return source


def test_a_clock_that_goes_back_is_told_and_gives_no_rates(live: Source, capsys: Capture) -> None:
    live.shown = [replace(moment(), time=time) for time in (1000.0, 1001.0, 996.0, 997.0)]
    lines = shown(capsys, "0.01", "3", recording=False)
    assert lines.count("-: the clock went back by 5 s: no rates this time") == 1
    assert [line.split().count("-") for line in lines if line.startswith("23 ")] == [1, 5, 1]


def test_a_clock_that_is_set_is_told_and_rates_are_of_the_time_that_passed(live: Source, capsys: Capture) -> None:
    live.shown = [replace(moment(), time=1000.0 + step, uptime=50.0 + place) for place, step in enumerate((0, 1, 3602))]
    lines = shown(capsys, "0.01", "2", recording=False)
    assert lines.count("the clock was set on by 3600.0 s: rates are of the 1 s that passed") == 1


def test_a_source_that_fails_midway_ends_with_its_sentence(live: Source, capsys: Capture) -> None:
    def fail() -> Snapshot:
        raise ReadError("pools ended faster than they could be read")

    shown(capsys, "0.01", "1", recording=False)
    live.read = fail  # type: ignore[method-assign]
    assert main(["top", "0.01", "2"]) == 1
    assert capsys.readouterr().err == "ppobserve: pools ended faster than they could be read\n"


def test_level_and_rung_are_asked_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Opening | None] = []

    def refuse(text: str, opening: Opening | None, say: object) -> None:
        asked.append(opening)
        raise ReadError("enough")

    monkeypatch.setattr(top, "open_source", refuse)
    assert main(["top", "--once"]) == main(["top", "--once", "--level", "lean", "--rung", "kprobe"]) == 1
    assert asked == [Opening(), Opening(Level.LEAN, Rung.KPROBE)]


def run(command: str) -> subprocess.CompletedProcess[str]:
    whole = f"{sys.executable} -m ppobserve.cli.main top --from {RECORDING} {command}"
    return subprocess.run(["bash", "-o", "pipefail", "-c", whole], capture_output=True, text=True, timeout=60)


def test_a_reader_that_has_seen_enough_ends_it_quietly() -> None:
    for command in ("1 | head -n 1", "1 --json | head -n 1", "1 -T | head -c 1"):
        done = run(command)
        assert (done.returncode, done.stderr) == (0, GAPS), command
        assert len(done.stdout.splitlines()) == 1


def test_text_and_the_daemon_do_not_import_what_draws_the_screen() -> None:
    code = (
        "import sys; from ppobserve.cli import main, serve, top; import ppobserve.export.server; "
        f"main.main(['top', '--from', {str(RECORDING)!r}, '300', '1']); "
        "sys.exit(sorted(name for name in sys.modules if name.split('.')[0] in ('textual', 'rich')) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, GAPS)


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, *words: str, not_a: str = "", term: str = "xterm") -> list[TopApp]:
    """Run it with every stream a terminal, but one. The screens that it opened: none of them draws anything."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda name=name: name != not_a)
    monkeypatch.setenv("TERM", term)
    screens: list[TopApp] = []
    monkeypatch.setattr(TopApp, "run", lambda self: screens.append(self))
    assert main(["top", "--from", str(RECORDING), *words]) == 0
    return screens


def test_on_a_terminal_it_is_a_screen(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--filter", "eth*", "--sort", "slow", "--columns", "pool,slow", "--limit", "3"]
    (screen,) = on_a_terminal(monkeypatch, "2", *words)
    assert (screen.interval, screen.view) == (2.0, View("slow", filter="eth*", limit=3))
    assert [column.key for column in screen.chosen] == ["pool", "slow"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [["--once"], ["1", "1"], ["--json", "--once"], ["-T", "--once"]])
def test_who_asks_for_text_gets_text(words: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_a_terminal(monkeypatch, *words) == []
    assert capsys.readouterr().out


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_a_stream_that_is_no_terminal_makes_it_text(
    stream: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Textual paints on standard error."""
    assert on_a_terminal(monkeypatch, "300", not_a=stream) == []
    assert "POOL " in capsys.readouterr().out


def test_a_terminal_that_can_not_gets_text(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_a_terminal(monkeypatch, "300", term="dumb") == []
    assert "POOL " in capsys.readouterr().out


def test_without_textual_one_sentence_and_the_text(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "find_spec", lambda _: None)
    assert on_a_terminal(monkeypatch, "300") == []
    said = capsys.readouterr()
    assert said.out.startswith("ppobserve: level full, by fentry\nPOOL ")
    brings = "the wheel with [top] in a venv brings it, see docs/deploy.md"
    assert said.err == f"ppobserve: the screen needs Textual ({brings}); this is the plain text\n{GAPS}"


@pytest.mark.parametrize("command", [["top", "--once"], ["pools"]])
@pytest.mark.parametrize(
    ("name", "torn"), [("a.jsonl", "the file ends in it"), ("a.jsonl.gz", "the gzip member has no end")]
)
def test_what_is_left_out_of_a_recording_is_said(
    command: list[str], name: str, torn: str, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / name
    with closing(Recorder(path)) as writing:
        for second in range(4):
            writing.write(replace(moment(), time=1e9 + second))
    os.truncate(path, path.stat().st_size - 60)
    assert main([*command, "--from", str(path)]) == 0
    said = capsys.readouterr()
    assert said.err == f"ppobserve: {path}: line 4 cut off: {torn}\n"
    assert "eth0" in said.out


def test_of_a_recording_with_many_oddities_a_few_are_said(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "a.jsonl"
    with closing(Recorder(path)) as writing:
        for hours in range(9):
            for second in (0, 1, 2):
                writing.write(replace(moment(), time=1e9 + 3600 * hours + second))
    assert main(["top", "--once", "--from", str(path)]) == 0
    *few, last = capsys.readouterr().err.splitlines()
    assert [each.endswith("nothing was recorded for 3598 s") for each in few] == [True] * 3
    assert last == f"ppobserve: and 5 more oddities: ppobserve report {path} -o FILE.html  lists them"
