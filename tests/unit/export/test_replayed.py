"""A recording with gaps, replayed as a host that is scraped: no series goes down, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.fleet import Replay
from ppobserve.export.collector import PoolCollector
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.series import total
from ppobserve.model.snapshot import Snapshot
from ppobserve.source.recorded import open_recording
from tests.unit.export.test_collector import collected, counts, held

MOVING = Path(__file__).parent.parent.parent / "data" / "recordings" / "moving.jsonl.gz"
QUEUES = 3


class Played:
    """Snapshots that are there, one a read; a recording that stands still while there are none."""

    def __init__(self, snapshots: list[Snapshot]) -> None:
        self.snapshots, self.place = snapshots, 0

    def read(self) -> Snapshot:
        return self.snapshots[self.place]


@pytest.fixture(scope="module")
def snapshots() -> Iterator[list[Snapshot]]:
    with closing(open_recording(MOVING)) as recording:
        yield list(recording.snapshots(len(recording)))


@pytest.mark.parametrize("cardinality", Cardinality)
@pytest.mark.parametrize("gap", [range(0), range(10, 45), range(1, 62)], ids=["whole", "the storm lost", "both ends"])
def test_a_recording_with_a_gap_loses_nothing(snapshots: list[Snapshot], gap: range, cardinality: Cardinality) -> None:
    played = Played([snapshot for place, snapshot in enumerate(snapshots) if place not in gap])
    shown, ever = PoolCollector(Replay(played, QUEUES), cardinality, 1_000), {}  # type: ignore[arg-type]
    for place in (*range(len(played.snapshots)), len(played.snapshots) - 1):
        played.place = place
        series = counts(collected(shown))
        assert all(value >= ever.get(key, 0) for key, value in series.items())
        ever |= series
    assert held(ever) == QUEUES * total(snapshots[-1].counters()["pages_held"])
