"""The page's words: verdicts, matrices, what is not counted, and where it ends."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ppobserve.export import panels, tables
from ppobserve.export.markup import name, number
from ppobserve.export.page import View, page
from ppobserve.model.history import DEVICES, STEP, History
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import Histogram
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State
from tests.unit.export.samples import moment
from tests.unit.factories import counted, plan, snapshot


def view(now: Snapshot, before: Snapshot | None = None) -> View:
    history = History()
    for each in filter(None, (before, now)):
        history.add(each)
    return View(now, before, history.hour)


def later(before: Snapshot, seconds: float, **changes: object) -> Snapshot:
    return replace(before, time=before.time + seconds, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (None, "-"),
        (float("nan"), "-"),
        (9.96, "10"),
        (2.0, "2"),
        (0.04, "0"),
        (1234567.4, "1,234,567"),
        (-5, "-5"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("given", "text"), [("<b>", "&lt;b&gt;"), ("a\u202eb\x1b", "a?b?"), ("", "-"), ("'\"&", "&#x27;&quot;&amp;")]
)
def test_names(given: str, text: str) -> None:
    assert name(given) == f"<bdi>{text}</bdi>"


def test_verdict_names_the_device_that_loses_most() -> None:
    pools = [
        PoolSample(Pool(str(n), netdev), counted(events), {}) for n, netdev, events in ((1, "eth0", 1), (2, "eth1", 9))
    ]
    sentence = panels.verdict(snapshot(*pools), pools, 10)
    assert "<bdi>eth1</bdi>" in sentence and "far" in sentence


def test_verdict_sees_pages_that_stay_on_another_node() -> None:
    kept = PoolSample(Pool("1", "eth0"), {}, {}, {("ring", "1", "0"): 499})
    assert "499 pages are kept on another NUMA node" in panels.verdict(snapshot(kept), (), 0)
    assert "No page is on the wrong" in panels.verdict(snapshot(), (), 0)


def test_a_matrix_has_a_cell_for_each_pair_and_shades_by_tenths() -> None:
    counts = {("0", "1"): 1000, ("1", "0"): 99, ("unknown", "1"): 1, ("2", "0"): 0}
    pool = PoolSample(Pool("1"), {"numa_mismatch_pages": counts}, {})
    found = panels.since_start(snapshot(pool))
    assert re.findall(r'<th scope="row">(page on \w+)</th>', found) == [
        f"page on {n}" for n in ("0", "1", "2", "unknown")
    ]
    assert re.findall(r'class="(h\d)">([\d,]+)<', found) == [("h4", "1,000"), ("h3", "99"), ("h1", "1")]


def test_batches_are_by_range() -> None:
    pool = PoolSample(Pool("1"), {"refill_batch_pages": Histogram((7, 0, 0, 0, 0, 2, 0, 14), 900)}, {})
    found = panels.since_start(snapshot(pool))
    assert '<th scope="row">33 to 64</th>' in found and '<th scope="row">none</th>' in found
    assert re.findall(r'rect class="bar" width="([\d.]+)"', found)[::7] == ["50", "100"]


def test_what_is_not_counted_is_said_with_its_reason() -> None:
    tracepoints = plan(Level.STANDARD, Rung.TRACEPOINT)
    made = page(view(replace(moment(), plan=tracepoints)))
    assert made.count("Not counted: ") == 2
    assert "Not counted: " not in page(view(moment()))


def test_the_first_look_has_no_rates() -> None:
    assert "Rates come with the next look." in page(view(moment()))
    first = moment()
    assert "Rates are means of the last 7 s." in page(view(later(first, 7), first))


def test_rows_have_an_end() -> None:
    many = [PoolSample(Pool(str(n), f"eth{n}", ifindex=n), counted(n), {"inflight_pages": n}) for n in range(1, 1024)]
    first = snapshot(*many)
    made = page(view(later(first, STEP), first))
    assert made.count("<bdi>eth") == tables.SHOWN_POOLS + tables.SHOWN_DEVICES
    assert f"and {1023 - tables.SHOWN_POOLS} more" in made and f"and {DEVICES - tables.SHOWN_DEVICES} more" in made
    assert len(made) < 150_000


def test_every_name_is_text() -> None:
    mark = "<u>\"'&"
    pool = PoolSample(
        Pool(mark, mark, driver=mark), {"numa_mismatch_pages": {(mark, mark): 3, ("0", mark): 1}}, {"inflight_pages": 1}
    )
    first = snapshot(pool, host=mark, kernel=mark)
    grown = replace(pool, counters={"numa_mismatch_pages": {(mark, mark): 9, ("0", mark): 4}})
    made = page(replace(view(later(first, STEP, pools=(grown,)), first), problems=(mark,)))
    assert "<u>" not in made and made.count("&lt;u&gt;") >= 9


def test_what_is_wrong_comes_with_what_to_do() -> None:
    zombie = PoolSample(
        Pool("7", "<u>", state=State.DETACHED), counted(1), {"inflight_pages": 61, "pool_detached_seconds": 3601.0}
    )
    first = snapshot(zombie)
    found = panels.advice(later(first, 10), first)
    assert found.startswith('<details id="advice"><summary>One finding, and what to do</summary>')
    assert "pool 7 of &lt;u&gt;" in found
    assert panels.advice(first, None) == ""
    assert panels.advice(later(snapshot(), 10), snapshot()) == ""


def test_a_level_that_was_left_to_keep_the_budget_is_said() -> None:
    assert ", to keep the budget" in page(view(replace(moment(), levels_below=1)))
    assert "to keep the budget" not in page(view(replace(moment(), levels_below=0)))
