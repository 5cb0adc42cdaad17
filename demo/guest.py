"""The tour in a guest of two NUMA nodes under a newer kernel, with a line for each step on the way there."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from compileall import compile_dir
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from subprocess import DEVNULL, PIPE
from threading import Timer

from demo.process import TOP, DemoError, output, started
from demo.tour import ATTACHED, BOOTED
from vmtest.kernels import Kernel, KernelMissing, find, series_of, version_of

ROLE = "newest"
LIMIT_SECONDS = 900.0
"""After which the guest is ended, wherever it is. On an emulated CPU all of it takes two minutes."""

Done = Callable[[str], None]


class NoGuest(DemoError):
    """This host cannot have a guest: why."""


def series() -> str:
    """The series that the guest's kernel has now, for example 7.3. NoGuest if there is no such kernel."""
    try:
        return series_of(version_of(ROLE))
    except KernelMissing as missing:
        raise NoGuest(str(missing)) from None


def show(results: Path, recording: Path) -> int:
    """Set up, boot, and print what the tour prints there. Its exit status; NoGuest if there is no guest to run it."""
    with _step("packages") as done:
        _install()
        done("qemu, busybox, kmod, ethtool, virtme-ng")
    with _step("kernel") as done:
        done(_kernel().vmlinuz.name.removeprefix("vmlinuz-"))
    return _tour(results, recording)


def _install() -> None:
    try:
        output([TOP / "scripts/setup", "guest"])
    except DemoError as error:
        raise NoGuest(f"its packages cannot be installed:\n{error}") from None


def _kernel() -> Kernel:
    try:
        with redirect_stderr(StringIO()):  # what it is doing is said here
            return find(ROLE)
    except KernelMissing as missing:
        raise NoGuest(str(missing)) from None


@contextmanager
def _step(name: str) -> Iterator[Done]:
    """A line: the step's name while it runs, then its seconds and the words given to the function."""
    begin = time.monotonic()
    print(f"   {name:<10}", end="", flush=True)
    end = "\n"

    def done(words: str) -> None:
        nonlocal end
        print(f"{time.monotonic() - begin:5.1f} s   {words}", flush=True)
        end = ""

    try:
        yield done
    finally:
        print(end=end, flush=True)


def _tour(results: Path, recording: Path) -> int:
    for package in ("ppobserve", "demo"):  # the guest cannot cache it, and an emulated CPU takes 10 s to compile it
        compile_dir(TOP / package, quiet=1)
    inside = shlex.join([sys.executable, "-m", "demo.tour", "--guest", str(recording)])
    command: list[str | Path] = [TOP / "scripts/vm", "--results", results, ROLE, inside]
    with started(command, apart=True, stdout=PIPE, stderr=DEVNULL) as guest:
        assert guest.stdout
        limit = Timer(LIMIT_SECONDS, guest.terminate)
        limit.start()
        try:
            _follow(guest.stdout, results)
        finally:
            limit.cancel()
        return guest.wait()


def _follow(lines: Iterator[str], results: Path) -> None:
    """Print what the tour prints; the steps before it come as lines, too."""
    with _step("boot") as done:
        done(_wait_for(BOOTED, lines, results))
    with _step("compile") as done:
        done(_wait_for(ATTACHED, lines, results))
    for line in lines:
        print(line, end="", flush=True)


def _wait_for(mark: str, lines: Iterator[str], results: Path) -> str:
    """What follows *mark* in its line. NoGuest with what came instead if it does not come."""
    other = []
    for line in lines:
        if line.startswith(mark):
            return line.removeprefix(mark).strip()
        other.append(line)
    said = "".join(other) or f"its console is in {results / 'console'}"
    raise NoGuest(f"the guest ended early:\n{said}")
