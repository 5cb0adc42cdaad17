"""A word becomes a source: live, a daemon's address, a recording."""

from __future__ import annotations

import errno
import os
import platform
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from ppobserve.errors import RecordingError, UsageError
from ppobserve.export import server
from ppobserve.export.server import Server
from ppobserve.kernel import host
from ppobserve.model.config import Config
from ppobserve.model.document import to_document
from ppobserve.model.plan import Level, Rung
from ppobserve.model.snapshot import Snapshot
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
    serving = Server(("127.0.0.1", 0), source, Config().cardinality)
    threading.Thread(target=serving.serve_forever, args=(0.01,)).start()
    monkeypatch.setattr(opening, "DAEMONS", ("http://127.0.0.1:1", f"http://127.0.0.1:{serving.server_address[1]}"))
    monkeypatch.setattr(opening, "_PATIENCE", 60.0)  # this process may have to wait for a CPU
    yield source
    serving.stop()


@pytest.fixture
def no_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "DAEMONS", ("http://127.0.0.1:1",))


def test_live_is_the_daemon_where_one_runs(daemon: Source, asked: list[tuple[Level, Rung | None]]) -> None:
    said: list[str] = []
    source = open_source("live", say=said.append)
    assert isinstance(source, Remote) and source.read().host == platform.node()
    assert asked == []
    assert said == [f"reading the daemon at {source.url}; --level or --rung attaches other programs"]


def test_who_asks_for_a_level_attaches(daemon: Source, asked: list[tuple[Level, Rung | None]]) -> None:
    open_source("live", Opening(Level.FULL))
    open_source("live", Opening(rung=Rung.KPROBE))
    assert asked == [(Level.FULL, None), (Level.STANDARD, Rung.KPROBE)]


@pytest.mark.parametrize("other", [{"host": "another"}, {"kernel": "5.4.0"}])
def test_a_port_that_leads_to_another_host_is_not_ours(
    daemon: Source, asked: list[tuple[Level, Rung | None]], other: dict[str, str]
) -> None:
    daemon.shown = [replace(daemon.shown[0], **other)]  # type: ignore[arg-type]
    said: list[str] = []
    open_source("live", say=said.append)
    assert asked == [(Level.STANDARD, None)]
    assert (
        said[0]
        == f"{opening.DAEMONS[1]} is the daemon of another host, {daemon.shown[0].host}; attaching programs instead"
    )


def test_a_daemon_of_another_schema_is_told_before_all_is_attached_twice(
    daemon: Source, asked: list[tuple[Level, Rung | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = to_document(daemon.shown[0]) | {"schema": 2}
    monkeypatch.setattr(server, "to_document", lambda _: document)
    said: list[str] = []
    open_source("live", say=said.append)
    assert asked == [(Level.STANDARD, None)]
    assert said[0] == (
        f"cannot read {opening.DAEMONS[1]}: cannot read a document of schema 2; attaching programs instead"
    )


def test_a_daemon_that_is_slow_is_told(
    daemon: Source,
    asked: list[tuple[Level, Rung | None]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    released, answered = threading.Event(), threading.Event()
    finish = server.Server.shutdown_request

    def finished(*request: Any) -> None:
        finish(*request)
        answered.set()

    monkeypatch.setattr(server.Server, "shutdown_request", finished)

    def read() -> Snapshot:
        released.wait(30)
        return moment()

    monkeypatch.setattr(daemon, "read", read)
    monkeypatch.setattr(opening, "_PATIENCE", 0.1)
    said: list[str] = []
    open_source("live", say=said.append)
    released.set()
    assert answered.wait(30)
    assert capsys.readouterr().err == "", "the daemon has nothing to say about who did not wait"
    assert asked == [(Level.STANDARD, None)]
    assert said[0] == f"cannot read {opening.DAEMONS[1]}: no whole answer within 0.1 s; attaching programs instead"


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.ENETUNREACH])
def test_a_host_without_the_address_has_no_daemon_there(
    number: int, asked: list[tuple[Level, Rung | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``::1`` where IPv6 is off, and every address of a network namespace whose ``lo`` is down."""
    missing = OSError(number, os.strerror(number))
    monkeypatch.setattr("socket.create_connection", Mock(side_effect=missing))
    said: list[str] = []
    open_source("live", say=said.append)
    assert said == ["fentry fell"]


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


@pytest.mark.parametrize("text", ["web-17:10817", "10.0.0.1:80", "[::1]:10817"])
def test_an_address_that_lacks_its_scheme_is_told_so(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_source(text)
    assert str(caught.value) == f"cannot read {text}: there is no such file\n  try: --from http://{text}"


@pytest.mark.parametrize("text", ["::1:10817", "http://::1:10817"])
def test_an_ipv6_address_that_lacks_brackets_is_told_so(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_source(text)
    assert caught.value.fix.endswith("http://[::1]:10817")


def test_the_daemon_of_a_host_whose_name_is_not_utf_8(
    daemon: Source, asked: list[tuple[Level, Rung | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "node", lambda: "web-\udcff")
    daemon.shown = [replace(daemon.shown[0], host=host.name())]
    source = open_source("live")
    assert isinstance(source, Remote) and source.read().host == "web-\N{REPLACEMENT CHARACTER}"
    with urllib.request.urlopen(f"{source.url}/", timeout=30) as answer:
        assert "web-\N{REPLACEMENT CHARACTER}" in answer.read().decode()


def test_a_file_may_be_called_like_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("web-17:10817").touch()
    with pytest.raises(RecordingError, match="web-17:10817 is empty"):
        open_source("web-17:10817")


def test_anything_else_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no\.jsonl"):
        open_source(str(tmp_path / "no.jsonl"))
