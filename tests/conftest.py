"""What every tier shares: the only ways to skip, and the figures printed when a run ends.

PPOBSERVE_REQUIRE_LIVE=1   a skip becomes a failure: nothing can hide in CI
PPOBSERVE_EXPECT=a,b       what this kernel must be able to do (see CAPABILITIES); the rest may be skipped
PPOBSERVE_SUPPORT=FILE     what this kernel lets us count goes here, as JSON (docs/support_matrix.md is made of that)
PPOBSERVE_FIGURES=FILE     figures are also appended here, one JSON document a line (a guest hands them to its host so)
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

CAPABILITIES = frozenset(
    {"tracepoint", "kprobe", "fentry", "numa", "stats", "frames", "moves", "misses", "veth", "virtio", "bpftrace"}
)
KALLSYMS = Path("/proc/kallsyms")
VMLINUX_BTF = Path("/sys/kernel/btf/vmlinux")
TURN = Path("/run/lock/ppobserve-test-runs")


@dataclass(frozen=True)
class Figure:
    """A number that a test measured and does not judge."""

    name: str
    value: float
    unit: str
    where: str


FIGURES = pytest.StashKey[list[Figure]]()


def pytest_configure() -> None:
    """A shell starts what it puts in the background with Ctrl-C ignored, and so would be whatever the tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """The fixtures of a test belong to its turn, also those that it shares with others."""
    with turn() if "own_turn" in getattr(item, "fixturenames", ()) and os.geteuid() == 0 else nullcontext():
        return (yield)


@contextmanager
def turn() -> Iterator[None]:
    """No other run of these tests on this kernel makes pools of XDP test runs meanwhile."""
    TURN.parent.mkdir(exist_ok=True)  # a minimal system has none
    with TURN.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def own_turn() -> None:
    """This test makes or counts pools of XDP test runs. They have no device that tells whose they are, so runs of these
    tests at the same time take turns (see ``pytest_runtest_protocol``)."""


@functools.cache
def why_not_live() -> str:
    """Why the live tests cannot run here, or "": asked once for the whole run."""
    if os.geteuid() != 0:
        return "not root"
    if not VMLINUX_BTF.exists():
        return f"this kernel has no BTF ({VMLINUX_BTF})"
    if b" page_pool_" not in KALLSYMS.read_bytes():
        return "this kernel has no page_pool"
    return ""


def skip_or_fail(reason: str, *, required: bool) -> None:
    """End the test: a skip with *reason*, or a failure where the runner said that this must work."""
    if required:
        pytest.fail(f"required here, but {reason}", pytrace=False)
    pytest.skip(reason)


def live_is_required() -> bool:
    return os.environ.get("PPOBSERVE_REQUIRE_LIVE") == "1"


def expected() -> frozenset[str]:
    """The capabilities that this kernel must have, as the runner states them."""
    listed = frozenset(filter(None, os.environ.get("PPOBSERVE_EXPECT", "").split(",")))
    if unknown := listed - CAPABILITIES:
        raise pytest.UsageError(f"PPOBSERVE_EXPECT: unknown: {', '.join(sorted(unknown))}")
    return listed


@pytest.fixture(scope="session")
def live() -> None:
    """This test needs root and a kernel with page_pool."""
    if reason := why_not_live():
        skip_or_fail(reason, required=live_is_required())


@pytest.fixture(scope="session")
def require() -> Callable[..., None]:
    """`require(condition, reason, capability="fentry")`: go on, or skip.

    A missing capability that PPOBSERVE_EXPECT lists is a failure, one that it does not list is a skip. Without a
    capability, PPOBSERVE_REQUIRE_LIVE=1 makes it a failure.
    """

    def check(condition: object, reason: str, capability: str | None = None) -> None:
        if capability is not None and capability not in CAPABILITIES:
            raise ValueError(f"unknown capability: {capability}")
        if not condition:
            required = live_is_required() if capability is None else capability in expected()
            skip_or_fail(f"{capability}: {reason}" if capability else reason, required=required)

    return check


@pytest.fixture
def figure(pytestconfig: pytest.Config) -> Callable[..., None]:
    """`figure("daemon RSS", 23.4, "MiB")`: printed in the run's summary."""

    def note(name: str, value: float, unit: str, where: str = "this host") -> None:
        measured = Figure(name, value, unit, where)
        pytestconfig.stash.setdefault(FIGURES, []).append(measured)
        if path := os.environ.get("PPOBSERVE_FIGURES"):
            with open(path, "a") as lines:
                lines.write(json.dumps(asdict(measured)) + "\n")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash.get(FIGURES, [])
    if figures:
        terminalreporter.section("figures")
    for f in figures:
        terminalreporter.write_line(f"{f.where:<12} {f.name:<44} {f.value:>12,.10g} {f.unit}")
