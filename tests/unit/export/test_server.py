"""The daemon over HTTP, on a source that fails when the test likes."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from ppobserve.errors import ListenError, ReadError
from ppobserve.export import server
from ppobserve.export.server import Server
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.document import from_document
from ppobserve.model.snapshot import Pool, PoolSample
from tests.unit.export.samples import Source, moment
from tests.unit.factories import snapshot

Start = Callable[..., tuple[str, int]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Serve a source; returns host and port."""
    running: list[Server] = []

    def begin(source: Source, host: str = "127.0.0.1") -> tuple[str, int]:
        running.append(Server((host, 0), source, Cardinality.POOL))
        threading.Thread(target=running[-1].serve_forever, args=(0.01,)).start()
        return host, running[-1].server_address[1]

    yield begin
    for each in running:
        each.stop()


def get(address: tuple[str, int], path: str, **headers: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    connection = http.client.HTTPConnection(*address, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


def test_metrics(start: Start) -> None:
    status, kind, body = get(start(Source()), "/metrics")
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    assert "ppobserve_pool_info{" in body
    assert "ppobserve_pools_dropped_total 13.0\n" in body
    assert "process_resident_memory_bytes" in body


def test_openmetrics_for_who_asks(start: Start) -> None:
    _, kind, body = get(start(Source()), "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_a_query_string_is_ignored(start: Start) -> None:
    assert get(start(Source()), "/metrics?debug=1")[0] == 200


def test_a_snapshot_is_the_document_of_one_read(start: Start) -> None:
    source = Source()
    status, kind, body = get(start(source), "/snapshot")
    assert (status, kind, source.reads) == (200, "application/json", 1)
    assert from_document(json.loads(body)) == moment()
    source.failure = ReadError("cannot read")
    assert get(start(source), "/snapshot") == (500, server.TEXT, "cannot read\n")


def test_healthy(start: Start) -> None:
    assert get(start(Source()), "/healthz") == (200, server.TEXT, "ok\n")


def test_a_lost_hook_is_not_healthy(start: Start) -> None:
    source = Source()
    source.lost = {"refill", "release"}
    status, _, body = get(start(source), "/healthz")
    assert (status, body.splitlines()) == (503, ["hook refill is not attached", "hook release is not attached"])


def test_a_read_that_fails_is_not_healthy_until_one_works(start: Start) -> None:
    source = Source()
    address = start(source)
    source.failure = ReadError("pools ended faster than they could be read", fix="look for a loop")
    status, kind, body = get(address, "/metrics")
    assert (status, kind) == (500, server.TEXT)
    assert body == "pools ended faster than they could be read\n  try: look for a loop\n"
    assert get(address, "/healthz")[::2] == (503, "the last read failed: pools ended faster than they could be read\n")
    source.failure = None
    assert get(address, "/metrics")[0] == 200
    assert get(address, "/healthz")[0] == 200


def test_health_reads_by_itself_where_nobody_scrapes(start: Start) -> None:
    source = Source()
    source.failure = ReadError("cannot read")
    address = start(source)
    assert get(address, "/healthz")[0] == 503
    assert get(address, "/healthz")[0] == 503
    assert source.reads == 1


def test_an_old_read_is_not_believed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    address = start(source)
    assert get(address, "/healthz")[0] == 200
    monkeypatch.setattr(server, "MAX_AGE", -1)
    source.failure = ReadError("cannot read")
    assert get(address, "/healthz")[0] == 503


def test_the_page_names_host_pools_and_where_to_go(start: Start) -> None:
    status, kind, body = get(start(Source()), "/")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    row = '<bdi>23</bdi></th><td class="name"><bdi>eth0</bdi></td>'
    for words in ("<title>ppobserve on host</title>", 'href="/metrics"', 'href="/healthz"', row):
        assert words in body
    assert "<bdi>ended</bdi>" not in body


def test_the_page_lets_a_browser_run_nothing_but_its_own(start: Start) -> None:
    host, port = start(Source())
    with urllib.request.urlopen(f"http://{host}:{port}/", timeout=30) as answer:
        policy, body = answer.headers["Content-Security-Policy"], answer.read().decode()
    directives = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert directives["default-src"] == "'none'" and "unsafe" not in policy and "*" not in policy
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{element}>(.*?)</{element}>", body, re.DOTALL)
        hashed = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives[directive] == f"'sha256-{hashed}'"
    assert not re.search(r"""\s(style|on\w+)=|\b(https?:)?//\w+\.""", re.sub(r"<(style|script)>.*?</\1>", "", body))


def test_the_page_says_what_is_wrong_with_the_daemon(start: Start) -> None:
    source = Source()
    source.lost = {"refill"}
    assert '<p class="lost">hook refill is not attached</p>' in get(start(source), "/")[2]


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/nothing"])
def test_head_is_the_answer_without_its_body(start: Start, path: str) -> None:
    address = start(Source())
    with socket.create_connection(address, timeout=30) as client:
        client.sendall(f"HEAD {path} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b""
    status, _, same = get(address, path)
    assert int(head.split()[1]) == status
    (length,) = re.findall(rb"Content-Length: (\d+)", head)
    assert 0 < int(length) <= len(same.encode()) + 64  # a second later, numbers may be longer


def test_clients_that_dawdle_hold_nobody_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.Handler, "timeout", 2.0)
    address = start(Source())
    with socket.create_connection(address, timeout=30) as silent, socket.create_connection(address, timeout=30) as half:
        half.sendall(b"GET / HTTP/1.0\r\nX-Slow: ")
        deaf = [socket.create_connection(address, timeout=30) for _ in range(7)]
        for each in deaf:  # they ask and never read
            each.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert get(address, "/healthz")[0] == 200
        assert silent.recv(1) == b"" and half.recv(1) == b""  # they are hung up on
        for each in deaf:
            each.close()
    assert get(address, "/")[0] == 200


def test_names_from_the_kernel_are_no_html(start: Start) -> None:
    source = Source(snapshot(PoolSample(Pool("7", "<u>&\"'"), {}, {}), host="<i>"))
    body = get(start(source), "/")[2]
    assert "<u>" not in body and "&lt;u&gt;&amp;" in body
    assert "<i>" not in body


def test_a_host_without_pools_has_a_page_too(start: Start) -> None:
    assert "No pool has been used yet." in get(start(Source(snapshot())), "/")[2]


def test_the_page_of_a_failing_source_is_a_sentence(start: Start) -> None:
    source = Source()
    source.failure = ReadError("cannot read")
    assert get(start(source), "/") == (500, server.TEXT, "cannot read\n")


@pytest.mark.parametrize("path", ["/favicon.ico", "/metrics/", "/metricsx", "/../etc/passwd"])
def test_anything_else_is_not_found(start: Start, path: str) -> None:
    assert get(start(Source()), path) == (404, server.TEXT, "not here: try /metrics\n")


def test_a_port_in_use_says_who_to_ask() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use") as caught:
            Server(("127.0.0.1", port), Source(), Cardinality.POOL)
    assert f":{port}" in caught.value.fix and "--listen" in caught.value.fix


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "a..b", "x" * 64])
def test_an_address_that_is_not_ours_is_a_sentence(host: str) -> None:
    with pytest.raises(ListenError, match="cannot listen on"):
        Server((host, 0), Source(), Cardinality.POOL)


def test_the_start_waits_for_no_name_server(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda *_: pytest.fail("asked a name server"))
    assert get(start(Source()), "/healthz")[0] == 200


def test_ipv6(start: Start, require: Callable[..., None]) -> None:
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError as error:
        require(False, f"no IPv6 here: {error.strerror}")
    assert get(start(Source(), "::1"), "/healthz")[0] == 200


def test_a_stopped_server_leaves_its_port_to_others() -> None:
    server = Server(("127.0.0.1", 0), Source(), Cardinality.POOL)
    server.start()
    port = server.server_address[1]
    assert get(("127.0.0.1", port), "/healthz")[0] == 200
    server.stop()
    with socket.create_server(("127.0.0.1", port)):
        pass
