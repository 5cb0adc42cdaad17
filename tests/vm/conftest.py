"""Guests: started together, each seen by one test. `pytest tests/vm --kernel 6.1` chooses; -s shows what they print."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from compileall import compile_dir
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import pytest

from tests.vm.guest import TOP, claimed
from tests.vm.kernels import DEFAULT, KERNELS, live_tests


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


@pytest.fixture(scope="session")
def guests(pytestconfig: pytest.Config) -> Iterator[dict[str, Guest]]:
    """One for every chosen kernel, all started at once."""
    compile_dir(TOP / "ppobserve", quiet=1)  # guests cannot cache it, and an emulated CPU takes 10 s to compile it
    with ExitStack() as stack:
        yield {kernel: stack.enter_context(started(kernel)) for kernel in chosen(pytestconfig)}
