"""Writes the tables and plots of docs/numa.md, from the recording in docs/numa, which scripts/numa_story.py made.

.venv/bin/python scripts/numa_page.py
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ppobserve.model.series import total
from ppobserve.model.snapshot import PoolSample
from ppobserve.plot.chart import FAR, Series, lines
from ppobserve.plot.svg import standalone
from ppobserve.source.recorded import open_recording

FOLDER = Path(__file__).parent.parent / "docs" / "numa"
PAGE = FOLDER.parent / "numa.md"
MISMATCHES = (("0", "1"), ("1", "0"))
Row = tuple[float, PoolSample]
"""When, in seconds since the recording began, and the pool then."""


def figures() -> dict[Path, str]:
    """Every file that is made of the recording, with its text."""
    story = json.loads((FOLDER / "story.json").read_text())
    rows, begun = recorded(story["pool"])
    made = {"{moves}": moves(story, rows, begun), "{counts}": counts(story, rows)}
    return {PAGE: filled(PAGE.read_text(), made), **{FOLDER / name: standalone(plot) for name, plot in plots(rows)}}


def recorded(pool: str) -> tuple[list[Row], float]:
    """The pool at each moment, and when the first was."""
    recording = open_recording(FOLDER / "story.jsonl.gz")
    taken = list(recording.snapshots(len(recording)))
    recording.close()
    begun = taken[0].time
    return [(each.time - begun, sample) for each in taken for sample in each.pools if sample.pool.id == pool], begun


def mismatches(sample: PoolSample, nodes: tuple[str, str]) -> int:
    counter = sample.counters["numa_mismatch_pages"]
    assert isinstance(counter, Mapping)
    return counter.get(nodes, 0)


def remote(sample: PoolSample, where: str) -> int:
    """Pages on another node than the consumer's."""
    return sum(pages for (place, *_), pages in sample.remote.items() if place == where)


def plots(rows: Sequence[Row]) -> Iterable[tuple[str, str]]:
    """Name and chart of each picture."""
    times = [time for time, _ in rows]
    between = [(old + new) / 2 for old, new in pairwise(times)]
    slow = Series("slow refills", rate(rows, lambda each: total(each.counters["slow_refills"])))
    met = [
        Series(f"page on {page}, wanted on {wanted}", direction(rows, (page, wanted)), FAR)
        for page, wanted in MISMATCHES
    ]
    yield (
        "mismatches.svg",
        lines("Mismatches, and the slow refills that they make", between, [slow, *met], unit="a second"),
    )
    ring = Series("in the ring", [remote(sample, "ring") for _, sample in rows], FAR)
    yield "ring.svg", lines("Pages that the ring keeps on another node", times, [ring], unit="pages")
    cache = Series("in the cache", [remote(sample, "cache") for _, sample in rows], FAR)
    yield "cache.svg", lines("Pages that the cache keeps on another node", times, [cache], unit="pages")


def direction(rows: Sequence[Row], nodes: tuple[str, str]) -> list[float | None]:
    """Mismatches a second; nothing where there were none, so that the other direction shows."""
    return [each or None for each in rate(rows, lambda sample: mismatches(sample, nodes))]


def rate(rows: Sequence[Row], count: Any) -> list[float]:
    """What a count gained a second, from each moment to the next."""
    return [(count(new) - count(old)) / (after - before) for (before, old), (after, new) in pairwise(rows)]


def moves(story: Mapping[str, Any], rows: Sequence[Row], begun: float) -> str:
    """A line for each move of the interrupt: what was counted until the next one."""
    lines = [
        "| at | interrupt on | what arrives | mismatches | far in the ring, first | last | far in the cache, last |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    ends = [each["time"] - begun for each in story["moves"][1:]] + [rows[-1][0] + 1]
    for move, end in zip(story["moves"], ends, strict=True):
        start = max(move["time"] - begun, 0.0)
        during = [sample for time, sample in rows if start <= time < end]
        before = [sample for time, sample in rows if time < start][-1:] or during[:1]
        lines.append(f"| {start:.0f} s | node {move['cpu']} | {move['what']} | {_gained(before[0], during)} |")
    return "\n".join(lines)


def _gained(before: PoolSample, during: Sequence[PoolSample]) -> str:
    first, last = during[0], during[-1]
    dropped = sum(mismatches(last, nodes) - mismatches(before, nodes) for nodes in MISMATCHES)
    far = remote(first, "ring"), remote(last, "ring"), remote(last, "cache")
    return " | ".join(map(str, (dropped, *far)))


def counts(story: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Both sides' counts over the whole story."""
    both = {name: (ours, story["kernel"][name]) for name, ours in story["ours"].items()}
    both["recycle_ring_full"] = ring_full(rows), story["kernel"]["recycle_ring_full"]
    lines = ["| counter | ppobserve | the kernel |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {ours} | {kernel} |" for name, (ours, kernel) in both.items())])


def ring_full(rows: Sequence[Row]) -> int:
    """Pages that found the ring full. Before the first row and after the last only pings pass, and they fill none."""
    first, last = (sample.counters["pages_returned"] for _, sample in (rows[0], rows[-1]))
    assert isinstance(first, Mapping) and isinstance(last, Mapping)
    return last[("ring_full",)] - first[("ring_full",)]


def filled(page: str, made: Mapping[str, str]) -> str:
    """The page with what stands between ``<!-- {name} -->`` and ``<!-- end -->`` made anew."""
    for name, table in made.items():
        begin, end = f"<!-- {name} -->\n", "<!-- end -->"
        head, _, rest = page.partition(begin)
        page = head + begin + table + "\n" + end + rest.partition(end)[2]
    return page


if __name__ == "__main__":
    for path, text in figures().items():
        path.write_text(text)
