"""What Prometheus reads: to the byte for a fixed moment, and lawful while pools come and end."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

from ppobserve.errors import ReadError
from ppobserve.export import collector
from ppobserve.export.collector import PoolCollector
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.metrics import POOL_LABELS, PREFIX, TABLE
from ppobserve.model.plan import Level, Rung
from ppobserve.model.snapshot import HookState, Pool, PoolSample, State
from ppobserve.model.ungrouped import Ungrouped
from tests.unit.export.samples import NETNS, Source, moment
from tests.unit.factories import Host, counted, flat, histories, plan, snapshot, snapshots

DATA = Path(__file__).parent.parent.parent / "data"


def collected(shown: PoolCollector) -> list[Sample]:
    return [sample for family in shown.collect() for sample in family.samples]


@pytest.mark.parametrize("cardinality", Cardinality)
def test_the_exposition_to_the_byte(cardinality: Cardinality, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "__version__", "0")
    registry = CollectorRegistry()
    registry.register(PoolCollector(Source(), cardinality))
    text = re.sub(rb"(?m)^(ppobserve_scrape_seconds) \S+$", rb"\1 0.0", generate_latest(registry))
    assert text == (DATA / f"exposition_{cardinality.value}.prom").read_bytes()


def names(families: Iterable[Family]) -> set[str]:
    return {family.name.removeprefix(PREFIX) for family in families}


def test_every_metric_of_the_table_is_exported_and_no_other() -> None:
    assert names(PoolCollector(Source()).collect()) == set(TABLE)


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("rung", Rung)
def test_what_a_plan_does_not_count_is_not_exported_as_zero(rung: Rung, level: Level) -> None:
    source = Source(replace(moment(), plan=plan(level, rung)))
    left_out = set(TABLE) - names(PoolCollector(source).collect())
    expected = {"refill_batch_pages", "refill_misses"} if rung is Rung.TRACEPOINT else set()
    expected |= {"nid_updates"} if level is Level.LEAN else set()
    assert left_out == expected | (set() if allocations_are_seen(rung, level) else {"allocs", "recycles"})


def allocations_are_seen(rung: Rung, level: Level) -> bool:
    return level is Level.FULL and rung is not Rung.TRACEPOINT


@pytest.mark.parametrize("cardinality", Cardinality)
def test_every_series_has_the_labels_that_the_table_says(cardinality: Cardinality) -> None:
    kept = {Cardinality.POOL: POOL_LABELS, Cardinality.NETDEV: ("netns", "netdev", "driver"), Cardinality.NODE: ()}
    own = {"build_info", "hook_attached", "hook_missed", "scrape_seconds", "pools_tracked", "pools_dropped",
           "events_dropped", "pools_folded", "pools_inflight_negative",
           "bpf_runs", "bpf_seconds", "levels_below", "netns_unreadable"}  # fmt: skip
    for family in PoolCollector(Source(), cardinality).collect():
        metric = TABLE[family.name.removeprefix(PREFIX)]
        expected = {*(() if metric.name in own else kept[cardinality]), *metric.labels}
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == expected, sample.name


def test_hooks_say_whether_they_are_attached_and_what_they_missed() -> None:
    source = Source()
    source.lost = {"slow"}
    samples = collected(PoolCollector(source))
    attached = {s.labels["hook"]: s.value for s in samples if s.name == "ppobserve_hook_attached"}
    missed = {s.labels["hook"]: s.value for s in samples if s.name == "ppobserve_hook_missed_total"}
    hooks = ["refill", "slow", "release", "return", "create", "teardown", "alloc", "fragment", "update_nid"]
    assert attached == {hook: int(hook != "slow") for hook in hooks}
    assert missed == {hook: place for place, hook in enumerate(hooks)}


def test_a_failed_read_fails_the_scrape() -> None:
    source = Source()
    source.failure = ReadError("cannot read")
    with pytest.raises(ReadError):
        collected(PoolCollector(source))


Key = tuple[str, ...]


def counts(samples: list[Sample]) -> dict[Key, float]:
    """Everything that only goes up, by name and labels."""
    return {
        (s.name, *(f"{name}={value}" for name, value in s.labels.items())): s.value
        for s in samples
        if s.name.endswith(("_total", "_bucket", "_sum", "_count"))
    }


def held(series: dict[Key, float]) -> float:
    return sum(value for key, value in series.items() if key[0] == "ppobserve_pages_held_total")


THROUGH_LIFE = [("begin", 0), ("begin", 2), ("count", 0, counted(7)), ("count", 1, counted(11)), ("read",),
                ("count", 0, counted(13)), ("count", 1, counted(17)), ("end", 0), ("end", 0)]  # fmt: skip


def test_a_hook_that_a_step_down_gave_up_is_not_lost_and_what_it_missed_stays() -> None:
    higher, lower = (plan(level) for level in (Level.STANDARD, Level.LEAN))
    left = {hook.name for hook in lower.hooks}
    given_up = {hook.name for hook in higher.hooks} - left
    assert given_up and left < {hook.name for hook in higher.hooks}
    hooks = {
        **dict.fromkeys(given_up, HookState(False, 7, wanted=False)),
        **dict.fromkeys(left, HookState(True, 13)),
    }
    seen = replace(moment(), plan=lower, hooks=hooks)
    assert seen.lost_hooks() == []
    shown = collected(PoolCollector(Source(seen)))
    attached = {each.labels["hook"]: each.value for each in shown if each.name == "ppobserve_hook_attached"}
    assert attached == dict.fromkeys(left, 1.0)
    missed = {each.labels["hook"]: each.value for each in shown if each.name == "ppobserve_hook_missed_total"}
    assert missed == {**dict.fromkeys(given_up, 7), **dict.fromkeys(left, 13)}


@given(histories)
@example(THROUGH_LIFE)
def test_with_a_series_a_pool_nothing_is_lost_and_nothing_counted_twice(history) -> None:
    """What ``increase()`` adds up: the last value of every series that ever was."""
    shown, last = PoolCollector(Source()), {}
    for seen in snapshots(history, Host()):
        shown._source = Source(seen)
        series = counts(collected(shown))
        assert all(value >= last.get(key, 0) for key, value in series.items())
        last |= series
        assert held(last) == flat(seen.counters()).get(("pages_held",), 0)


MORE_DEVICES_THAN_GROUPS = [
    *(step for ifindex in (1, 2, 3) for step in (("begin", ifindex), ("count", 0, counted(7)), ("read",), ("end", 0))),
    *(("begin", 0), ("begin", 3), ("count", 0, counted(5)), ("count", 1, counted(11)), ("read",)),
    *(("count", 0, counted(3)), ("count", 1, counted(13)), ("end", 0), ("end", 0)),
]


@given(histories, st.sampled_from([Cardinality.NETDEV, Cardinality.NODE]))
@example(THROUGH_LIFE, Cardinality.NETDEV)
@example(MORE_DEVICES_THAN_GROUPS, Cardinality.NETDEV)
def test_folded_series_stay_and_never_go_down(history, cardinality: Cardinality) -> None:
    """Whatever the devices, though the kernel side has groups for two of them."""
    shown, last = PoolCollector(Source(), cardinality), {}
    for seen in map(Ungrouped(3).apply, snapshots(history, Host(groups=2))):
        shown._source = Source(seen)
        series = counts(collected(shown))
        assert all(series[key] >= value for key, value in last.items())
        assert held(series) == flat(seen.counters()).get(("pages_held",), 0)
        last = series


def test_a_failed_scrape_between_two_good_ones_loses_nothing() -> None:
    host = Host()
    steps = [("begin", 2), ("count", 0, {"pages_held": {(): 13}}), ("read",), ("count", 0, {"pages_held": {(): 5}}),
             ("end", 0)]  # fmt: skip
    first, second = snapshots(steps, host)
    source = Source(first)
    shown = PoolCollector(source)
    last = counts(collected(shown))
    source.failure = ReadError("cannot read")
    with pytest.raises(ReadError):
        collected(shown)
    source.shown, source.failure = [second], None
    assert held(last | counts(collected(shown))) == 18


def test_no_more_series_than_the_configuration_allows() -> None:
    pools = (PoolSample(Pool(f"{n}", f"eth{n}", NETNS, n), counted(1), {"inflight_pages": -1}) for n in range(1, 1025))
    source = Source(snapshot(*pools))
    samples = collected(PoolCollector(source, max_series=1_000))
    own = {s.labels["netdev"] for s in samples if s.name == "ppobserve_pool_info"}
    (folded,) = (s.value for s in samples if s.name == "ppobserve_pools_folded")
    (negative,) = (s.value for s in samples if s.name == "ppobserve_pools_inflight_negative")
    assert sum("netdev" in s.labels for s in samples) <= 1_000
    assert (len(own) + folded, negative) == (1024, 1024)
    assert held(counts(samples)) == counted(1024)["pages_held"][()]


def test_with_a_series_a_device_names_stay_when_pools_are_made_anew_and_when_the_host_boots() -> None:
    """Pool ids, NAPIs and interface numbers change; a series does not."""

    def boot(ids: range, ifindex: int) -> list[Sample]:
        old, new = (Pool(f"{n}", "eth0", NETNS, ifindex, 8192 + n, "mlx5_core", queue=n % 2) for n in (ids[0], ids[-1]))
        ended = Pool("ended", "eth0", NETNS, ifindex, driver="mlx5_core", state=State.ENDED)
        source = Source(
            snapshot(PoolSample(old, counted(3), GAUGES)),
            snapshot(PoolSample(new, counted(1), GAUGES), PoolSample(ended, counted(3), {})),
        )
        shown = PoolCollector(source, Cardinality.NETDEV)
        before, after = collected(shown), collected(shown)
        assert keys(before) == keys(after)
        assert all(value >= counts(before)[key] for key, value in counts(after).items())
        return after

    assert keys(boot(range(2, 9), 2)) == keys(boot(range(31, 47), 5))


GAUGES = {"inflight_pages": 64, "cache_pages": 3, "ring_pages": 61, "ring_size": 1024}


def keys(samples: list[Sample]) -> set[Key]:
    return {(s.name, *sorted(s.labels.items())) for s in samples}


def test_buckets_are_cumulative_and_end_with_the_count() -> None:
    samples = collected(PoolCollector(Source(), Cardinality.NODE))
    buckets = [s for s in samples if s.name == "ppobserve_refill_batch_pages_bucket"]
    assert [s.labels["le"] for s in buckets] == ["0.0", "1.0", "2.0", "4.0", "8.0", "16.0", "32.0", "64.0", "+Inf"]
    assert [s.value for s in buckets] == sorted(s.value for s in buckets)
    (count,) = (s.value for s in samples if s.name == "ppobserve_refill_batch_pages_count")
    assert buckets[-1].value == count
