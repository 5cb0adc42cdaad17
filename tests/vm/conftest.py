"""Guests: two at a time, each seen by one test. `pytest tests/vm --kernel 6.1` chooses; -s shows what they print.

One is a bench, whose time is instructions: what runs beside it does not matter.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from compileall import compile_dir
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import pytest

from vmtest.guest import TOP, claimed
from vmtest.kernels import DEFAULT, KERNELS, live_tests

AT_ONCE = 2
BENCH = "bench"
PRINTED = "printed"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kernel", action="append", choices=sorted(KERNELS), help="a guest's kernel, may be repeated")


def chosen(config: pytest.Config) -> list[str]:
    return config.getoption("--kernel", default=None) or list(DEFAULT)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kernel" in metafunc.fixturenames:
        metafunc.parametrize("kernel", chosen(metafunc.config), scope="session")


@dataclass(frozen=True)
class Guest:
    """The live tests, running under one kernel, or the bench."""

    process: Popen[bytes]
    results: Path


@contextmanager
def started(name: str) -> Iterator[Guest]:
    with claimed(name) as results:
        process = _bench(results) if name == BENCH else _live_tests(name, results)
        try:
            yield Guest(process, results)
        finally:
            process.terminate()
            process.wait()


def _live_tests(kernel: str, results: Path) -> Popen[bytes]:
    where = ("--results", str(results), "--prefix", f"{kernel} | ")
    return Popen([sys.executable, "-m", "vmtest.guest", *where, kernel, live_tests(kernel, results)], cwd=TOP)


def _bench(results: Path) -> Popen[bytes]:
    with (results / PRINTED).open("wb") as printed:
        return Popen([sys.executable, "-m", "bench.cost", "--short"], cwd=TOP, stdout=printed)


class Guests:
    """Guests in the order of their names, ``AT_ONCE`` of them running: each wants a core."""

    def __init__(self, stack: ExitStack, names: list[str]) -> None:
        self._stack, self._waiting = stack, list(names)
        self._started: dict[str, Guest] = {}

    def finished(self, name: str) -> Guest:
        """The guest of this name, a kernel's or the bench's, when it is done."""
        while name not in self._started or self._started[name].process.poll() is None:
            self._start_next()
            time.sleep(0.5)
        self._start_next()
        return self._started[name]

    def _start_next(self) -> None:
        running = sum(guest.process.poll() is None for guest in self._started.values())
        for name in self._waiting[: max(AT_ONCE - running, 0)]:
            self._started[name] = self._stack.enter_context(started(name))
            self._waiting.remove(name)


@pytest.fixture(scope="session")
def guests(pytestconfig: pytest.Config) -> Iterator[Guests]:
    compile_dir(TOP / "ppobserve", quiet=1)  # guests cannot cache it, and an emulated CPU takes 10 s to compile it
    with ExitStack() as stack:
        yield Guests(stack, [*chosen(pytestconfig), BENCH])
