"""Streams that are closed or full, and encodings and names that are not UTF-8, for commands that need no kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ppobserve.cli import streams
from ppobserve.cli.files import write_text
from ppobserve.errors import OutputError
from ppobserve.source.recorder import Recorder
from tests.unit.export.samples import moment

FACTS = Path(__file__).parent.parent.parent / "data/facts/7.3.json"
LONG = "née€-a-long-name"
"""A device's: it is clipped in every table, and no encoding of eight bits has all of its characters."""

FULL = "ppobserve: cannot write to standard output: No space left on device\n"
CLOSED = "ppobserve: cannot write to standard output: it is closed\n"
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
ENCODINGS = {"ascii": ASCII, "latin-1": {"PYTHONIOENCODING": "latin-1"}}

COMMANDS = {
    "help": ["--help"],
    "wrong command": ["observe"],
    "check": ["check", "--facts", str(FACTS)],
    "bpftrace": ["bpftrace", "--facts", str(FACTS)],
    "top": ["top", "1", "2", "--from", "RECORDING"],
    "pools": ["pools", "--from", "RECORDING"],
    "report": ["report", "RECORDING", "-o", "/dev/null/page.html"],
    "record": ["record", "-o", "/dev/null/a.gz", "1", "1"],
    "fleet": ["fleet", "top", "--once", "--prometheus", "http://127.0.0.1:1"],
    "trace": ["trace", "--event", "né€"],
    "serve": ["serve", "--config", "/nonexistent/né€"],
    "lab": ["lab", "veth", "--cpus", "99999"],
}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streams") / "née€.jsonl"
    pools = tuple(replace(each, pool=replace(each.pool, netdev=LONG, driver=LONG)) for each in moment().pools)
    recorder = Recorder(path)
    for second in range(3):
        recorder.write(replace(moment(), pools=pools, time=1e9 + second))
    recorder.close()
    return path


Told = tuple[int, bytes, bytes]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(recording: Path) -> Iterator[Start]:
    """Starts a command with its streams redirected by a shell; ended with the test, whatever becomes of that."""
    started = []

    def begin(words: list[str | bytes], redirect: str = "", **env: str) -> subprocess.Popen[bytes]:
        named = [str(recording) if word == "RECORDING" else word for word in words]
        command = ["sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, "-m", "ppobserve.cli.main", *named]
        around = {**os.environ, "COLUMNS": "80", "PYTHONUNBUFFERED": "", **env}
        started.append(subprocess.Popen(command, env=around, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return started[-1]

    yield begin
    for each in started:
        each.kill()
        each.communicate()


def told(process: subprocess.Popen[bytes]) -> Told:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("command", COMMANDS)
def test_streams_that_are_closed_or_full_or_of_another_encoding(command: str, start: Start) -> None:
    """What cannot be printed is status 1 and a sentence; what needs not be printed is as ever."""
    redirects = ("<&-", "2>&-", "2>/dev/full", ">&-", ">/dev/full", "<&- >&- 2>&-")
    processes = {redirect: start(COMMANDS[command], redirect) for redirect in redirects}
    others = {name: start(COMMANDS[command], **env) for name, env in ENCODINGS.items()}
    status, out, err = usual = told(start(COMMANDS[command], PYTHONIOENCODING="utf-8"))
    found = {redirect: told(process) for redirect, process in processes.items()}
    assert b"Traceback" not in err and (err or status == 0)
    assert found["<&-"] == usual
    assert found["2>&-"] == found["2>/dev/full"] == (status, out, b"")
    assert found[">&-"] == ((1, b"", err + CLOSED.encode()) if out else usual)
    assert found[">/dev/full"] == ((1, b"", err + FULL.encode()) if out else usual)
    assert found["<&- >&- 2>&-"] == (1 if out else status, b"", b"")
    for name, process in others.items():
        assert [_shape(each, name) for each in told(process)] == [_shape(each) for each in usual]


def _shape(stream: int | bytes, encoding: str = "utf-8") -> int:
    """The exit status, or the lines of what was printed in *encoding*."""
    return stream if isinstance(stream, int) else stream.decode(encoding).count("\n")


def test_a_clipped_name_is_as_wide_in_ascii(start: Start) -> None:
    status, out, _ = told(start(COMMANDS["pools"], PYTHONIOENCODING="ascii"))
    assert status == 0
    assert b" n\\xe9e\\u20ac-a-long~ " in out


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
@pytest.mark.parametrize("words", [["--facts", b"/tmp/\xff"], ["--facts", b"\xff.json", b"\xfe"]], ids=["file", "word"])
def test_a_name_that_is_not_utf_8_is_printed(encoding: str, words: list[str | bytes], start: Start) -> None:
    status, out, err = told(start(["check", *words], PYTHONIOENCODING=encoding))
    assert (status, out, b"Traceback" in err) == (2, b"", False)
    assert b"/tmp/\\xff: No such file" in err or b"\\xfe" in err


@pytest.mark.parametrize("env", [{}, ASCII], ids=["utf-8", "ascii"])
def test_files_of_any_name_are_read_and_written(env: dict[str, str], recording: Path, start: Start) -> None:
    """The name is in the page, too; nothing else stays beside it."""
    folder = os.fsencode(recording.parent)
    odd, facts, page = (os.path.join(folder, name) for name in (b"\xff.jsonl", b"\xff.json", b"\xff.html"))
    for path, original in ((odd, recording), (facts, FACTS)):
        Path(os.fsdecode(path)).write_bytes(original.read_bytes())
    runs = [
        start(["report", odd, "-o", page], **env),
        start(["check", "--facts", facts], **env),
        start(["top", "--once", "--from", odd], **env),
        start(["pools", "--json", "--from", odd], **env),
    ]
    assert [told(run)[::2] for run in runs] == [(0, b"")] * len(runs)
    assert "from \\xff.jsonl." in Path(os.fsdecode(page)).read_text(encoding="utf-8")
    assert {name for name in os.listdir(folder) if name.startswith(b".")} == set()


@pytest.mark.parametrize("host", [b"\xff", b"a..b", b"a" * 70, b"n\xc3\xa9e/path"], ids=repr)
@pytest.mark.parametrize(
    "words",
    [["top", "--once", "--from"], ["fleet", "top", "--once", "--prometheus"]],
    ids=["daemon", "prometheus"],
)
def test_addresses_that_no_host_has(words: list[str | bytes], host: bytes, start: Start) -> None:
    status, out, err = told(start([*words, b"http://" + host]))
    assert (status in (1, 2), out) == (True, b"")
    assert err.startswith(b"ppobserve: ") and b"codec" not in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve", "--listen", b"\xff:1"], b"--listen: '\\udcff:1' is not ADDRESS:PORT"),
        (["fleet", "top", "--header", "a: €".encode()], b"is not NAME: VALUE"),
        (["fleet", "top", "--once", "--prometheus", "http://127.0.0.1:1", "--job", b"\xff"], b"connection refused"),
        (["trace", "--netdev", b"\xff" * 16], b"those have 1 to 15 bytes"),
    ],
)
def test_values_that_are_not_utf_8(words: list[str | bytes], said: bytes, start: Start) -> None:
    status, out, err = told(start(words))
    assert (status in (1, 2), out, b"Traceback" in err) == (True, b"", False)
    assert said in err


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends it, Ctrl-C for example."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "page.html", "text")
    assert list(tmp_path.iterdir()) == []


def test_output_that_does_not_block_is_written_whole() -> None:
    """A pipe that holds 64 KiB, which some other program has made nonblocking."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    code = "from ppobserve.cli import streams; streams.prepare()\nwith streams.flushed(): print('x' * 300_000)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE) as writer:
        os.close(write)
        with open(read, "rb") as pipe:
            assert len(pipe.read()) == 300_001
        assert writer.communicate(timeout=60)[1] == b""


@pytest.mark.parametrize(
    ("char", "shown"),
    [("…", "~"), ("·", "."), ("é", "\\xe9"), ("€", "\\u20ac"), ("\udc80", "\\x80"), ("\ud800", "\\ud800")],
)
def test_what_stands_for_a_character_that_cannot_be_encoded(char: str, shown: str) -> None:
    assert f"a{char}b".encode("ascii", streams.ENCODABLE).decode() == f"a{shown}b"


def test_bytes_that_cannot_be_decoded_are_no_business_of_the_streams() -> None:
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", streams.ENCODABLE)


def test_a_failure_of_the_command_is_more_than_one_of_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def flush(self) -> None:
            raise OutputError("cannot write")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(KeyError), streams.flushed():
        raise KeyError
    with pytest.raises(OutputError), streams.flushed():
        pass
