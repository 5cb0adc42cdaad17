"""A source that measures itself: what it says, when it steps, and that nothing is lost or stays attached."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest

from ppobserve.errors import HostError, LoaderError
from ppobserve.kernel import bpf
from ppobserve.model.plan import Level, Plan, Rung
from ppobserve.model.series import total
from ppobserve.model.snapshot import HookState, Pool, PoolSample, Snapshot
from ppobserve.source import budgeted, meter
from ppobserve.source.budgeted import Budgeted
from tests.unit.factories import plan, snapshot

BUDGET = 0.005
PROGRAM = 97


class Kernel:
    """Statistics of one program, which runs a thousand times a second and takes a part of a CPU."""

    def __init__(self) -> None:
        self.now, self.part, self.failure = 1000.0, 0.0, ""
        self.spent = self.runs = 0.0
        self.counting: list[int] = []

    def enable(self) -> int:
        if self.failure:
            raise bpf.BpfError(self.failure, 22)
        read, write = os.pipe()
        self.counting.append(read)
        return write

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.spent += seconds * self.part
        self.runs += seconds * 1000

    def statistics(self, program: int) -> bpf.Runs:
        assert program == PROGRAM
        return bpf.Runs(round(self.runs), round(self.spent * 1e9), 0)


class Waiting(threading.Event):
    """Lets the kernel's time pass in place of ours."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self.kernel = kernel

    def wait(self, timeout: float | None = None) -> bool:
        self.kernel.pass_time(timeout or 0)
        return self.is_set()


class Attached:
    """Stands for a live source of one level; two that are attached at a time count the same."""

    def __init__(self, level: Level, held: Callable[[], int]) -> None:
        self.level, self.held, self.begun = level, held, held()
        self.closed, self.adopted = 0, list[Attached]()
        self.failure: HostError | None = None

    @property
    def plan(self) -> Plan:
        return plan(self.level, Rung.FENTRY)

    def read(self) -> Snapshot:
        if self.failure:
            raise self.failure
        held = {"pages_held": {(): self.held() - self.begun}}
        hooks = {"refill": HookState(not self.closed, 3)}
        return snapshot(PoolSample(Pool("23", "eth0", 4026531840, 7), held, {}), plan=self.plan, hooks=hooks)

    def programs(self) -> Mapping[str, frozenset[int]]:
        return {"refill_entry": frozenset({PROGRAM})}

    def adopt(self, former: Attached) -> Mapping[str, str]:
        assert not former.closed
        self.adopted.append(former)
        return {}

    def close(self) -> None:
        self.closed += 1


class Daemon:
    """A budgeted source in a world that this test moves on."""

    def __init__(self, kernel: Kernel, budget: float | None = BUDGET, level: Level = Level.FULL) -> None:
        self.kernel, self.said, self.held = kernel, list[str](), 0
        self.refused: HostError | None = None
        self.started = [Attached(level, lambda: self.held)]
        self.source = Budgeted(self.started[0], self.start, budget, self.said.append)
        self.source._stop = Waiting(kernel)

    def start(self, level: Level) -> Attached:
        if self.refused:
            raise self.refused
        self.started.append(Attached(level, lambda: self.held))
        self.held += 5  # while both are attached
        return self.started[-1]

    def look(self, part: float, times: int = 1) -> Level:
        self.kernel.part = part
        for _ in range(times):
            self.kernel.pass_time(9.9)
            self.source.look()
        return self.source.plan.level

    def shown(self) -> int:
        (sample,) = self.source.read().pools
        return total(sample.counters["pages_held"])


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    fake = Kernel()
    monkeypatch.setattr(bpf, "enable_statistics", fake.enable)
    monkeypatch.setattr(bpf, "program_statistics", fake.statistics)
    monkeypatch.setattr(meter.time, "monotonic", lambda: fake.now)
    yield fake
    for read in fake.counting:
        assert os.read(read, 1) == b"", "statistics are still on"
        os.close(read)


def test_what_programs_take_is_scaled_from_the_window_to_all_the_time(kernel: Kernel) -> None:
    daemon = Daemon(kernel, budget=None)
    assert daemon.source.read().costs == {}
    daemon.look(0.25, times=3)
    (cost,) = daemon.source.read().costs.values()
    assert cost.seconds == pytest.approx(0.25 * 30)
    assert cost.runs == pytest.approx(1000 * 30)
    assert daemon.said == []


def test_over_the_budget_it_steps_down_says_so_and_loses_nothing(kernel: Kernel) -> None:
    daemon = Daemon(kernel)
    daemon.held += 1009
    assert daemon.look(0.01) is Level.FULL
    assert daemon.look(0.01) is Level.STANDARD
    assert daemon.said == ["level full takes 1.00% of a CPU, the budget is 0.50%: going to level standard"]
    assert daemon.shown() == daemon.held == 1014
    assert (daemon.source.read().levels_below, daemon.source.read().plan.level) == (1, Level.STANDARD)
    daemon.held += 13
    assert daemon.look(0.01, times=2) is Level.LEAN
    assert daemon.shown() == daemon.held
    assert [each.closed for each in daemon.started] == [1, 1, 0]
    assert daemon.started[2].adopted == [daemon.started[1]]


def test_at_the_lowest_level_it_says_once_that_no_more_can_be_done(kernel: Kernel) -> None:
    daemon = Daemon(kernel, level=Level.LEAN)
    assert daemon.look(0.01, times=3) is daemon.look(0.02, times=4) is Level.LEAN
    assert daemon.said == ["level lean takes 1.00% of a CPU, the budget is 0.50%: there is no level below"]
    daemon.look(0.001)
    daemon.look(0.03)
    assert len(daemon.said) == 2
    assert len(daemon.started) == 1


def test_it_steps_up_again(kernel: Kernel) -> None:
    daemon = Daemon(kernel)
    daemon.look(0.01, times=2)
    assert daemon.look(0.001, times=31) is Level.FULL
    assert daemon.source.read().levels_below == 0
    assert "going to level full" in daemon.said[-1]
    assert daemon.source.read().hooks == {"refill": HookState(True, 9)}


def test_a_level_that_does_not_attach_leaves_the_present_one_at_work(kernel: Kernel) -> None:
    daemon = Daemon(kernel)
    daemon.refused = LoaderError("the BCC loader did not finish")
    daemon.look(0.01)
    with pytest.raises(LoaderError):
        daemon.look(0.01)
    assert (daemon.source.plan.level, daemon.source.read().levels_below) == (Level.FULL, 0)
    assert [each.closed for each in daemon.started] == [0]
    daemon.refused = None
    assert daemon.look(0.01, times=2) is Level.STANDARD


def test_a_take_over_that_fails_closes_the_new_programs(kernel: Kernel) -> None:
    daemon = Daemon(kernel)
    daemon.look(0.01)
    daemon.started[0].failure = HostError("cannot read")
    with pytest.raises(HostError):
        daemon.look(0.01)
    assert [each.closed for each in daemon.started] == [0, 1]
    daemon.started[0].failure = None
    assert daemon.shown() == daemon.held


def test_a_step_that_comes_to_its_end_after_the_daemon_leaves_nothing_attached(kernel: Kernel) -> None:
    daemon = Daemon(kernel)
    daemon.look(0.01)
    start = daemon.source._start

    def slowly(level: Level) -> Attached:
        new = start(level)
        daemon.source.close()
        return new

    daemon.source._start = slowly
    daemon.look(0.01)
    assert [each.closed for each in daemon.started] == [1, 1]


def test_a_kernel_without_statistics_is_a_sentence_once(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel.failure = "cannot turn on BPF run statistics"
    monkeypatch.setattr(budgeted, "EVERY", 1e-4)
    daemon = Daemon(kernel)
    looks = 0

    class Soon(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal looks
            looks += 1
            return looks > 5

    daemon.source._stop = Soon()
    daemon.source._watch()
    assert daemon.said == ["cannot turn on BPF run statistics: Invalid argument"]
    assert daemon.source.read().costs == {}
