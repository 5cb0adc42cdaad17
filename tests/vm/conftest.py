"""Guests: started together, each seen by one test. `pytest tests/vm --kernel 6.1` chooses; -s shows what they print."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from subprocess import Popen

import pytest

from tests.vm.guest import TOP
from tests.vm.kernels import DEFAULT, KERNELS, live_tests

GUEST = (sys.executable, "-m", "tests.vm.guest")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kernel", action="append", choices=sorted(KERNELS), help="a guest's kernel, may be repeated")


def chosen(config: pytest.Config) -> list[str]:
    return config.getoption("--kernel", default=None) or list(DEFAULT)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kernel" in metafunc.fixturenames:
        metafunc.parametrize("kernel", chosen(metafunc.config), scope="session")


@pytest.fixture(scope="session")
def guests(pytestconfig: pytest.Config) -> Iterator[dict[str, Popen[bytes]]]:
    """The live tests, running under every chosen kernel."""
    processes = {k: Popen([*GUEST, "--prefix", f"{k} | ", k, live_tests(k)], cwd=TOP) for k in chosen(pytestconfig)}
    yield processes
    for process in processes.values():
        process.terminate()
        process.wait()
