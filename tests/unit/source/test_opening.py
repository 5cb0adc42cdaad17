"""A word becomes a source: live, a daemon's address, a recording."""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ppobserve.errors import RecordingError, UsageError
from ppobserve.export.server import Server
from ppobserve.model.config import Config
from ppobserve.model.plan import Level, Rung
from ppobserve.source import Opening, open_source, opening
from ppobserve.source.live import Live
from ppobserve.source.remote import Remote
from tests.unit.export.samples import Source, moment


class Attached:
    log = ("fentry fell",)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Level, Rung | None]]:
    """Levels and rungs that were attached."""
    found: list[tuple[Level, Rung | None]] = []

    def start(level: Level, rung: Rung | None = None) -> Attached:
        found.append((level, rung))
        return Attached()

    monkeypatch.setattr(Live, "start", start)
    return found


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A daemon where one of this host is looked for."""
    source = Source(replace(moment(), host=platform.node(), kernel=platform.release()))
    server = Server(("127.0.0.1", 0), source, Config().cardinality)
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    monkeypatch.setattr(opening, "DAEMONS", ("http://127.0.0.1:1", f"http://127.0.0.1:{server.server_address[1]}"))
    yield source
    server.stop()


@pytest.fixture
def no_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "DAEMONS", ("http://127.0.0.1:1",))


def test_live_is_the_daemon_where_one_runs(daemon: Source, asked: list[tuple[Level, Rung | None]]) -> None:
    said: list[str] = []
    source = open_source("live", say=said.append)
    assert isinstance(source, Remote) and source.read().host == platform.node()
    assert asked == []
    assert said == [f"reading the daemon at {source.url}; --level and --rung attach anew"]


def test_who_asks_for_a_level_attaches(daemon: Source, asked: list[tuple[Level, Rung | None]]) -> None:
    open_source("live", Opening(Level.FULL))
    open_source("live", Opening(rung=Rung.KPROBE))
    assert asked == [(Level.FULL, None), (Level.STANDARD, Rung.KPROBE)]


@pytest.mark.parametrize("other", [{"host": "another"}, {"kernel": "5.4.0"}])
def test_a_port_that_leads_to_another_host_is_not_ours(
    daemon: Source, asked: list[tuple[Level, Rung | None]], other: dict[str, str]
) -> None:
    daemon.shown = [replace(daemon.shown[0], **other)]  # type: ignore[arg-type]
    open_source("live")
    assert asked == [(Level.STANDARD, None)]


def test_without_a_daemon_it_attaches_and_tells_what_fell(
    no_daemon: None, asked: list[tuple[Level, Rung | None]]
) -> None:
    said: list[str] = []
    open_source("live", say=said.append)
    assert (asked, said) == ([(Level.STANDARD, None)], ["fentry fell"])


def test_an_address_is_a_daemon() -> None:
    source = open_source("http://host:10817")
    assert isinstance(source, Remote) and source.url == "http://host:10817"
    with pytest.raises(UsageError, match="'ftp://host' is not the address of a daemon"):
        open_source("ftp://host")


def test_anything_else_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no\.jsonl"):
        open_source(str(tmp_path / "no.jsonl"))
