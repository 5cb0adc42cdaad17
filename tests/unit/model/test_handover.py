"""Programs that take over from others: no count is lost, none is told twice, no series goes down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ppobserve.export.collector import PoolCollector
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.handover import Handover, carried, take_over
from ppobserve.model.series import Counters, Histogram, add
from ppobserve.model.snapshot import Pool, PoolSample, Snapshot, State, Tables
from tests.unit.export.samples import Source
from tests.unit.factories import ZERO, Host, counted, flat, snapshot, steps


class Programs:
    """Programs that count, and now and then others that count beside them and take over."""

    def __init__(self) -> None:
        self.present, self.next, self.carry = Host(), None, Handover()
        self.truth: Counters = {}

    def begin(self, ifindex: int) -> None:
        self.present.begin(ifindex)

    def count(self, place: int, counters: Counters) -> None:
        for name in self.present.chosen(place):
            self.truth = add(self.truth, counters)
            for host in filter(None, (self.present, self.next)):
                self.know(host, name)
                host.live[name] = replace(host.live[name], counters=add(host.live[name].counters, counters))

    def know(self, host: Host, name: str) -> None:
        """A pool is known from its first event on."""
        host.live.setdefault(name, PoolSample(self.present.live[name].pool, ZERO, {}))

    def end(self, place: int) -> None:
        for name in self.present.chosen(place):
            for host in filter(None, (self.present, self.next)):
                if ended := host.live.pop(name, None):
                    group = host.group(ended.pool)
                    total = add(host.groups[group].counters, ended.counters)
                    host.groups[group] = replace(host.groups[group], counters=total)

    def attach(self) -> None:
        self.next = self.next or Host(self.present.room)

    def take_over(self) -> None:
        if self.next:
            for name in self.present.live:
                self.know(self.next, name)
            self.next.ids = self.present.ids
            self.carry = take_over(self.snapshot(), self.next.snapshot(), {})
            self.present, self.next = self.next, None

    def snapshot(self) -> Snapshot:
        shown, self.carry = carried(self.present.snapshot(), self.carry)
        return shown


takeovers = st.lists(st.one_of(steps, st.just(("attach",)), st.just(("take_over",))), max_size=60)
ALL_OF_IT = [
    ("begin", 2), ("begin", 0), ("count", 0, counted(7)), ("count", 1, counted(11)), ("attach",), ("read",),
    ("count", 0, counted(13)), ("end", 1), ("take_over",), ("read",), ("count", 0, counted(17)), ("end", 0), ("read",),
    ("begin", 2), ("count", 0, counted(19)), ("attach",), ("end", 0), ("take_over",),
]  # fmt: skip


def shown(history: list[tuple[Any, ...]], programs: Programs) -> Iterator[Snapshot]:
    for verb, *arguments in [*history, ("read",)]:
        if verb == "read":
            yield programs.snapshot()
        else:
            getattr(programs, verb)(*arguments)


@given(takeovers)
@example(ALL_OF_IT)
def test_every_count_is_told_once_whoever_counted_it(history: list[tuple[Any, ...]]) -> None:
    programs, last = Programs(), dict[tuple[str, ...], int]()
    for seen in shown(history, programs):
        assert flat(seen.counters()) == flat(programs.truth)
        series = {
            (*sample.pool.key, *name): value for sample in seen.pools for name, value in flat(sample.counters).items()
        }
        ended = {key for key in last if key not in series}
        assert all(series[key] >= value for key, value in last.items() if key not in ended)
        assert all(key[0] in programs_of(history) for key in ended)
        last = series


def programs_of(history: list[tuple[Any, ...]]) -> set[str]:
    """Ids of pools: only those may vanish, a group stays."""
    return {str(place) for place in range(1, len(history) + 1)}


@given(takeovers, st.sampled_from(Cardinality))
@example(ALL_OF_IT, Cardinality.POOL)
def test_what_prometheus_adds_up_is_every_count(history: list[tuple[Any, ...]], cardinality: Cardinality) -> None:
    programs, collector = Programs(), PoolCollector(Source(), cardinality)
    last: Counter[tuple[str, ...]] = Counter()
    for seen in shown(history, programs):
        collector._source = Source(seen)
        held = {
            tuple(sample.labels.values()): sample.value
            for family in collector.collect()
            for sample in family.samples
            if sample.name == "ppobserve_pages_held_total"
        }
        assert all(value >= last[key] for key, value in held.items())
        last |= Counter(held)
        assert sum(last.values()) == flat(programs.truth).get(("pages_held",), 0)


POOL = Pool("23", "eth0", 4026531840, 7)


def at(counters: Counters, pool: Pool = POOL, **changes: Any) -> Snapshot:
    return snapshot(PoolSample(pool, counters, {}), **changes)


def test_what_the_new_level_lumps_together_goes_on_there() -> None:
    before = at({"pages_returned": {("numa",): 3, ("ring_full",): 5, ("other",): 0}})
    carry = take_over(before, at({"pages_returned": {("numa",): 1, ("other",): 2}}), {})
    first, carry = carried(at({"pages_returned": {("numa",): 1, ("other",): 2}}), carry)
    assert first.pools == before.pools
    later, _ = carried(at({"pages_returned": {("numa",): 2, ("other",): 13}}), carry)
    assert later.pools[0].counters == {"pages_returned": {("numa",): 4, ("ring_full",): 5, ("other",): 11}}


def test_what_the_new_level_does_not_count_stays_for_a_later_one() -> None:
    carry = take_over(at({"slow_refills": {(): 2}, "allocs": {("cache",): 7}}), at({"slow_refills": {(): 1}}), {})
    lean, carry = carried(at({"slow_refills": {(): 2}}), carry)
    carry = take_over(lean, at({"slow_refills": {(): 0}, "allocs": {("cache",): 0}}), {})
    full, _ = carried(at({"slow_refills": {(): 0}, "allocs": {("cache",): 4}}), carry)
    assert full.pools[0].counters == {"slow_refills": {(): 3}, "allocs": {("cache",): 11}}


def test_a_pool_without_an_id_keeps_the_name_that_it_had() -> None:
    renamed = replace(POOL, id="0-29")
    carry = take_over(at({"slow_refills": {(): 2}}), at({"slow_refills": {(): 0}}, renamed), {"0-29": "23"})
    (sample,) = carried(at({"slow_refills": {(): 5}}, renamed), carry)[0].pools
    assert (sample.pool, sample.counters) == (POOL, {"slow_refills": {(): 7}})


def test_of_a_detached_pool_the_identity_stays() -> None:
    """Its device may be gone when the new programs first see it."""
    gone = Pool("23", state=State.DETACHED)
    carry = take_over(at({}), at({}, gone), {})
    (sample,) = carried(at({}, gone), carry)[0].pools
    assert sample.pool == replace(POOL, state=State.DETACHED)


def test_a_consumer_that_has_not_refilled_since_is_where_it_was() -> None:
    there, unknown, moved = (replace(POOL, consumer_cpu=cpu) for cpu in (5, -1, 2))
    carry = take_over(at({}, there), at({}, unknown), {})
    for pool, cpu in ((unknown, 5), (moved, 2)):
        (sample,) = carried(at({}, pool), carry)[0].pools
        assert sample.pool.consumer_cpu == cpu


def test_what_is_told_of_the_tables_and_by_the_audit_goes_on() -> None:
    audited = at({}, tables=Tables(2, 3), audit={"alloc_waive": 5})
    shown, _ = carried(at({}, tables=Tables(7, 11), audit={"alloc_waive": 13}), take_over(audited, at({}), {}))
    assert (shown.tables, shown.audit) == (Tables(9, 14), {"alloc_waive": 18})


def test_histograms_go_on() -> None:
    before, fresh = Histogram((1, 0, 0, 0, 0, 0, 0, 2), 128), Histogram((0, 1, 0, 0, 0, 0, 0, 0), 1)
    carry = take_over(at({"refill_batch_pages": before}), at({"refill_batch_pages": Histogram()}), {})
    (sample,) = carried(at({"refill_batch_pages": fresh}), carry)[0].pools
    assert sample.counters == {"refill_batch_pages": Histogram((1, 1, 0, 0, 0, 0, 0, 2), 129)}
