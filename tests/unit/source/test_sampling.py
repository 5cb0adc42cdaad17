"""Snapshots at an interval: of a source that goes on, and of a recording in its own time."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from ppobserve.source import sampling
from ppobserve.source.sampling import is_playable, samples
from tests.unit.export.samples import Source, moment
from tests.unit.source.playing import Played


def test_a_live_source_is_read_as_time_goes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(sampling.time, "sleep", slept.append)
    source = Source(*(replace(moment(), time=float(second)) for second in range(5)))
    assert [each.time for each in islice(samples(source, 2.5), 3)] == [0, 1, 2]
    assert slept == [2.5, 2.5]


@pytest.mark.parametrize(
    ("interval", "times"),
    [(1, [0, 1, 2, 3, 7, 8]), (0.5, [0, 1, 2, 3, 7, 8]), (2, [0, 2, 3, 8]), (3, [0, 3, 8]), (100, [0, 8])],
)
def test_a_recording_is_read_in_its_own_time_to_its_end(
    interval: float, times: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every snapshot at most once, the first and the last always; nobody waits."""
    monkeypatch.setattr(sampling.time, "sleep", lambda _: pytest.fail("it waited"))
    recording = Played([0, 1, 2, 3, 7, 8])
    assert is_playable(recording)
    assert [each.time for each in samples(recording, interval)] == times


def test_a_recording_of_one_snapshot_is_one() -> None:
    assert [each.time for each in samples(Played([5]), 1)] == [5]


def test_what_cannot_seek_is_not_played() -> None:
    assert not is_playable(Source())
