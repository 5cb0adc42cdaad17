"""Each rule on values: what it finds, from which number on, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.model.finding import Finding, Severity
from ppobserve.model.findings import climb, findings
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import Counters, Histogram, add
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State, Tables
from ppobserve.model.span import span_of
from ppobserve.source.recorded import open_recording
from tests.unit.factories import ZERO, Host, counted, histories, plan, snapshot, snapshots

RECORDINGS = Path(__file__).parent.parent.parent / "data/recordings"
BEGIN = 1_700_000_000.0
ETH = Pool("7", "eth0", 4026531840, 2, nid=-1)
Found = dict[str, Finding]


def told(shown: Sequence[Snapshot]) -> Found:
    """The findings by kind; in these tests no kind is found twice."""
    found = findings(span_of(shown))
    assert len({each.kind for each in found}) == len(found)
    assert list(found) == sorted(found, key=lambda each: -max(each.severity, Severity.NOTICE))
    for each in found:
        assert each.sentence.endswith(".") and (each.todo or each.severity <= Severity.NOTICE)
        assert each.evidence
    return {each.kind: each for each in found}


def seconds(count: int, sample: Callable[[int], PoolSample], **changes: Any) -> list[Snapshot]:
    """A snapshot a second."""
    return [snapshot(sample(second), time=BEGIN + second, **changes) for second in range(count)]


def refilling(second: int, refills: int, **counters: Any) -> Counters:
    """So many full refills a second, and what else happened until now."""
    return {**ZERO, "refill_batch_pages": Histogram((0,) * 7 + (refills * second,), 64 * refills * second), **counters}


def mismatching(each: int, refills: int, *, toward: str = "1", pool: Pool = ETH) -> list[Snapshot]:
    """So many refills a second, and so many of them end at a page on the wrong node."""

    def at(second: int) -> PoolSample:
        key = ("0", "1") if toward == "1" else ("1", "0")
        counters = refilling(second, refills, numa_mismatch_pages={("0", "1"): 0, ("1", "0"): 0, key: each * second})
        return PoolSample(pool, counters, {"inflight_pages": 64})

    return seconds(21, at)


@pytest.mark.parametrize(
    ("each", "refills", "severity"),
    [
        (100, 1000, Severity.CRITICAL),
        (99, 1000, Severity.WARNING),
        (49, 50, Severity.WARNING),
        (10, 1000, Severity.WARNING),
        (9, 1000, Severity.NOTICE),
        (4, 5, Severity.NOTICE),
    ],
)
def test_a_storm_is_one_of_ten_refills_and_some_pages(each: int, refills: int, severity: Severity) -> None:
    found = told(mismatching(each, refills))["numa_mismatch"]
    assert (found.severity, found.where, found.far) == (severity, "eth0", True)
    assert found.evidence["mismatch_pages"] == 20 * each
    assert found.evidence["worst_share_of_refills"] == pytest.approx(each / refills)
    assert "on node 0 while node 1 was wanted" in found.sentence


def test_a_short_storm_in_a_long_calm_is_found_where_it_was() -> None:
    def at(second: int) -> PoolSample:
        storm = min(max(second - 150, 0), 20)
        return PoolSample(ETH, refilling(second, 1000, numa_mismatch_pages={("0", "1"): 500 * storm}), {})

    found = told(seconds(241, at))["numa_mismatch"]
    assert found.severity is Severity.CRITICAL
    assert 2 * 60 + 20 <= found.evidence["worst_at_seconds"] <= 2 * 60 + 50
    assert "at 2:" in found.sentence


def test_without_refills_the_rate_decides() -> None:
    lean = plan(Level.STANDARD, Rung.TRACEPOINT)
    for each, severity in ((1000, Severity.CRITICAL), (999, Severity.WARNING), (9, Severity.NOTICE)):
        shown = [replace(one, plan=lean, pools=tuple(map(without_refills, one.pools))) for one in mismatching(each, 5)]
        found = told(shown)["numa_mismatch"]
        assert found.severity is severity
        assert "refills" not in found.sentence and "worst_share_of_refills" not in found.evidence


def without_refills(sample: PoolSample) -> PoolSample:
    kept = {name: counter for name, counter in sample.counters.items() if not name.startswith("refill")}
    return replace(sample, counters=kept)


@pytest.mark.parametrize(
    ("nodes", "nid", "advice"),
    [
        ({("0", "1"): 1000, ("1", "0"): 0}, -1, "The consumer runs on node 1"),
        ({("0", "1"): 1000, ("1", "0"): 200}, -1, "The consumer moves between nodes"),
        ({("0", "1"): 1000, ("1", "0"): 50}, -1, "The consumer runs on node 1"),
        ({("0", "1"): 1000}, 1, "The driver made the device's pools for node 1, and"),
    ],
)
def test_what_to_do_depends_on_who_moves(nodes: dict[tuple[str, str], int], nid: int, advice: str) -> None:
    def at(second: int) -> PoolSample:
        counters = refilling(second, 50, numa_mismatch_pages={key: second * count for key, count in nodes.items()})
        return PoolSample(replace(ETH, nid=nid), counters, {})

    assert told(seconds(9, at))["numa_mismatch"].todo.startswith(advice)


def test_pools_made_for_each_node_are_named_together() -> None:
    toward_0 = mismatching(100, 500, toward="0", pool=replace(ETH, id="8", nid=0))
    toward_1 = mismatching(100, 500, toward="1", pool=replace(ETH, nid=1))
    both = [replace(each, pools=(*each.pools, *other.pools)) for each, other in zip(toward_0, toward_1, strict=True)]
    found = told(both)["numa_mismatch"]
    assert found.todo.startswith("The driver made the device's pools for nodes 0 and 1, and")
    assert "dropped 4,000 pages" in found.sentence


@pytest.mark.parametrize(
    ("far", "pages", "found"), [(50, 100, True), (49, 100, False), (60, 63, False), (0, 500, False)]
)
def test_remote_pages_are_found_when_most_wait_far_away(far: int, pages: int, found: bool) -> None:
    def at(second: int) -> PoolSample:
        gauges = {"cache_pages": 10, "ring_pages": pages - 10, "inflight_pages": pages}
        return PoolSample(ETH, refilling(second, 100), gauges, {("ring", "1", "0"): far})

    shown = told(seconds(5, at))
    assert ("remote_pages" in shown) is found
    if found:
        assert shown["remote_pages"].evidence == {"median_share_of_waiting_pages": 0.5, "most_remote_pages": 50}
        assert shown["remote_pages"].far
    else:
        assert "healthy" in shown


def full_ring(lost: int, others: int, mismatches: int = 0) -> list[Snapshot]:
    def at(second: int) -> PoolSample:
        returned = {("ring_full",): lost * second, ("referenced",): others * second}
        nodes = {("0", "1"): mismatches * second}
        return PoolSample(ETH, refilling(second, 1000, pages_returned=returned, numa_mismatch_pages=nodes), {})

    return seconds(6, at)


@pytest.mark.parametrize(
    ("lost", "others", "found"), [(100, 400, True), (100, 401, False), (99, 0, False), (5000, 0, True)]
)
def test_a_ring_that_is_too_small(lost: int, others: int, found: bool) -> None:
    shown = told(full_ring(lost, others))
    assert ("ring_full" in shown) is found
    if found:
        assert shown["ring_full"].evidence["ring_full_pages"] == 5 * lost
        assert "ethtool" in shown["ring_full"].todo


def test_a_ring_that_mismatches_fill_is_not_the_rings_fault() -> None:
    shown = told(full_ring(6400, 0, mismatches=100))
    assert shown["ring_full"].severity is Severity.NOTICE
    assert "mend them first" in shown["ring_full"].todo
    assert told(full_ring(6400, 0, mismatches=50))["ring_full"].severity is Severity.WARNING


@pytest.mark.parametrize(
    ("values", "grown"),
    [
        ([100 + 10 * n for n in range(60)], 590),
        ([100 + 10 * n for n in range(30)], 0),
        ([100 + n for n in range(60)], 0),
        ([100 + 10 * (n % 40) for n in range(60)], 0),
        ([1000 - 10 * n for n in range(60)], 0),
        ([100 + 10 * n + 20 * (n % 2) for n in range(60)], 610),
    ],
)
def test_a_leak_goes_up_and_never_down(values: list[int], grown: int) -> None:
    shown = told(seconds(len(values), lambda n: PoolSample(ETH, refilling(n, 100), {"inflight_pages": values[n]})))
    leak = shown.get("leak")
    assert (leak.evidence["grown_pages"] if leak else 0) == pytest.approx(grown, abs=40)
    assert (leak is None) == (grown == 0)


@given(st.lists(st.integers(-1000, 1000), max_size=60))
def test_what_climbs_ends_above_where_it_began(values: list[int]) -> None:
    assert climb(values) >= 0
    if values and max(values) == min(values):
        assert climb(values) == 0


@pytest.mark.parametrize(("age", "severity"), [(60.0, Severity.WARNING), (59.0, Severity.NOTICE)])
def test_a_zombie_is_a_warning_when_the_kernel_warns_of_it(age: float, severity: Severity) -> None:
    dead = replace(ETH, state=State.DETACHED)
    gauges = {"inflight_pages": 19, "pool_detached_seconds": age}
    found = told(seconds(3, lambda n: PoolSample(dead, refilling(n, 100), gauges)))["zombie"]
    assert (found.severity, found.where) == (severity, "pool 7 of eth0")
    assert "19 pages (76 KiB) have kept it alive" in found.sentence


def test_a_zombie_that_ended_is_told_but_no_warning() -> None:
    dead = replace(ETH, state=State.DETACHED)
    seen = snapshot(PoolSample(dead, ZERO, {"inflight_pages": 19, "pool_detached_seconds": 300.0}), time=BEGIN)
    found = told([seen, snapshot(time=BEGIN + 1)])["zombie"]
    assert found.severity is Severity.NOTICE
    assert found.sentence.endswith("kept it alive for 300 s; then it ended.")


@pytest.mark.parametrize(("pages", "found"), [(-1, True), (0, False)])
def test_negative_inflight_is_a_bug(pages: int, found: bool) -> None:
    shown = told(seconds(3, lambda n: PoolSample(ETH, refilling(n, 100), {"inflight_pages": pages})))
    assert ("negative_inflight" in shown) is found
    assert not found or shown["negative_inflight"].severity is Severity.CRITICAL


def test_what_was_not_counted_is_told_and_the_audit_has_no_say_then() -> None:
    def shown(**changes: Any) -> Found:
        return told(seconds(3, lambda n: PoolSample(ETH, refilling(n, 100), {}), **changes))

    apart = {"alloc_slow": 3, "alloc_fast": 0}
    assert shown(tables=Tables(2, 5))["not_counted"].evidence == {"pools_dropped": 2, "events_dropped": 5}
    assert shown(audit=apart)["audit"].evidence == {"alloc_slow": 3}
    assert "audit" not in shown(tables=Tables(2, 5), audit=apart)
    assert set(shown(audit={"alloc_slow": 0})) == {"healthy"}


def test_all_well_is_said_with_what_was_looked_at() -> None:
    (found,) = told(seconds(31, lambda n: PoolSample(ETH, refilling(n, 100), {"inflight_pages": 192}))).values()
    assert (found.kind, found.severity) == ("healthy", Severity.GOOD)
    assert found.evidence["refill_batch_pages"] == 3000
    assert "the one pool in 30 s" in found.sentence


def test_a_host_at_rest_is_not_called_healthy() -> None:
    assert set(told(seconds(9, lambda n: PoolSample(ETH, refilling(0, 1), {})))) == {"idle"}
    assert set(told([snapshot()])) == {"idle"}


def test_a_notice_does_not_keep_the_rest_from_being_called_healthy() -> None:
    assert list(told(mismatching(1, 1000))) == ["healthy", "numa_mismatch"]


def test_counting_that_begins_anew_is_not_taken_for_gains() -> None:
    before = mismatching(100, 1000)
    after = [replace(each, time=each.time + 100) for each in mismatching(100, 1000)]
    span = span_of([*before, *after])
    assert span.broken == ("the counters were reset",)
    assert findings(span)[0].evidence["mismatch_pages"] == 4000
    assert [bool(each.returns) for each in span.moments].count(False) == 1


@given(histories)
def test_the_gains_of_a_span_are_what_was_counted(history: list[tuple[Any, ...]]) -> None:
    """However pools come and go: nothing is lost to an end, nothing is in it twice."""
    shown = list(snapshots(history, Host()))
    timed = [replace(each, time=BEGIN + place) for place, each in enumerate(shown)]
    span = span_of(timed)
    total = add(shown[0].counters(), span.counters())
    assert {key: value for key, value in flat_of(total) if value} == {
        key: value for key, value in flat_of(shown[-1].counters()) if value
    }


def flat_of(counters: Counters) -> Iterator[tuple[Any, int]]:
    for name, counter in counters.items():
        if isinstance(counter, Histogram):
            yield (name, "sum"), counter.sum
        else:
            yield from (((name, key), value) for key, value in counter.items())


def test_pools_of_one_device_are_judged_together() -> None:
    def at(second: int) -> PoolSample:
        nodes = {("0", "1"): 40 * second}
        return PoolSample(ETH, refilling(second, 200, numa_mismatch_pages=nodes), {})

    pools = seconds(9, at)
    both = [replace(each, pools=(*each.pools, replace(each.pools[0], pool=replace(ETH, id="8")))) for each in pools]
    assert told(pools)["numa_mismatch"].severity is Severity.WARNING
    assert told(both)["numa_mismatch"].severity is Severity.CRITICAL


def recorded(name: str) -> Found:
    playing = open_recording(RECORDINGS / f"{name}.jsonl.gz")
    found = findings(span_of(playing.snapshots(240)))
    assert playing.problems == ()
    playing.close()
    return {each.kind: each for each in reversed(found)}


def test_a_real_sender_that_moves_is_a_storm() -> None:
    found = recorded("moving")
    assert found["numa_mismatch"].severity is Severity.CRITICAL
    assert found["numa_mismatch"].where == "ppv1"
    assert found["numa_mismatch"].todo.startswith("The consumer moves between nodes")
    assert found["ring_full"].severity is Severity.NOTICE


def test_a_real_zombie_is_found() -> None:
    assert "kept it alive for" in recorded("zombie")["zombie"].sentence


def test_pools_without_a_device_are_one() -> None:
    shown = [
        snapshot(PoolSample(Pool(str(n)), counted(second), {}), time=BEGIN + second) for second, n in enumerate("12")
    ]
    (device,) = span_of(shown).devices()
    assert device.name == "pools without a device"
