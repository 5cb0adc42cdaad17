"""Guests: two at a time, each seen by one test. `pytest tests/vm --kernel 6.1` chooses; -s shows what they print."""

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

from tests.vm.guest import TOP, claimed
from tests.vm.kernels import DEFAULT, KERNELS, live_tests

AT_ONCE = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kernel", action="append", choices=sorted(KERNELS), help="a guest's kernel, may be repeated")


def chosen(config: pytest.Config) -> list[str]:
    return config.getoption("--kernel", default=None) or list(DEFAULT)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kernel" in metafunc.fixturenames:
        metafunc.parametrize("kernel", chosen(metafunc.config), scope="session")


@dataclass(frozen=True)
class Guest:
    """The live tests, running under one kernel."""

    process: Popen[bytes]
    results: Path


@contextmanager
def started(kernel: str) -> Iterator[Guest]:
    with claimed(kernel) as results:
        where = ("--results", str(results), "--prefix", f"{kernel} | ")
        process = Popen([sys.executable, "-m", "tests.vm.guest", *where, kernel, live_tests(kernel, results)], cwd=TOP)
        try:
            yield Guest(process, results)
        finally:
            process.terminate()
            process.wait()


class Guests:
    """Guests in the order of their kernels, ``AT_ONCE`` of them running: each wants a core."""

    def __init__(self, stack: ExitStack, kernels: list[str]) -> None:
        self._stack, self._waiting = stack, list(kernels)
        self._started: dict[str, Guest] = {}

    def finished(self, kernel: str) -> Guest:
        """The guest of this kernel, when it is done."""
        while kernel not in self._started or self._started[kernel].process.poll() is None:
            self._start_next()
            time.sleep(0.5)
        self._start_next()
        return self._started[kernel]

    def _start_next(self) -> None:
        running = sum(guest.process.poll() is None for guest in self._started.values())
        for kernel in self._waiting[: max(AT_ONCE - running, 0)]:
            self._started[kernel] = self._stack.enter_context(started(kernel))
            self._waiting.remove(kernel)


@pytest.fixture(scope="session")
def guests(pytestconfig: pytest.Config) -> Iterator[Guests]:
    compile_dir(TOP / "ppobserve", quiet=1)  # guests cannot cache it, and an emulated CPU takes 10 s to compile it
    with ExitStack() as stack:
        yield Guests(stack, chosen(pytestconfig))
