"""What a recording takes on disk, and what it takes to write, open and seek in one: for docs/recording.md.

Pools are those of a recording in the tree, as many times as wanted, each with a busy NIC queue's events of its own. No
root, nothing is attached.

    .venv/bin/python -m bench.recording --short
"""

from __future__ import annotations

import random
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from bench.claims import claim, heading, options, table
from ppobserve.model.recording import to_line
from ppobserve.model.series import Counter, Histogram
from ppobserve.model.snapshot import PoolSample, Snapshot
from ppobserve.source.recorded import open_recording
from ppobserve.source.recorder import Recorder

REAL = Path(__file__).parent.parent / "tests/data/recordings/moving.jsonl.gz"
HOUR = 3600
SIZED = 120
"""Snapshots that sizes are taken from."""


def snapshots(count: int, pools: int) -> Iterator[Snapshot]:
    """One a second, each pool a little further than before."""
    chance = random.Random(7)
    with closing(open_recording(REAL)) as recorded:
        (real,) = recorded.snapshots(1)
    samples = [
        replace(real.pools[1], pool=replace(real.pools[1].pool, id=str(number), napi=8193 + number))
        for number in range(pools)
    ]
    for second in range(count):
        samples = [_further(each, chance) for each in samples]
        yield replace(real, time=real.time + second + chance.random() / 1000, pools=tuple(samples))


def _further(sample: PoolSample, chance: random.Random) -> PoolSample:
    counters = {name: _more(counter, chance.randrange(20_000)) for name, counter in sample.counters.items()}
    gauges = {**sample.gauges, "cache_pages": chance.randrange(128), "ring_pages": chance.randrange(256)}
    return replace(sample, counters=counters, gauges=gauges)


def _more(counter: Counter, events: int) -> Counter:
    if isinstance(counter, Histogram):
        return counter + Histogram((events // 50, 1, 1, 2, 3, 5, 8, events), 64 * events)
    return {key: count + events // (place + 1) for place, (key, count) in enumerate(counter.items())}


COLUMNS = (
    "pools",
    "kB a line",
    "MB an hour",
    "kB a line, gzip",
    "MB an hour, gzip",
    "ms of CPU a snapshot, gzip",
    "of them for JSON",
)


def sizes(folder: Path, count: int) -> None:
    """A table of sizes by number of pools."""
    rows = []
    for pools in (2, 16, 64, 512):
        taken = list(snapshots(count, pools))
        plain, _ = _written(folder / "a.jsonl", taken)
        packed, seconds = _written(folder / "a.jsonl.gz", taken)
        begin = time.process_time()
        for each in taken:
            to_line(each)
        lines = time.process_time() - begin
        taking = (f"{1e3 * seconds / count:.1f}", f"{1e3 * lines / count:.1f}")
        rows.append((pools, *_size(plain / count, 1), *_size(packed / count, 2), *taking))
    table(COLUMNS, rows)


def _size(size: float, digits: int) -> tuple[str, str]:
    """Bytes of a line as kB, and of an hour of them as MB."""
    return f"{size / 1e3:.{digits}f}", f"{size * HOUR / 1e6:.1f}"


def _written(path: Path, taken: list[Snapshot]) -> tuple[int, float]:
    """Bytes, and seconds of CPU time."""
    path.unlink(missing_ok=True)
    begin = time.process_time()
    with closing(Recorder(path)) as recorder:
        for each in taken:
            recorder.write(each)
    return path.stat().st_size, time.process_time() - begin


def opening(path: Path, count: int) -> tuple[float, float, float]:
    """CPU seconds to open, then to show a moment far from the last one; and MiB that Python's objects take at most."""
    with closing(Recorder(path)) as recorder:
        for each in snapshots(count, 64):
            recorder.write(each)
    begin = time.process_time()
    with closing(open_recording(path)) as recorded:
        opened = time.process_time() - begin
        recorded.paused = True
        places = [place * recorded.duration for place in (0.5, 0.99, 0.1, 0.7, 0.3)]
        begin = time.process_time()
        for place in places:
            recorded.seek(place)
            recorded.read()
        sought = (time.process_time() - begin) / len(places)
    tracemalloc.start()
    with closing(open_recording(path)):
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return opened, sought, peak / (1 << 20)


def main() -> None:
    """Print the section."""
    short = options(__doc__.split("\n")[0] if __doc__ else "").short
    heading("Recordings")
    with tempfile.TemporaryDirectory() as folder:
        sizes(Path(folder), 3 if short else SIZED)
        for name in ("hour.jsonl", "hour.jsonl.gz"):
            opened, sought, mib = opening(Path(folder) / name, 50 if short else HOUR)
            what = f"{name.partition('.')[2]}, an hour at 1 a second with 64 pools"
            claim(f"opening {what}: CPU time", opened, "s", script=__file__, at_most=1)
            claim(f"seeking in {what}: CPU time", sought, "s", script=__file__, at_most=0.1)
            claim(f"opening {what}: memory of Python's objects", mib, "MiB", script=__file__, at_most=8)


if __name__ == "__main__":
    main()
