"""From a plan to attached programs, with a loader child that answers as the test likes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ppobserve.errors import LoaderError, NotObservable
from ppobserve.kernel import bpf, speed
from ppobserve.model.features import ALLOC, CREATE, DESTROY, REFILL, RELEASE_RETRY, SLOW, STATE_RELEASE
from ppobserve.model.plan import Level, Rung
from ppobserve.probe import attach, child, toolchain
from ppobserve.probe.attach import Attached
from tests.unit.factories import KERNEL, kernel

Answer = tuple[dict[str, Any], list[int]]
RUNG_OF = {"fexit": Rung.FENTRY, "kretprobe": Rung.KPROBE, "raw_tracepoint": Rung.TRACEPOINT}


class Loader:
    """Stands for ``child.ask``: refuses some rungs, attaches the others to event descriptors."""

    def __init__(self, refused: Mapping[Rung, str], kind: str = "refused", log: str = "") -> None:
        self.refused, self.kind, self.log = refused, kind, log
        self.asked: list[tuple[Rung, float]] = []
        self.requests: list[Mapping[str, Any]] = []

    def __call__(self, request: Mapping[str, Any], seconds: float) -> Answer:
        rung = RUNG_OF[[*request["attach"], *request["load"]][0]["kind"]]
        self.asked.append((rung, seconds))
        self.requests.append(request)
        if rung in self.refused:
            return {"error": self.refused[rung], "kind": self.kind, "log": self.log}, []
        names = [f"map:{name}" for name in request["maps"]]
        names += [f"program:{item['function']}" for item in request["load"]]
        names += [f"program:{item['function']}:{item['event']}" for item in request["attach"]]
        names += [f"link:{item['function']}:{item['event']}" for item in request["attach"]]
        return {"fds": names, "log": ""}, [os.eventfd(0) for _ in names]


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Loader]:
    def install(refused: Mapping[Rung, str] | None = None, **how: str) -> Loader:
        fake = Loader(refused or {}, **how)
        monkeypatch.setattr(child, "ask", fake)
        monkeypatch.setattr(speed, "slowness", lambda: 1.0)
        return fake

    return install


def test_the_best_rung_is_asked_for_and_nothing_is_said(loader: Callable[..., Loader]) -> None:
    fake = loader()
    with attach.attach(KERNEL, Level.STANDARD) as attached:
        assert (attached.plan.rung, attached.log) == (Rung.FENTRY, ())
        assert fake.asked == [(Rung.FENTRY, 30)]
        ours = [*map(attached.map, attach.MAPS), *map(attached.program, attach.ON_DEMAND)]
        assert len(set(ours)) == len(ours) == 7


@pytest.mark.parametrize(("nodes", "walked"), [(1, False), (2, True)])
def test_on_one_node_nothing_is_loaded_to_look_for_remote_pages(
    loader: Callable[..., Loader], nodes: int, walked: bool
) -> None:
    fake = loader()
    attach.attach(kernel(nodes=nodes), Level.STANDARD).close()
    (request,) = fake.requests
    loaded = [item["function"] for item in request["load"]]
    assert ("sample_kept" in loaded) == walked
    assert "sample_pool" in loaded


def test_an_emulated_cpu_has_two_minutes(loader: Callable[..., Loader]) -> None:
    fake = loader()
    attach.attach(kernel(emulated=True), Level.LEAN).close()
    assert fake.asked == [(Rung.FENTRY, 120)]


@pytest.mark.parametrize(("slowness", "seconds"), [(1.0, 30), (7.0, 210), (97.0, 600)])
def test_a_busy_machine_has_more_time(
    loader: Callable[..., Loader], monkeypatch: pytest.MonkeyPatch, slowness: float, seconds: float
) -> None:
    fake = loader()
    monkeypatch.setattr(speed, "slowness", lambda: slowness)
    attach.attach(KERNEL, Level.LEAN).close()
    assert fake.asked == [(Rung.FENTRY, seconds)]


def test_a_rung_that_does_not_hold_falls_to_the_next_and_says_so(loader: Callable[..., Loader]) -> None:
    fake = loader({Rung.FENTRY: "cannot attach fexit", Rung.KPROBE: "cannot attach kprobe"}, log="errno 13")
    with attach.attach(KERNEL, Level.STANDARD) as attached:
        assert [rung for rung, _ in fake.asked] == [Rung.FENTRY, Rung.KPROBE, Rung.TRACEPOINT]
        assert attached.plan.rung is Rung.TRACEPOINT
        told = "\n".join(attached.log)
        assert told.count("did not hold") == 2
        assert "cannot attach fexit" in told and "cannot attach kprobe" in told and "errno 13" in told
        assert "cannot attach fexit" in attached.plan.hooks[0].because[0]


def test_a_forced_rung_does_not_fall(loader: Callable[..., Loader]) -> None:
    fake = loader({Rung.KPROBE: "cannot attach kprobe"})
    with pytest.raises(NotObservable, match="cannot use the kprobe rung: cannot attach kprobe"):
        attach.attach(KERNEL, Level.STANDARD, forced=Rung.KPROBE)
    assert [rung for rung, _ in fake.asked] == [Rung.KPROBE]


def test_when_no_rung_holds_every_reason_is_told(loader: Callable[..., Loader]) -> None:
    loader({rung: f"{rung.value} said no" for rung in Rung})
    with pytest.raises(NotObservable) as caught:
        attach.attach(KERNEL, Level.STANDARD)
    assert all(f"{rung.value} said no" in str(caught.value) for rung in Rung)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("no_bcc", "the Python module bcc is missing"), ("wrong_bcc", "another project's package called bcc")],
)
def test_without_bcc_no_rung_is_tried_in_vain(
    loader: Callable[..., Loader], kind: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "FOLDERS", ())  # the distribution has none for another interpreter, either
    fake = loader({rung: "why" for rung in Rung}, kind=kind)
    with pytest.raises(LoaderError, match=words) as caught:
        attach.attach(KERNEL, Level.STANDARD)
    assert len(fake.asked) == 1
    assert all(name in caught.value.fix for name in ("apt", "dnf", "pacman"))


def test_a_limit_that_every_rung_would_meet_takes_no_rung_away(loader: Callable[..., Loader]) -> None:
    fake = loader({rung: "cannot load slow_exit: Too many open files" for rung in Rung}, kind="exhausted")
    with pytest.raises(LoaderError, match=r"^cannot load slow_exit: Too many open files") as caught:
        attach.attach(KERNEL, Level.STANDARD)
    assert (len(fake.asked), caught.value.fix) == (1, attach.ROOM)


@pytest.mark.parametrize(
    ("why", "tries"), [("Cannot allocate memory", 1), ("Too many open files", 1), ("Invalid argument", 3)]
)
def test_maps_without_room_are_no_fault_of_the_rung(loader: Callable[..., Loader], why: str, tries: int) -> None:
    said = f"could not open bpf map: slots, error: {why}"
    fake = loader({rung: "Failed to compile BPF module <text>" for rung in Rung}, log=said)
    with pytest.raises(LoaderError if tries == 1 else NotObservable) as caught:
        attach.attach(KERNEL, Level.STANDARD)
    assert said in str(caught.value)
    assert len(fake.asked) == tries


def test_who_is_not_root_is_told_before_anything_is_compiled(loader: Callable[..., Loader]) -> None:
    fake = loader()
    with pytest.raises(NotObservable, match="needs root") as caught:
        attach.attach(kernel(root=False), Level.STANDARD)
    assert (fake.asked, caught.value.fix) == ([], "run it with sudo")


def test_a_trial_loads_one_program_of_the_rung_and_attaches_nothing(loader: Callable[..., Loader]) -> None:
    fake = loader({Rung.FENTRY: "cannot load refill_exit"})
    tried = attach.trial(KERNEL, Level.STANDARD)
    assert tried.rung is Rung.KPROBE
    assert "cannot load refill_exit" in tried.hooks[0].because[0]
    assert [[item["function"] for item in request["load"]] for request in fake.requests] == [["refill_exit"]] * 2
    assert [request["attach"] + request["maps"] for request in fake.requests] == [[], []]


def test_every_program_has_the_name_of_its_hook_whatever_a_compiler_calls_it(loader: Callable[..., Loader]) -> None:
    fake = loader()
    for rung in (Rung.FENTRY, Rung.KPROBE):
        attach.attach(KERNEL, Level.FULL, forced=rung).close()
    by_trampoline, by_kprobe = ({item["function"] for item in request["attach"]} for request in fake.requests)
    assert by_trampoline | {"slow_entry"} == by_kprobe


def test_a_function_that_is_hooked_at_two_events_has_a_program_for_each(loader: Callable[..., Loader]) -> None:
    loader()
    allocators = frozenset({ALLOC[0], ALLOC[2]})
    both = kernel(allocators=allocators, functions={**KERNEL.functions, **dict.fromkeys(allocators, 2)})
    with attach.attach(both, Level.FULL, forced=Rung.FENTRY) as attached:
        programs = attached.programs()["alloc_entry"]
        assert programs == {attached.fds[f"program:alloc_entry:{name}"] for name in allocators}
        assert len(programs) == 2


EXITS = {"fexit", "kretprobe"}


@pytest.mark.parametrize(
    ("rung", "attached"),
    [
        (Rung.FENTRY, {("fexit", REFILL), ("fentry", REFILL), ("fexit", SLOW[0]), ("fexit", CREATE[0])}),
        (
            Rung.KPROBE,
            {("kretprobe", REFILL), ("kprobe", REFILL), ("kretprobe", SLOW[0]), ("kprobe", SLOW[0])}
            | {("kretprobe", CREATE[0])},
        ),
        (Rung.TRACEPOINT, {("raw_tracepoint", "page_pool_state_hold")}),
    ],
)
def test_exits_are_attached_before_entries(
    loader: Callable[..., Loader], rung: Rung, attached: set[tuple[str, str]]
) -> None:
    """An entry without its exit would leave a refill open."""
    fake = loader()
    attach.attach(KERNEL, Level.STANDARD, forced=rung).close()
    items = [(item["kind"], item["event"]) for item in fake.requests[0]["attach"]]
    exits = sum(kind in EXITS for kind, _ in items)
    assert all(kind in EXITS for kind, _ in items[:exits])
    assert attached <= set(items)
    assert {kind for kind, _ in set(items) - attached} == {"raw_tracepoint", *TEARDOWN[rung]}


def test_at_level_lean_a_trampoline_on_the_refills_exit_is_enough(loader: Callable[..., Loader]) -> None:
    fake = loader()
    for level in Level:
        attach.attach(KERNEL, level, forced=Rung.FENTRY).close()
    kinds = [[item["kind"] for item in asked["attach"] if item["event"] == REFILL] for asked in fake.requests]
    assert kinds == [["fexit"], ["fexit", "fentry"], ["fexit", "fentry"]]


TEARDOWN = {Rung.FENTRY: {"fentry"}, Rung.KPROBE: {"kprobe"}, Rung.TRACEPOINT: set[str]()}
FUNCTIONS_OF_TEARDOWN = {
    Rung.FENTRY: {"destroy_entry", "release_retry_entry"},
    Rung.KPROBE: {"destroy_entry", "release_retry_entry"},
    Rung.TRACEPOINT: set[str](),
}


@pytest.mark.parametrize("rung", Rung)
def test_the_end_of_a_pool_is_hooked_where_it_begins_and_where_it_is_tried_again(
    loader: Callable[..., Loader], rung: Rung
) -> None:
    fake = loader()
    attach.attach(KERNEL, Level.STANDARD, forced=rung).close()
    asked = fake.requests[0]
    items = [item for item in asked["attach"] if item["event"] in (DESTROY, RELEASE_RETRY)]
    assert {item["kind"] for item in items} == TEARDOWN[rung]
    assert {item["function"] for item in items} == FUNCTIONS_OF_TEARDOWN[rung]
    assert [item["event"] for item in items] == ([DESTROY, RELEASE_RETRY] if items else [])
    for item in items:
        assert f"int {item['function']}(context *ctx)" in asked["text"]


def test_a_hook_counts_as_lost_when_one_of_its_programs_is(loader: Callable[..., Loader]) -> None:
    loader()
    attached = attach.attach(KERNEL, Level.STANDARD, forced=Rung.KPROBE)
    assert set(attached.hooks_attached().values()) == {True}
    os.close(attached.fds[f"link:refill_exit:{REFILL}"])
    lost = [name for name, there in attached.hooks_attached().items() if not there]
    assert lost == ["refill"]
    attached.fds = {name: fd for name, fd in attached.fds.items() if name != f"link:refill_exit:{REFILL}"}
    attached.close()


def test_a_descriptor_that_became_a_file_holds_no_hook(loader: Callable[..., Loader]) -> None:
    loader()
    with attach.attach(KERNEL, Level.STANDARD) as attached, open(os.devnull) as file:
        os.dup2(file.fileno(), attached.fds[f"link:page_returned:{STATE_RELEASE}"])
        assert attached.hooks_attached()["return"] is False


def test_closing_detaches_everything_and_twice_is_harmless(loader: Callable[..., Loader]) -> None:
    loader()
    attached: Attached = attach.attach(KERNEL, Level.STANDARD)
    attached.close()
    assert not any(attached.hooks_attached().values())
    with open(os.devnull) as newcomer:
        attached.close()
        os.fstat(newcomer.fileno())


def test_descriptors_that_did_not_all_arrive_are_a_sentence_and_closed(
    monkeypatch: pytest.MonkeyPatch, loader: Callable[..., Loader]
) -> None:
    fake, kept = loader(), list[int]()

    def fewer(request: Mapping[str, Any], seconds: float) -> Answer:
        reply, fds = fake(request, seconds)
        os.close(fds.pop())
        kept.extend(fds)
        return reply, fds

    monkeypatch.setattr(child, "ask", fewer)
    with pytest.raises(LoaderError, match="descriptors arrived") as caught:
        attach.attach(KERNEL, Level.STANDARD)
    assert caught.value.fix == "ulimit -n 1024"
    for fd in kept:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_what_a_hook_missed_is_what_its_programs_and_its_kprobes_were_kept_from(
    loader: Callable[..., Loader], monkeypatch: pytest.MonkeyPatch
) -> None:
    loader()
    with attach.attach(KERNEL, Level.STANDARD, forced=Rung.KPROBE) as attached:
        misses = {attached.program("pool_released"): 3, attached.program("pool_released_too"): 2}
        monkeypatch.setattr(bpf, "program_statistics", lambda fd: bpf.Runs(0, 0, misses.get(fd, 1000)))
        monkeypatch.setattr(bpf, "probe_misses", lambda link: 7)
        missed = attached.hooks_missed()
    assert (missed["refill"], missed["return"]) == (2014, 1000)  # a kprobe and a kretprobe; a tracepoint
    assert missed["release"] == 2  # what one of two programs saw was seen
    assert missed["teardown"] == 2014  # page_pool_destroy, page_pool_release_retry
