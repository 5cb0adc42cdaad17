"""What a kernel must be able to do is concluded from what it has."""

from __future__ import annotations

import lzma
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import CAPABILITIES
from vmtest import abilities, live_tests
from vmtest.abilities import DRIVERS, SYMBOLS, TYPES, Facts
from vmtest.kernels import ROLES

EVERYTHING = Facts(
    symbols=frozenset(SYMBOLS.values()),
    types=frozenset(TYPES.values()),
    drivers=frozenset(DRIVERS.values()),
    module_types=True,
    preemption="none voluntary (full)",
)
NOTHING = Facts(frozenset(), frozenset(), frozenset(), module_types=False, preemption="")


def test_a_kernel_with_everything_must_do_everything() -> None:
    assert set(abilities.abilities(EVERYTHING)) == CAPABILITIES


def test_a_kernel_with_nothing_has_tracepoints_and_the_guest_s_nodes() -> None:
    assert set(abilities.abilities(NOTHING)) == {"tracepoint", "numa"}


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        (replace(EVERYTHING, preemption="full (lazy)"), {"moves"}),
        (replace(EVERYTHING, types=frozenset({TYPES["stats"]})), {"frames", "misses", "moves"}),
        (replace(EVERYTHING, drivers=frozenset({"veth"})), {"virtio"}),
        (replace(EVERYTHING, symbols=frozenset({SYMBOLS["kprobe"]})), {"fentry"}),
        (replace(EVERYTHING, module_types=False), {"bpftrace"}),
    ],
)
def test_what_is_missing_is_not_asked_for(facts: Facts, missing: set[str]) -> None:
    assert CAPABILITIES - set(abilities.abilities(facts)) == missing


FUNCTIONS = {"tracepoint", "numa", "kprobe", "fentry"}
STOCK = {
    "5.10": (Facts(EVERYTHING.symbols, frozenset(), frozenset(), module_types=False, preemption=""), FUNCTIONS),
    "6.1": (
        Facts(EVERYTHING.symbols, frozenset({TYPES["frames"]}), frozenset(), True, "none (voluntary) full"),
        FUNCTIONS | {"frames", "moves", "bpftrace"},
    ),
    "6.12": (
        replace(EVERYTHING, types=EVERYTHING.types - {TYPES["stats"]}, drivers=frozenset({"veth"})),
        FUNCTIONS | {"frames", "moves", "misses", "veth", "bpftrace"},
    ),
    "7.2 and 7.3": (replace(EVERYTHING, preemption="full (lazy)"), CAPABILITIES - {"moves"}),
}
"""Debian's kernels: what they have, and what they are able to do."""


@pytest.mark.parametrize("series", STOCK)
def test_what_debian_s_kernels_must_be_able_to_do(series: str) -> None:
    facts, able = STOCK[series]
    assert set(abilities.abilities(facts)) == able


@pytest.mark.parametrize("packed", [False, True])
def test_a_driver_makes_pools_if_its_module_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    monkeypatch.setattr(abilities, "MODULES", tmp_path)
    folder = tmp_path / abilities.os.uname().release / "kernel/drivers/net"
    folder.mkdir(parents=True)
    for module, data in {"veth": b"\x7fELF..page_pool_create\0", "virtio_net": b"\x7fELF..napi_enable\0"}.items():
        path = folder / (f"{module}.ko.xz" if packed else f"{module}.ko")
        path.write_bytes(lzma.compress(data) if packed else data)
    assert [abilities._makes_pools(module) for module in ("veth", "virtio_net")] == [True, False]


def test_every_live_test_is_asked_of_the_newest_kernel() -> None:
    files = {path.stem.removeprefix("test_") for path in Path("tests/live").glob("test_*.py")}
    assert files == set(live_tests.asked("newest")) > set(live_tests.BY_KERNEL)
    assert {each for needs in live_tests.BY_KERNEL.values() for each in needs} <= CAPABILITIES
    assert all(set(live_tests.asked(role)) <= files for role in ROLES)


def test_a_kernel_is_asked_what_it_can_answer() -> None:
    old = abilities.abilities(replace(NOTHING, symbols=EVERYTHING.symbols))
    assert live_tests.possible(live_tests.asked("oldest"), old) == ["attach", "support"]
    assert live_tests.possible(live_tests.asked("newest"), CAPABILITIES) == list(live_tests.asked("newest"))


def test_the_tests_are_told_what_must_work(tmp_path: Path) -> None:
    assert live_tests.environment(("numa", "veth"), tmp_path)["PPOBSERVE_EXPECT"] == "numa,veth"
    assert "tests/live/test_attach.py" in live_tests.pytest_command(["attach"], tmp_path)
