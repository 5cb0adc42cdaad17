"""What the demo reads out of /metrics is what the daemon writes there, by a recording of a guest of two nodes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from demo.counters import mismatches_by_node, pairs, series_of
from ppobserve.export.collector import PoolCollector
from ppobserve.export.exposition import pool_lines
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.series import Histogram, total
from ppobserve.model.snapshot import PoolSample, Snapshot
from ppobserve.source.recorded import open_recording
from tests.unit.export.samples import Source

RECORDING = Path(__file__).parents[2] / "data/recordings/moving.jsonl.gz"


@pytest.fixture(scope="module")
def last() -> Snapshot:
    with closing(open_recording(RECORDING)) as recorded:
        return list(recorded.snapshots(len(recorded)))[-1]


def receiver(last: Snapshot) -> PoolSample:
    (sample,) = (sample for sample in last.pools if sample.pool.netdev == "ppv1")
    return sample


def test_every_counter_is_found_under_its_name(last: Snapshot) -> None:
    sample = receiver(last)
    seen = PoolCollector(Source(last), Cardinality.POOL, 100).see()
    series = series_of("".join(pool_lines(seen, openmetrics=False)), "ppv1", sample.pool.netns)
    counters = sample.counters
    batches, misses, returned = (counters[name] for name in ("refill_batch_pages", "refill_misses", "pages_returned"))
    assert isinstance(batches, Histogram)
    assert not isinstance(misses, Histogram) and not isinstance(returned, Histogram)
    assert {pair.kernel_name: pair.ours for pair in pairs(series, {})} == {
        "alloc_refill": batches.filled,
        "alloc_empty": misses[("ring_empty",)],
        "alloc_waive": total(counters["numa_mismatch_pages"]),
        "alloc_slow": total(counters["slow_refills"]),
        "recycle_ring_full": returned[("ring_full",)],
    }
    assert mismatches_by_node(series) == counters["numa_mismatch_pages"]
