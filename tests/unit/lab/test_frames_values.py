"""How a run is cut into pools, and what is refused before the kernel is asked."""

from __future__ import annotations

import os
from itertools import islice

import pytest

from ppobserve.errors import UsageError
from ppobserve.lab.affinity import check, first, pinned
from ppobserve.lab.frames import check_values, parts, run_frames


def test_parts_add_up_and_the_last_is_smaller() -> None:
    assert list(parts(251, 100)) == [100, 100, 51]
    assert list(parts(200, 100)) == [100, 100]
    assert list(parts(0, 100)) == []


def test_parts_of_no_limit_never_end() -> None:
    assert list(islice(parts(None, 64), 3)) == [64, 64, 64]


@pytest.mark.parametrize(
    ("batch", "size", "per_pool", "word"),
    [(0, 64, 1, "batch"), (257, 64, 1, "batch"), (64, 13, 1, "size"), (64, 3001, 1, "size"), (64, 64, 0, "per pool")],
)
def test_values_that_no_kernel_takes_are_refused(batch: int, size: int, per_pool: int, word: str) -> None:
    with pytest.raises(UsageError, match=f"^frames: {word} is "):
        check_values(batch, size, per_pool)
    with pytest.raises(UsageError):
        run_frames(1, batch=batch, size=size, per_pool=per_pool)


@pytest.mark.parametrize("cpu", [99999, -1, 10**20])
def test_an_unknown_cpu_is_a_usage_error(cpu: int) -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(UsageError, match=f"cannot run on CPU {cpu}"):
        check(cpu)
    assert os.sched_getaffinity(0) == before


def test_pinned_is_undone_also_after_an_error() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(ZeroDivisionError), pinned(min(before)):
        assert os.sched_getaffinity(0) == {min(before)}
        _ = 1 // 0
    assert os.sched_getaffinity(0) == before


def test_the_first_cpu_is_one_that_this_thread_may_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda thread: {5, 2, 3})
    assert first() == 2
