"""``ppobserve top`` in a real terminal: tmux types the keys and reads the screen, while lab traffic goes on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.screen_pictures import RECORDING
from tests.live.owned import gone, programs_of
from tests.live.test_daemon import PPOBSERVE, serving

SECONDS = 120.0


class Terminal:
    """A shell in tmux, of its own server: nobody else's sessions are touched."""

    def __init__(self, folder: Path, columns: int = 100, lines: int = 30) -> None:
        self._socket, self.process = folder / "tmux", folder / "process"
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), "env PS1='$ ' sh")
        self.until(lambda text: "$" in text)

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-S", self._socket, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def press(self, *keys: str) -> None:
        """Keys by tmux's names."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Characters as they are; also what a terminal sends for a click."""
        self._tmux("send-keys", "-l", text)

    def click(self, column: int, line: int) -> None:
        """The left button, as a terminal reports it (SGR)."""
        self.type(f"\x1b[<0;{column + 1};{line + 1}M\x1b[<0;{column + 1};{line + 1}m")

    def resize(self, columns: int, lines: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def text(self, *how: str) -> str:
        """What is on the screen; with ``-e`` its colours, too."""
        return self._tmux("capture-pane", "-p", *how)

    def until(self, holds: Callable[[str], bool], seconds: float = SECONDS) -> str:
        """The screen, as soon as it *holds*."""
        end = time.monotonic() + seconds
        while not holds(text := self.text()):
            assert time.monotonic() < end, f"it never came:\n{text}"
            time.sleep(0.1)
        return text

    def sees(self, *words: str) -> str:
        """The screen, when all of *words* are on it."""
        return self.until(lambda text: all(word in text for word in words))

    def close(self) -> None:
        self._tmux("kill-server")


@pytest.fixture
def terminal(live: None, require: Callable[..., None], tmp_path: Path) -> Iterator[Terminal]:
    require(shutil.which("tmux"), "no tmux here (scripts/setup test installs it)")
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


@pytest.fixture
def traffic(live: None) -> Iterator[None]:
    """A veth pair of the lab, sending until the test ends; its own programs (XDP) are there when it begins."""
    command = [*PPOBSERVE, "lab", "veth", "--seconds", "3600", "--rounds", "1"]
    lab = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert lab.stdout and lab.stdout.readline().startswith("TCP over veth")
    yield
    lab.send_signal(signal.SIGINT)
    lab.communicate(timeout=SECONDS)


def ppobserve(terminal: Terminal, words: str) -> Path:
    """Type a command. Its process writes its number into the file that this returns."""
    command = f"{sys.executable} -m ppobserve.cli.main {words}"
    terminal.type(f"sh -c 'echo $$ > {terminal.process}; exec {command}'; echo status $?\n")
    return terminal.process


def test_keys_are_typed_and_the_screen_is_read(terminal: Terminal, traffic: None) -> None:
    process = ppobserve(terminal, "top 0.2 --level standard --filter ppv1")
    terminal.sees("ppv1", "every 0.2 s", "level standard by", "only ppv1", "? help")
    attached = programs_of(int(process.read_text()))
    assert len(attached) > 3
    terminal.press("Enter")
    terminal.sees("veth", "returned because", "ring_full", "kept now", "esc back")
    terminal.press("Escape")
    terminal.sees("SLOW/s", "zombies")
    terminal.type("/nothing")
    terminal.sees("no pool fits")
    terminal.press("Escape")
    terminal.until(lambda text: "ppv1" in text and "only" not in text)
    terminal.type("?")
    terminal.sees("add pools up by netdev")
    terminal.press("Escape")
    terminal.until(lambda text: "add pools up" not in text)
    terminal.type("p")
    terminal.sees("paused")
    terminal.type("p+")
    terminal.sees("every 0.1 s")
    terminal.type("q")
    terminal.sees("status 0")
    assert gone(attached)


def test_a_recording_with_the_mouse_and_in_other_sizes(terminal: Terminal) -> None:
    """Nothing is attached for that: it is the terminal that is tried."""
    terminal.type("export COLUMNS=80 LINES=24\n")  # as some shells do: the terminal itself is believed
    ppobserve(terminal, f"top --from {RECORDING}")
    terminal.sees("web-17", "▶ 0", "zombies")
    terminal.type(" ")
    lines = terminal.sees("‖ 0", "paused").split("\n")
    bar = next(place for place, line in enumerate(lines) if "‖" in line)
    cells = [place for place, each in enumerate(lines[bar]) if each in "━─"]
    terminal.click(cells[len(cells) // 2], bar)
    terminal.sees("‖ 03:", "5 pools", "ppv1")
    heading = next(place for place, line in enumerate(lines) if "MISM/s" in line)
    terminal.click(lines[heading].index("MISM/s") + 2, heading)
    terminal.sees("MISM/s▾")
    terminal.click(10, heading + 1)
    terminal.click(10, heading + 1)
    terminal.sees("returned because", "page on 0")
    terminal.press("Escape")
    terminal.until(lambda text: "returned because" not in text)
    terminal.resize(20, 5)
    terminal.until(lambda text: "MISM/s" in text and "ppv1" in text and "SLOW/s" not in text)
    terminal.resize(200, 50)
    terminal.sees("returned because", "all 5 pools", "SLOW/s")
    terminal.resize(100, 30)
    terminal.until(lambda text: "returned because" not in text and "SLOW/s" in text)
    terminal.type("q")
    terminal.sees("status 0")


def test_a_daemon_that_goes_down_while_it_is_watched(terminal: Terminal, traffic: None) -> None:
    with serving() as daemon:
        process = ppobserve(terminal, f"top 0.2 --from {daemon.url}")
        terminal.sees("ppv1", "every 0.2 s")
        assert not programs_of(int(process.read_text())), "nothing is attached twice"
        daemon.process.kill()
        terminal.sees(f"cannot read {daemon.url}: connection refused; shown is ", "ppv1")
    terminal.type("q")
    terminal.sees("status 0")


def test_a_daemon_that_is_down_is_a_sentence_and_no_screen(terminal: Terminal) -> None:
    ppobserve(terminal, "top --from http://127.0.0.1:1")
    terminal.sees("ppobserve: cannot read http://127.0.0.1:1: connection refused", "status 1")


def test_sigterm_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    process = ppobserve(terminal, "top --level standard")
    terminal.sees("level standard by", "zombies")
    attached = programs_of(int(process.read_text()))
    os.kill(int(process.read_text()), signal.SIGTERM)
    screen = terminal.sees("status ")
    assert "zombies" not in screen
    terminal.type("echo all is well\n")
    terminal.until(lambda text: text.count("all is well") > 1)
    assert attached and gone(attached)


COLOURED = re.compile("\x1b\\[[0-9;]*[34][0-7]|\x1b\\[[0-9;]*[34]8[;:]")
"""A colour of text or background, by number, of 256, or of 16 million."""


def test_without_colour_nothing_is_coloured(terminal: Terminal) -> None:
    ppobserve(terminal, f"top --from {RECORDING}")
    terminal.sees("web-17", "▶ 0", "zombies")
    assert COLOURED.search(terminal.text("-e"))
    terminal.type("q")
    terminal.sees("status 0")
    terminal.type("clear; export NO_COLOR=1\n")
    ppobserve(terminal, f"top --from {RECORDING}")
    terminal.sees("web-17", "▶ 0", "zombies")
    assert not COLOURED.search(terminal.text("-e"))
    terminal.type("q")
    terminal.sees("status 0")


def test_a_terminal_that_can_not_gets_text(terminal: Terminal) -> None:
    terminal.type("export TERM=dumb\n")
    ppobserve(terminal, "top 0.2 --level standard")
    terminal.sees("Ctrl-C to end", "POOL     NETDEV")
    terminal.press("C-c")
    terminal.sees("status 0")
