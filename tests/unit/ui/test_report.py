"""The report's page on values: what is in it, and that what names hold stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import Histogram
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State, Tables
from ppobserve.model.span import span_of
from ppobserve.ui.report import POOLS, Recording, report
from tests.unit.factories import ZERO, counted, plan, snapshot

HOSTILE = "<img src=x onerror=alert(1)>&\"'"
NETNS = 4026531840


def page(*snapshots: Snapshot, problems: tuple[str, ...] = ()) -> str:
    span = span_of(snapshots)
    return report(Recording("a.jsonl.gz", span, len(snapshots), len(snapshots), problems))


def hostile() -> Iterator[Snapshot]:
    """Everything that the kernel, or whoever sent the file, may choose is markup."""
    pool = Pool(HOSTILE, HOSTILE, NETNS, 2, driver=HOSTILE, device=HOSTILE)
    for second in range(3):
        mismatches = {(HOSTILE, "1"): 1000 * second, ("0", HOSTILE): 500 * second}
        counters = {**counted(second), "numa_mismatch_pages": mismatches, "pages_returned": {(HOSTILE,): 7 * second}}
        sample = PoolSample(pool, counters, {"inflight_pages": -3.0}, {(HOSTILE, HOSTILE, "1"): 5})
        yield snapshot(sample, time=1.7e9 + second, host=HOSTILE, kernel=HOSTILE, audit={HOSTILE: second})


class Tags(HTMLParser):
    """The tags of a page, and whether they are balanced."""

    VOID = frozenset({"meta", "link", "rect", "path", "polygon"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen, self.open = set[str](), list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_markup_in_names_is_text() -> None:
    made = page(*hostile(), problems=(HOSTILE,))
    assert HOSTILE not in made
    tags = Tags(made)
    assert tags.open == []
    assert not tags.seen & {"img", "script", "iframe", "a", "object", "form"}


def test_it_names_no_other_host() -> None:
    made = page(*hostile())
    assert re.findall(r"""(?:href|src|action)="([^"]*)\"""", made) == ["data:,"]
    assert not re.search(r"https?:|url\(|@import|//[a-z]", made)
    assert "default-src &#x27;none&#x27;" in made


def test_what_is_wrong_with_the_recording_is_said() -> None:
    restarted = [snapshot(PoolSample(Pool("7"), counted(n), {})) for n in (5, 6, 1)]
    moved = [replace(each, time=1.7e9 + second) for second, each in enumerate(restarted)]
    made = page(*moved, problems=("a.jsonl.gz: line 4 cut off: the file ends in it",))
    assert "line 4 cut off" in made
    assert "the counters were reset" in made


def test_what_is_not_counted_is_said_and_not_zero() -> None:
    lean = plan(Level.STANDARD, Rung.TRACEPOINT)
    counters = {name: counter for name, counter in ZERO.items() if name not in ("refill_batch_pages", "refill_misses")}
    made = page(*(snapshot(PoolSample(Pool("7"), counters, {}), plan=lean, time=1.7e9 + n) for n in (0, 1)))
    assert "pass no tracepoint" in made
    assert "<td>7</td><td>-</td><td>live</td><td>any</td><td>-</td><td>0</td>" in made
    assert "nothing counted" in made


def test_one_snapshot_is_a_report_too() -> None:
    made = page(snapshot(PoolSample(Pool("7", "eth0"), ZERO, {})))
    assert "there is nothing to judge" in made
    assert Tags(made).open == []


def test_no_pool_is_a_report_too() -> None:
    assert "no pool was seen" in page(snapshot(), snapshot(time=1.7e9 + 1))


def test_many_pools_are_not_all_listed() -> None:
    samples = [PoolSample(Pool(str(number)), counted(number), {}) for number in range(POOLS + 13)]
    made = page(snapshot(*samples), snapshot(*samples, time=1e9 + 1))
    assert "and 13 more" in made
    assert made.count("<tr>") == 1 + POOLS
    assert len(made) < 200_000


def test_ended_pools_are_listed_where_they_did_something() -> None:
    ended = Pool("ended", "eth0", NETNS, 2, state=State.ENDED)
    busy = [PoolSample(ended, {**ZERO, "refill_batch_pages": Histogram((n, *[0] * 7), 0)}, {}) for n in (3, 16)]
    made = page(*(snapshot(each, time=1.7e9 + n) for n, each in enumerate(busy)))
    assert "<td>ended</td><td>eth0</td><td>ended</td><td>any</td><td>13</td>" in made
    idle = page(*(snapshot(busy[0], time=1.7e9 + n) for n in (0, 1)))
    assert "<td>ended</td>" not in idle


@pytest.mark.parametrize("tables", [Tables(3, 0), Tables(0, 5)])
def test_a_finding_of_the_host_has_its_numbers(tables: Tables) -> None:
    made = page(snapshot(tables=tables), snapshot(tables=tables, time=1e9 + 1))
    assert f"<dt>pools dropped</dt><dd>{tables.pools_dropped}</dd>" in made
