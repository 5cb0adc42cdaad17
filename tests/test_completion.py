"""The completions that ship: as the parsers have it, and completed by each shell itself."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ppobserve.cli.main import COMMANDS
from scripts import completion

SECONDS = 60
FOLDER = completion.FOLDER
NETDEVS = sorted(os.listdir(completion.NETDEVS))
NETDEV = next(name for name in NETDEVS if [each for each in NETDEVS if each.startswith(name[:-1])] == [name])

# What is typed, and what the line is after the tabulator. The netdev is this machine's.
LINES = [
    ("ppobserve tra", "trace"),
    ("ppobserve trace --ev", "trace --event"),
    ("ppobserve trace --event mism", "trace --event mismatch"),
    (f"ppobserve trace --netdev {NETDEV[:-1]}", f"trace --netdev {NETDEV}"),
    ("ppobserve top --rung fe", "top --rung fentry"),
    ("ppobserve lab fr", "lab frames"),
    (
        f"ppobserve check --facts {completion.FOLDER.parent}/ppobserve.y",
        f"check --facts {FOLDER.parent}/ppobserve.yaml",
    ),
]


def test_the_files_are_what_the_parsers_have() -> None:
    made = completion.completions()
    assert {path.name for path in FOLDER.iterdir()} == set(made)
    for name, text in made.items():
        assert (FOLDER / name).read_text() == text, f"{name}: run scripts/completion.py"
        assert all(command in text for command in COMMANDS)


@pytest.fixture
def shell(require: Callable[..., None], request: pytest.FixtureRequest) -> str:
    """The path of a shell, or a reason."""
    path = shutil.which(request.param)
    require(path, f"{request.param} is not installed")
    return str(path)


START = {
    "bash": ["--norc", "-i"],
    "zsh": ["-f", "-i"],
}
SET_UP = {
    "bash": f"source {FOLDER}/ppobserve.bash",
    "zsh": f"fpath=({FOLDER} $fpath); autoload -Uz compinit; compinit -u -D",
}


@pytest.mark.parametrize("shell", START, indirect=True)
def test_lines_are_completed_at_a_terminal(shell: str) -> None:
    """Each completed line is run, with a function in the place of the command that says what it was called with."""
    name = Path(shell).name
    with Terminal([shell, *START[name]]) as terminal:
        for command in (SET_UP[name], 'ppobserve() { echo "ran: $*."; }', "echo rea''dy"):
            terminal.type(f"{command}\n")
        terminal.wait_for("ready")
        for typed, line in LINES:
            completed = line.split()[-1]
            times = terminal.seen.count(completed) + 1
            terminal.type(f"{typed}\t")
            terminal.wait_for(completed, times)
            terminal.settle()
            terminal.type("\n")
            terminal.wait_for(f"ran: {line}")


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, command: list[str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, {**os.environ, "TERM": "vt100", "PS1": "$ ", "COLUMNS": "200"})
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def wait_for(self, text: str, times: int = 1) -> None:
        end = time.monotonic() + SECONDS
        while self.seen.count(text) < times:
            assert time.monotonic() < end, f"{text!r} is not {times} times in {self.seen!r}"
            self._read(0.1)

    def settle(self) -> None:
        """Until it has been silent for a moment."""
        while self._read(0.3):
            pass

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if ready:
            self.seen += os.read(self.fd, 65536).decode(errors="replace")
        return bool(ready)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.mark.parametrize(("typed", "line"), LINES)
@pytest.mark.parametrize("shell", ["fish"], indirect=True)
def test_fish_offers_the_same(shell: str, typed: str, line: str, tmp_path: Path) -> None:
    script = f"source {FOLDER}/ppobserve.fish; complete -C '{typed}'"
    command = tmp_path / "ppobserve"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        [shell, "--no-config", "-c", script], capture_output=True, text=True, env=env, timeout=SECONDS
    )
    assert line.split()[-1] in [offered.split("\t")[0] for offered in done.stdout.splitlines()], done.stderr
