"""Guests: each seen by one test. `pytest tests/vm --role stable` or `--kernel 6.12` chooses; -s shows progress.

One is a bench, whose time is instructions: what runs beside it does not matter.

PPOBSERVE_REQUIRE_ROLES=a,b   roles whose kernel must be had, as must be what was chosen; others are skipped without it
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from compileall import compile_dir
from contextlib import ExitStack

import pytest

from tests.conftest import skip_or_fail
from vmtest.guest import TOP
from vmtest.kernels import ROLES
from vmtest.live_tests import asked, every
from vmtest.schedule import Guest, Schedule, Start, command, live_tests

BENCH = "bench"
ORDER = ("newest", "stable", "oldstable", BENCH, "sid", "oldest")
"""The longest first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--role", action="append", choices=sorted(ROLES), help="a guest's kernel, may be repeated")
    parser.addoption("--kernel", action="append", metavar="SERIES", help="the same by series, for example 6.12")
    live = {"nargs": "+", "metavar": "NAME", "choices": every()}
    parser.addoption("--live", help="only these of tests/live/test_NAME.py", **live)


def chosen(config: pytest.Config) -> list[str]:
    """Roles and series that were asked for."""
    return [name for option in ("--role", "--kernel") for name in config.getoption(option, default=None) or ()]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kernel" in metafunc.fixturenames:
        roles = [name for name in ORDER if name in ROLES]
        metafunc.parametrize("kernel", chosen(metafunc.config) or roles, scope="session")


@pytest.fixture(scope="session")
def require_run(pytestconfig: pytest.Config) -> Callable[[Guest], None]:
    """`require_run(guest)`: end the test if the guest was not run, as a failure where its role is required."""
    required = (*chosen(pytestconfig), *os.environ.get("PPOBSERVE_REQUIRE_ROLES", "").split(","))

    def check(guest: Guest) -> None:
        if guest.not_run:
            skip_or_fail(f"{guest.name} not run: {guest.not_run}", required=guest.name in required)

    return check


@pytest.fixture(scope="session")
def guests(request: pytest.FixtureRequest) -> Iterator[Schedule]:
    """Every guest that a collected test sees."""
    compile_dir(TOP / "ppobserve", quiet=1)  # guests cannot cache it, and an emulated CPU takes 10 s to compile it
    config = request.config
    names = {item.callspec.params["kernel"] for item in request.session.items if hasattr(item, "callspec")}
    starts: dict[str, Start] = {
        name: live_tests(name, shlex.join(["--tests", *(config.getoption("--live", default=None) or asked(name))]))
        for name in sorted(names, key=_place)
    }
    if any(item.path.stem == "test_bench" for item in request.session.items):
        starts[BENCH] = command("-m", "bench.cost", "--short", kernel="newest")
    with ExitStack() as stack:
        yield Schedule(stack, {name: starts[name] for name in sorted(starts, key=_place)})


def _place(name: str) -> int:
    return ORDER.index(name) if name in ORDER else 0
