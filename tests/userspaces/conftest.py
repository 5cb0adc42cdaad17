"""What runs in other user spaces, each seen by one test. Two at a time; -s shows progress.

PPOBSERVE_REQUIRE_USERSPACES=a,b   suites and Pythons (trixie,python3.10) that must be had; others are skipped without
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import skip_or_fail
from vmtest import report
from vmtest.schedule import Schedule
from vmtest.userspace_tests import starts
from vmtest.userspaces import Userspace, UserspaceMissing, find


def required(name: str) -> bool:
    return name in os.environ.get("PPOBSERVE_REQUIRE_USERSPACES", "").split(",")


@pytest.fixture(scope="session")
def schedule(request: pytest.FixtureRequest) -> Iterator[Schedule]:
    """Everything that a collected test sees."""
    wanted = {item.callspec.params["job"] for item in request.session.items if "job" in _params(item)}
    with ExitStack() as stack:
        yield Schedule(stack, {name: start for name, start in starts() if name in wanted})


def _params(item: pytest.Item) -> dict[str, object]:
    return item.callspec.params if hasattr(item, "callspec") else {}


@pytest.fixture
def passed(schedule: Schedule) -> Callable[[str], Path]:
    """`passed(job)`: its results, when all of its tests have passed."""

    def wait(job: str) -> Path:
        done = schedule.finished(job)
        if done.not_run:
            skip_or_fail(f"{job} not run: {done.not_run}", required=required(job.rpartition("-")[0]))
        log, junit = done.results / "log", done.results / "junit.xml"
        said = "\n\n".join(report.failures(junit)) or done.errors() or report.tail(log.read_text())
        assert done.status == 0, f"the exit status of {job} was {done.status}:\n{said}"
        assert report.counts(junit).passed > 0
        return done.results

    return wait


@pytest.fixture
def userspace() -> Callable[[str], Userspace]:
    """`userspace(suite)`: its root, made if it is not there; without one the test ends."""

    def have(suite: str) -> Userspace:
        try:
            return find(suite)
        except UserspaceMissing as missing:
            skip_or_fail(f"{suite} not run: {missing}", required=required(suite))
            raise

    return have
