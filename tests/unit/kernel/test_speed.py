"""How slow a machine is, by a clock that the test sets."""

from __future__ import annotations

import pytest

from ppobserve.kernel import speed


@pytest.mark.parametrize(("took", "slower"), [(0.001, 1.0), (0.002, 1.0), (0.014, 7.0), (0.06, 30.0)])
def test_a_machine_is_as_slow_as_its_work_takes_long(
    took: float, slower: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter((97.0, 97.0 + took))
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(times))
    assert speed.slowness() == pytest.approx(slower)
