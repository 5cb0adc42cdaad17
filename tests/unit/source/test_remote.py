"""A daemon that is asked for its snapshot: one that answers, and everything else that may be at that address."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from ppobserve.errors import ReadError, RemoteError, UsageError
from ppobserve.export.server import Server
from ppobserve.model.config import Config
from ppobserve.model.document import SCHEMA, to_document
from ppobserve.source import remote
from ppobserve.source.remote import Remote
from tests.unit.export.samples import Source, moment

Answer = Callable[[socket.socket], None]


@pytest.fixture
def daemon() -> Iterator[tuple[str, Source]]:
    """The real server, on a source that fails when the test likes."""
    source = Source()
    server = Server(("127.0.0.1", 0), source, Config().cardinality)
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", source
    server.stop()


@pytest.fixture
def someone() -> Iterator[Callable[[Answer], str]]:
    """An address where *answer* is done with whoever connects."""
    listeners: list[socket.socket] = []

    def listen(answer: Answer) -> str:
        listeners.append(socket.create_server(("127.0.0.1", 0)))
        threading.Thread(target=serve, args=(listeners[-1], answer), daemon=True).start()
        return f"http://127.0.0.1:{listeners[-1].getsockname()[1]}"

    def serve(listener: socket.socket, answer: Answer) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            answer(connection)

    yield listen
    for each in listeners:
        each.close()


def answering(body: bytes, head: str = "200 OK", kind: str = "application/json", server: str = "x/1") -> Answer:
    fields = f"Server: {server}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return lambda connection: connection.sendall(f"HTTP/1.0 {head}\r\n{fields}".encode() + body)


def refusal(url: str, seconds: float = 60.0) -> str:
    with pytest.raises(RemoteError) as caught:
        Remote(url, seconds).read()
    assert str(caught.value).startswith(f"cannot read {url}: ")
    return str(caught.value).removeprefix(f"cannot read {url}: ")


def test_a_daemon_answers_with_what_it_has(daemon: tuple[str, Source]) -> None:
    source = Remote(daemon[0] + "/")
    assert source.read() == moment()
    source.close()
    assert source.read() == moment(), "nothing is held"


def test_a_proxy_of_the_shell_is_not_asked(daemon: tuple[str, Source], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert Remote(daemon[0]).read() == moment()


def test_a_daemon_that_cannot_read_says_why(daemon: tuple[str, Source]) -> None:
    daemon[1].failure = ReadError("pools ended faster than they could be read")
    assert refusal(daemon[0]) == "status 500\n  pools ended faster than they could be read"


def test_nobody_there() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    assert refusal(f"http://127.0.0.1:{port}").startswith("connection refused\n  try: ppobserve serve")


def test_a_name_that_nobody_has() -> None:
    assert "\n" not in refusal("http://no-such-host.invalid:10817")


def test_another_schema(someone: Callable[[Answer], str]) -> None:
    document = {**to_document(moment()), "schema": SCHEMA + 1}
    said = refusal(someone(answering(json.dumps(document).encode())))
    assert said == (
        f"cannot read a document of schema {SCHEMA + 1}\n  this ppobserve reads schema {SCHEMA}\n"
        "  try: a ppobserve of the version that wrote it"
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answering(b"<html>", kind="text/html"), "the answer is text/html, not JSON: this is not a ppobserve"),
        (answering(b"{oops"), "the answer is not JSON"),
        (answering(b"\xff\xfe{}"), "the answer is not JSON"),
        (answering(b"[" * 100_000), "the answer is not JSON"),
        (answering(b"[1, 2]"), "the answer is JSON, but not a snapshot"),
        (answering(b"{}"), "cannot read a document of schema None"),
        (answering(json.dumps({"schema": SCHEMA}).encode()), "cannot read the document: KeyError"),
        (answering(b"no", "404 Not Found"), "status 404, from something that is not ppobserve"),
        (answering(b"no", "404 Not Found", server="ppobserve/0.0.9"), "this ppobserve has no /snapshot yet"),
        (answering(b"who are you?", "401 Unauthorized"), "status 401, from something that is not ppobserve"),
        (answering(b"", "302 Found"), "status 302"),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n"), "SSH-2.0-OpenSSH_9.2p1"),
        (lambda connection: None, "Remote end closed connection without response"),
        (lambda connection: connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n"
                                               b"Content-Length: 1000\r\n\r\n{"), "the answer is not whole"),
    ],
)  # fmt: skip
def test_whatever_else_answers(answer: Answer, said: str, someone: Callable[[Answer], str]) -> None:
    assert said in refusal(someone(answer))


def test_a_silent_one_is_not_waited_for(someone: Callable[[Answer], str]) -> None:
    ended = threading.Event()
    begin = time.monotonic()
    assert refusal(someone(lambda _: ended.wait(120) and None), 0.2).startswith("no whole answer within 0.2 s")
    ended.set()
    assert time.monotonic() - begin < 60


def test_nor_one_that_sends_a_byte_at_a_time(someone: Callable[[Answer], str]) -> None:
    """Each byte comes in time; the whole does not."""
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while not ended.wait(0.02):
            connection.sendall(b" ")

    try:
        assert refusal(someone(drip), 0.3).startswith("no whole answer within 0.3 s")
    finally:
        ended.set()


def test_a_huge_body_is_not_read_to_its_end(someone: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_BYTES", 1 << 20)
    assert refusal(someone(answering(b" " * (1 << 21)))) == "the answer has more than 1 MiB"


@pytest.mark.parametrize(
    "url", ["http://", "ftp://host:1", "http://host:port", "http://host:99999", "http://host/metrics", "http://a@b:1",
            "http://host:1?x=1", "http://[::1", "://x"],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a daemon"):
        Remote(url)


@pytest.mark.parametrize("url", ["http://host:10817", "https://host", "http://[::1]:10817", "http://host:10817/"])
def test_what_is_one(url: str) -> None:
    assert Remote(url).url == url.rstrip("/")
