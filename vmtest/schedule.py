"""Guests, each in a process of its own, started in their order as slots become free."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from vmtest import report, slots
from vmtest.guest import TOP, claimed
from vmtest.kernels import Kernel, KernelMissing, find
from vmtest.userspaces import UserspaceMissing

PROGRESS_SECONDS = 60.0
POLL_SECONDS = 0.5
PERCENT = re.compile(r"\[ *(\d+)%\]")
FAILED = re.compile(r" (?:FAILED|ERROR) +\[ *\d+%\]")


@dataclass
class Guest:
    """A guest that was started, or the reason why it was not."""

    name: str
    results: Path
    process: subprocess.Popen[bytes] | None
    kernel: Kernel | None = None
    not_run: str = ""
    """Why it was not started; empty if it was."""
    minutes: float = 0.0

    @property
    def title(self) -> str:
        """The name, with the version of the kernel."""
        return str(self.kernel) if self.kernel else self.name

    @property
    def status(self) -> int | None:
        """The exit status of what ran in it; None while it runs."""
        return self.process.poll() if self.process else 0

    def errors(self) -> str:
        """Return what the harness reported, such as the end of the console; empty if nothing."""
        return (self.results / "errors").read_text(errors="replace")

    def progress(self) -> str:
        """Return how far the tests are, in words."""
        log = self.results / "log"
        text = log.read_text(errors="replace") if log.exists() else ""
        percent, failed = PERCENT.findall(text), len(FAILED.findall(text))
        said = f"{percent[-1]} %" if percent else "starting"
        return f"{self.title}: {said}{f', {failed} failed' if failed else ''}"

    def row(self) -> report.Row:
        """Return the line of the summary."""
        log = str((self.results / "log").relative_to(TOP))
        return report.Row(self.title, report.counts(self.results / "junit.xml"), self.minutes, log, self.not_run)


Start = Callable[[Path], tuple[list[str], Kernel | None]]
"""Given the directory for results, the command of a guest and its kernel. May raise KernelMissing, UserspaceMissing."""


def live_tests(name: str, arguments: str = "") -> Start:
    """Return what starts tests/live under the kernel of a role or series."""

    def start(results: Path) -> tuple[list[str], Kernel]:
        kernel = find(name)
        inside = f"{sys.executable} -B -m vmtest.live_tests {results} {arguments}"
        return [sys.executable, "-m", "vmtest.guest", "--results", str(results), name, inside], kernel

    return start


def command(*words: str, kernel: str) -> Start:
    """Return what starts a Python program that boots the kernel of a role itself."""

    def start(results: Path) -> tuple[list[str], None]:
        find(kernel)
        return [sys.executable, *words], None

    return start


class Schedule:
    """Guests by name. Closing *stack* ends those that still run."""

    def __init__(self, stack: ExitStack, guests: Mapping[str, Start]) -> None:
        self._stack, self._waiting = stack, dict(guests)
        self._running: dict[str, Guest] = {}
        self._done: dict[str, Guest] = {}
        self._freeing: dict[str, ExitStack] = {}
        self._said = self._begun = time.monotonic()

    def finished(self, name: str) -> Guest:
        """Wait for a guest and return it. Print a progress line a minute."""
        while name not in self._done:
            self._collect()
            self._start()
            self._say()
            time.sleep(POLL_SECONDS)
        self._start()
        return self._done[name]

    def _collect(self) -> None:
        for name, guest in list(self._running.items()):
            if guest.status is not None:
                self._done[name] = self._running.pop(name)
                self._freeing.pop(name).close()
                report.append(guest.row())

    def _start(self) -> None:
        while self._waiting and (slot := slots.take()):
            name = next(iter(self._waiting))
            results = self._stack.enter_context(claimed(name))
            held = self._freeing[name] = self._stack.enter_context(ExitStack())
            held.callback(slot.close)
            held_guest = started(name, self._waiting.pop(name), results, self.versions())
            self._running[name] = held.enter_context(held_guest)

    def versions(self) -> dict[str, str]:
        """Return the kernel versions that were started, each with the name of its guest."""
        known = (*self._done.values(), *self._running.values())
        return {guest.kernel.version: guest.name for guest in known if guest.kernel and not guest.not_run}

    def _say(self) -> None:
        now = time.monotonic()
        if now - self._said >= PROGRESS_SECONDS:
            self._said = now
            running = "; ".join(guest.progress() for guest in self._running.values()) or "waiting for a slot"
            print(f"{(now - self._begun) / 60:.0f} min: {running}", flush=True)


@contextmanager
def started(name: str, start: Start, results: Path, versions: Mapping[str, str]) -> Iterator[Guest]:
    """Start a guest and end it with the block. Skip it if its kernel is missing, or is one of *versions*."""
    guest, begun = prepared(name, start, results, versions), time.monotonic()
    try:
        yield guest
    finally:
        guest.minutes = (time.monotonic() - begun) / 60
        if guest.process:
            guest.process.terminate()
            guest.process.wait()


def prepared(name: str, start: Start, results: Path, versions: Mapping[str, str]) -> Guest:
    """Start a guest, or return it with the reason why not."""
    try:
        words, kernel = start(results)
    except (KernelMissing, UserspaceMissing) as missing:
        return Guest(name, results, None, not_run=str(missing))
    if kernel and kernel.version in versions:
        return Guest(name, results, None, kernel, not_run=f"the same kernel as {versions[kernel.version]}")
    return Guest(name, results, _popen(words, results), kernel)


def _popen(words: list[str], results: Path) -> subprocess.Popen[bytes]:
    """Keep what it prints: a bench prints its result. What runs in the guest is in the log, too."""
    with (results / "printed").open("wb") as printed, (results / "errors").open("wb") as errors:
        return subprocess.Popen(words, cwd=TOP, stdin=subprocess.DEVNULL, stdout=printed, stderr=errors)
