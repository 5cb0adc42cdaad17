"""``ppobserve pools`` from its words to its exit status."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest

from ppobserve.cli import pools
from ppobserve.cli.main import main
from ppobserve.errors import UsageError
from ppobserve.model.plan import Rung
from ppobserve.model.snapshot import Snapshot
from ppobserve.source import Opening
from ppobserve.source.live import Live
from tests.unit.export.samples import moment

Capture = pytest.CaptureFixture[str]
SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schema/pools.json").read_text())
IDS = {"23", "29", "3-f4240"}


class Told:
    """Stands for ``open_source`` and for what it opens."""

    def __init__(self) -> None:
        self.notes: tuple[str, ...] = ()
        self.asked: list[tuple[str, Opening]] = []
        self.closed = 0

    def __call__(self, text: str, opening: Opening, say: Callable[[str], None]) -> Told:
        self.asked.append((text, opening))
        for note in self.notes:
            say(note)
        return self

    def read(self) -> Snapshot:
        return moment()

    def close(self) -> None:
        self.closed += 1


class Attached(Told, Live):
    """The same, just attached."""


@pytest.fixture(params=[Told, Attached])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    source = request.param()
    monkeypatch.setattr(pools, "open_source", source)
    yield source
    assert source.closed == 1, "nothing may stay open"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr(pools.time, "sleep", seconds.append)
    return seconds


def test_every_pool_is_printed_and_the_source_closed(told: Told, slept: list[float], capsys: Capture) -> None:
    told.notes = ("fentry did not hold, took the next rung: -EBUSY",)
    assert main(["pools"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("POOL ")
    assert {line.split()[0] for line in said.out.split("\n\n")[0].split("\n")} >= IDS
    assert said.err == "ppobserve: fentry did not hold, took the next rung: -EBUSY\n"
    assert told.asked == [("live", Opening())]


def test_only_what_was_just_attached_is_waited_for(told: Told, slept: list[float], capsys: Capture) -> None:
    assert main(["pools", "--seconds", "7.5"]) == 0
    assert slept == ([7.5] if isinstance(told, Live) else [])


def test_as_json_it_is_one_document(told: Told, slept: list[float], capsys: Capture) -> None:
    assert main(["pools", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert document["schema"] == 1
    assert {pool["id"] for pool in document["pools"]} >= IDS


def test_the_words_say_where_from_and_how(told: Told, slept: list[float], capsys: Capture) -> None:
    assert main(["pools", "--from", "http://host:10817", "--wide"]) == 0
    assert told.asked == [("http://host:10817", Opening())]
    assert "CONSUMER" in capsys.readouterr().out


def test_a_rung_is_asked_of_the_kernel(told: Told, slept: list[float], capsys: Capture) -> None:
    assert main(["pools", "--rung", "kprobe"]) == 0
    assert told.asked == [("live", Opening(rung=Rung.KPROBE))]


def test_of_others_no_rung_can_be_asked(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(pools, "open_source", lambda *_: pytest.fail("opened for nothing"))
    assert main(["pools", "--from", "http://host:10817", "--rung", "kprobe"]) == 2
    said = capsys.readouterr()
    assert said.err == "ppobserve: --level and --rung are for --from live: what others count is theirs to say\n"


def test_a_source_that_is_none_exits_2(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def refuse(*_: object) -> None:
        raise UsageError("there is no recording no.such")

    monkeypatch.setattr(pools, "open_source", refuse)
    assert main(["pools", "--from", "no.such"]) == 2
    assert capsys.readouterr().err == "ppobserve: there is no recording no.such\n"
