"""``ppobserve trace`` from its words to its exit status, with a tracer that tells what the test likes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ppobserve.cli import trace
from ppobserve.cli.main import main
from ppobserve.errors import NotObservable
from ppobserve.model.plan import Level, Rung
from ppobserve.model.trace import Dropped, Event, Kind, Selection, trace_plan
from ppobserve.probe.abi import RETURNS
from ppobserve.probe.tracing import Tracer
from tests.unit.factories import plan

SCHEMA = jsonschema.Draft202012Validator(json.loads((Path(__file__).parents[3] / "docs/schema/trace.json").read_text()))
Capture = pytest.CaptureFixture[str]


def event(number: int) -> Event:
    return Event(10**18 + number, Kind.MISMATCH, 0, 1, 41, "comm", str(number), "eth0", page_node=0, wanted_node=1)


class Told:
    """Stands for a Tracer: each read gives the next batch; the last comes after ``stop``."""

    def __init__(self, *batches: list[Event], dropped: Dropped | None = None) -> None:
        self.batches, self.drops = list(batches), dropped or Dropped()
        self.log: tuple[str, ...] = ()
        self.stopped = self.closed = 0
        self.at_the_end: list[Event] = []
        self.interrupt = False

    def start(self, features: object, selection: Selection, *, rung: Rung | None = None) -> Told:
        self.selection, self.rung = selection, rung
        self.what = trace_plan(plan(Level.STANDARD, rung or Rung.FENTRY), selection)
        return self

    def read(self) -> list[Event]:
        if self.stopped:
            return self.at_the_end
        if self.interrupt and not self.batches:
            os.kill(os.getpid(), signal.SIGINT)
        return self.batches.pop(0) if self.batches else []

    def dropped(self) -> Dropped:
        return self.drops

    def stop(self) -> None:
        self.stopped += 1

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    tracer = Told()
    monkeypatch.setattr(trace, "gather", lambda: None)
    monkeypatch.setattr(Tracer, "start", tracer.start)
    yield tracer
    assert tracer.closed == 1, "nothing may stay attached"


def lines(capsys: Capture) -> list[str]:
    return capsys.readouterr().out.splitlines()


def documents(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(capsys)]


def test_a_count_ends_it_there(told: Told, capsys: Capture) -> None:
    told.batches = [[event(1), event(2)], [event(3), event(4), event(5)]]
    assert main(["trace", "-n", "4"]) == 0
    out = lines(capsys)
    assert [line.split()[4] for line in out if "mismatch " in line and "eth0" in line] == ["1", "2", "3", "4"]
    assert out[-1] == "4 events shown, 0 over the limit, 0 lost"


def test_ctrl_c_detaches_shows_what_had_been_sent_and_sums_up(told: Told, capsys: Capture) -> None:
    told.batches, told.at_the_end, told.interrupt = [[event(1)]], [event(2)], True
    assert main(["trace"]) == 0
    out = lines(capsys)
    assert told.stopped >= 1
    assert out[-1] == "2 events shown, 0 over the limit, 0 lost"


def test_the_time_ends_it(told: Told, capsys: Capture) -> None:
    told.at_the_end = [event(7)]
    assert main(["trace", "--seconds", "0.01"]) == 0
    assert lines(capsys)[-1] == "1 event shown, 0 over the limit, 0 lost"


def test_what_is_dropped_is_said_between_the_lines_and_at_the_end(told: Told, capsys: Capture) -> None:
    told.batches, told.drops = [[event(1)], [event(2)], [event(3)]], Dropped(limited=1234, lost=7)
    assert main(["trace", "-n", "3"]) == 0
    out = lines(capsys)
    assert out.count("-- 1,234 over the limit, 7 lost so far --") == 1
    assert out[-1] == "3 events shown, 1,234 over the limit, 7 lost"


def test_json_is_a_document_a_line_from_start_to_end(told: Told, capsys: Capture) -> None:
    told.batches, told.drops = [[event(1), event(2)]], Dropped(limited=5)
    assert main(["trace", "--json", "-n", "2"]) == 0
    start, *events, dropped, end = found = documents(capsys)
    for each in found:
        SCHEMA.validate(each)
    assert (start["event"], start["schema"], start["rung"]) == ("start", 1, "fentry")
    assert [(each["event"], each["pool"]) for each in events] == [("mismatch", "1"), ("mismatch", "2")]
    assert dropped == {"event": "dropped", "limited": 5, "lost": 0, "skipped": 0}
    assert end == {"event": "end", "shown": 2, "limited": 5, "lost": 0, "skipped": 0}


def test_every_kind_of_event_is_valid_by_the_schema_that_ships(told: Told, capsys: Capture) -> None:
    bare = Event(10**18, Kind.CREATE, 0, 0, 0, "", "7")
    told.batches = [
        [
            bare,
            *(replace(bare, kind=Kind.RETURN, reason=reason, stack=("a", "b")) for reason in RETURNS),
            *(replace(bare, kind=kind, pages=3, page_node=0, wanted_node=1) for kind in Kind),
        ]
    ]
    assert main(["trace", "--json", "--rung", "tracepoint", "-n", str(len(told.batches[0]))]) == 0
    for each in documents(capsys):
        SCHEMA.validate(each)
    assert not SCHEMA.is_valid({"event": "refill"}) and not SCHEMA.is_valid({"event": "end", "shown": 1})


def test_the_words_become_a_selection(told: Told, capsys: Capture) -> None:
    words = "trace --event mismatch,slow --netdev eth0,- --node 1,3 --limit 7 --stack --rung kprobe --seconds 0.01"
    assert main(words.split()) == 0
    kinds = frozenset({Kind.MISMATCH, Kind.SLOW})
    assert told.selection == Selection(kinds, frozenset({"eth0", ""}), frozenset({1, 3}), 7, True)
    assert told.rung is Rung.KPROBE


def test_without_words_everything_is_traced_and_limited(told: Told, capsys: Capture) -> None:
    assert main(["trace", "--seconds", "0.01"]) == 0
    assert told.selection == Selection(limit=1000)
    assert told.rung is None


def test_rungs_that_fell_are_told(told: Told, capsys: Capture) -> None:
    told.log = ("fentry did not hold, took the next rung: -EBUSY",)
    assert main(["trace", "--seconds", "0.01"]) == 0
    assert capsys.readouterr().err == "ppobserve: fentry did not hold, took the next rung: -EBUSY\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--event refill", "'refill' is not one of mismatch, slow, return, create, destroy, update_nid"),
        ("--event mismatch,", "'' is not one of"),
        ("--netdev enp129s0f1np1v77", "'enp129s0f1np1v77' is no name of a device: those have 1 to 15 bytes"),
        ("--netdev eth0,", "'' is no name of a device"),
        ("--node 1024", "'1024' is no NUMA node: those are 0 to 1023"),
        ("--node -1", "'-1' is no NUMA node"),
        ("--node one", "'one' is no NUMA node"),
        ("--limit -1", "'-1' is no number of events"),
        ("--limit many", "'many' is no number of events a second; 0 is without limit"),
        ("--limit 2147483648", "is no number of events"),
        ("--count 0", "not a positive number: '0'"),
        ("--seconds nan", "not a positive number of seconds: 'nan'"),
        ("--level full", "unrecognized arguments"),
    ],
)
def test_a_wrong_command_line_exits_2_with_a_sentence(words: str, said: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["trace", *words.split()])
    shown = capsys.readouterr()
    assert (caught.value.code, shown.out) == (2, "")
    assert said in shown.err


def test_a_kernel_that_shows_nothing_exits_1(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotObservable("the tracepoint rung shows none of these events", because="create: no tracepoint")

    monkeypatch.setattr(trace, "gather", lambda: None)
    monkeypatch.setattr(Tracer, "start", refuse)
    assert main(["trace", "--event", "create"]) == 1
    said = capsys.readouterr()
    assert said.err == "ppobserve: the tracepoint rung shows none of these events\n  create: no tracepoint\n"


def test_ctrl_c_while_it_compiles_ends_it_at_once(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trace, "gather", lambda: None)
    monkeypatch.setattr(Tracer, "start", interrupted)
    assert main(["trace"]) == 130
    assert capsys.readouterr() == ("", "")
