"""A fleet as Prometheus tells it: a healthy one, one of mixed versions, and every way in which it can't be asked."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from ppobserve.cli.main import main
from ppobserve.errors import PrometheusError, UsageError
from ppobserve.model.fleet import short_names
from ppobserve.model.plan import Level, Rung
from ppobserve.model.rates import between
from ppobserve.source.fleet import Fleet, Scope
from ppobserve.source.prometheus import Prometheus
from ppobserve.ui.fleet import COLUMNS, documents, worst_first
from ppobserve.ui.top import headings, table

Answer = Callable[[str], tuple[int, bytes]]
BUILDS = [({"version": "0.2.0", "level": "full", "rung": "fentry"}, 7.0)]


def vector(*series: tuple[dict[str, str], float | str], **more: Any) -> tuple[int, bytes]:
    result = [{"metric": labels, "value": [1.0, str(value)]} for labels, value in series]
    return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}, **more}).encode()


def refusal(kind: str, error: str, status: int = 422) -> tuple[int, bytes]:
    return status, json.dumps({"status": "error", "errorType": kind, "error": error}).encode()


class Asked(ThreadingHTTPServer):
    """Answers queries by a function, and remembers what was asked."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.queries, self.headers = answer, list[str](), list[dict[str, str]]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Asked

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.queries.append(form["query"][0])
        self.server.headers.append(dict(self.headers))
        status, body = self.server.answer(form["query"][0])
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Asked]]:
    servers: list[Asked] = []

    def start(answer: Answer) -> Asked:
        servers.append(Asked(answer))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


A, B = "web-1.dc1.example.com:10817", "web-2.dc1.example.com:10817"


def pool(instance: str, netdev: str = "eth0", number: str = "23", **more: str) -> dict[str, str]:
    return {"instance": instance, "netns": "4026531840", "netdev": netdev, "pool": number, "napi": "8193",
            "driver": "mlx5_core", **more}  # fmt: skip


def two_hosts(query: str) -> tuple[int, bytes]:
    """A storm on the first; the second keeps pages on another node, and is older: it exports no batches."""
    answers = {
        r"count by \(version": BUILDS,
        r"count by \(__name__": [({"__name__": name}, 1) for name in
                                 ("ppobserve_numa_mismatch_pages_total", "ppobserve_refill_batch_pages_count")],
        r"topk.*instance:ppobserve_numa_mismatch_pages:rate5m": [({"instance": A}, 2003.0), ({"instance": B}, 0.0)],
        r"topk.*remote_pages": [({"instance": B}, 700.0)],
        r"topk.*slow": [({"instance": A}, 2003.0), ({"instance": B}, 1.0)],
        r"^sum.*batch_pages_count": [(pool(A), 2003.0), (pool(B), "NaN")],
        r"^sum.*batch_pages_sum": [(pool(A), 1001.5)],
        r"^sum.*numa_mismatch": [(pool(A, page_node="1", wanted_node="0"), 2003.0),
                                 (pool(A, number="ended", page_node="1", wanted_node="0"), 0.0)],
        r"^sum.*remote_pages": [(pool(B, where="ring", page_node="1", consumer_node="0"), 700.0)],
        r"^sum.*inflight": [(pool(A), 1021.0), (pool(B), 509.0)],
    }  # fmt: skip
    return vector(*next((series for like, series in answers.items() if re.search(like, query)), []))


def test_the_worst_hosts_come_first_with_the_rates_that_prometheus_tells(serve) -> None:
    fleet = Fleet(Prometheus(serve(two_hosts).url))
    storm, remote = worst_first(fleet.interval().rows)
    assert (storm.pool.netdev, storm.pool.id, storm.mismatches, storm.refills) == ("web-1 eth0", "23", 2003.0, 2003.0)
    assert (storm.pages_per_batch, storm.inflight, storm.slow) == (0.5, 1021, None)
    assert (remote.pool.netdev, remote.remote, remote.refills, remote.inflight) == ("web-2 eth0", 700, None, 509)
    assert fleet.hosts == 7
    assert fleet.notes == []
    first, second = documents([storm, remote])
    assert (first["instance"], first["netdev"], first["mismatches_per_second"]) == (A, "eth0", 2003.0)
    assert second["refills_per_second"] is None
    assert all(len(line) < 80 for line in [headings(COLUMNS), *table([storm, remote], COLUMNS).splitlines()])


def test_the_screen_gets_snapshots_whose_rates_are_those(serve, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    server = serve(two_hosts)
    fleet = Fleet(Prometheus(server.url))
    first = fleet.read()
    now[0] += 10
    interval = between(fleet.read(), first)
    assert next(row.mismatches for row in interval.rows) == 2003.0
    server.answer = lambda query: vector() if query.startswith(("topk", "sum")) else two_hosts(query)
    now[0] += 10
    last = between(fleet.read(), interval.new)
    assert (last.broken, last.rows) == ("", ())  # whoever is no longer among the worst breaks nothing


def test_hosts_are_asked_for_by_their_escaped_names(serve) -> None:
    server = serve(two_hosts)
    Fleet(Prometheus(server.url, headers={"X-Scope-OrgID": "net"}), Scope('a"b', 1, "90s")).interval()
    assert any(r'instance=~"web\\-1\\.dc1\\.example\\.com:10817"' in query for query in server.queries)
    assert all(r'job=~"a\"b"' in query for query in server.queries)
    assert any("[90s]" in query for query in server.queries)
    assert {headers["X-Scope-Orgid" if "X-Scope-Orgid" in headers else "X-scope-orgid"]
            for headers in server.headers} == {"net"}  # fmt: skip


def test_without_recording_rules_all_pools_are_asked(serve) -> None:
    def answer(query: str) -> tuple[int, bytes]:
        if "instance:" in query:
            return vector()
        return vector(({"instance": B}, 5.0)) if "topk" in query and "rate(" in query else two_hosts(query)

    server = serve(answer)
    Fleet(Prometheus(server.url)).interval()
    assert any("rate(ppobserve_numa_mismatch_pages_total" in query and "topk" in query for query in server.queries)


def test_a_fleet_of_mixed_versions_is_said_to_be_one(serve) -> None:
    older = ({"version": "0.1.0", "level": "lean", "rung": "tracepoint"}, 2.0)
    unheard = ({"version": "9", "level": "everything", "rung": "magic"}, 30.0)
    server = serve(lambda query: vector(*BUILDS, older, unheard) if "build_info" in query else two_hosts(query))
    fleet = Fleet(Prometheus(server.url))
    interval = fleet.interval()
    assert fleet.notes == ["the fleet runs 3 versions (0.1.0 on 2, 0.2.0 on 7, 9 on 30 hosts): "
                           "what an older one does not export is -"]  # fmt: skip
    assert (interval.new.plan.level, interval.new.plan.rung) == (Level.FULL, Rung.FENTRY)


def test_where_only_recorded_series_are_kept_the_worst_hosts_are_named_once(serve) -> None:
    """As in docs/scale.md: remote write of ``instance:`` series to Mimir."""

    def answer(query: str) -> tuple[int, bytes]:
        return two_hosts(query) if "instance:" in query or "build_info" in query else vector()

    url = serve(answer).url
    fleet = Fleet(Prometheus(url))
    assert (fleet.interval().rows, fleet.hosts) == ((), 7)
    assert fleet.notes == [
        f"{url} has none of the pools of the worst hosts ({A}, {B}): ask the Prometheus that scrapes them"
    ]
    fleet.interval()
    assert len(fleet.notes) == 1


def asking(url: str, seconds: float = 10.0) -> str:
    with pytest.raises(PrometheusError) as caught:
        Fleet(Prometheus(url, seconds)).interval()
    assert caught.value.what.startswith("cannot ask Prometheus at") or "knows no host" in caught.value.what
    return str(caught.value)


TIMEOUT = refusal("timeout", "query timed out in expression evaluation", 503)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (TIMEOUT, "query timed out in expression evaluation\n  the query was count by (version"),
        (TIMEOUT, "try: load deploy/prometheus/recording.yml there"),
        (refusal("execution", "query processing would load too many samples into memory"), "shorter --window"),
        (refusal("bad_data", "parse error", 400), "parse error\n  the query was"),
        ((200, b"<html>login</html>"), "the answer is not JSON: this is no Prometheus"),
        ((200, b"[" * 100_000), "the answer is not JSON"),
        ((200, b'{"status": "success", "data": {"result": [{"metric": 1}]}}'), "but not Prometheus'"),
        ((200, b'{"status": "success"}'), "but not Prometheus'"),
        ((401, b"who are you?"), "status 401 Unauthorized\n  try: --header"),
        ((502, b"bad gateway"), "status 502 Bad Gateway"),
        (vector(), "knows no host of job 'ppobserve'"),
    ],
)
def test_what_prometheus_does_not_answer_is_a_sentence(serve, answer: tuple[int, bytes], words: str) -> None:
    assert words in asking(serve(lambda _: answer).url)


def test_a_prometheus_that_is_down_or_slow_is_a_sentence(serve) -> None:
    server = serve(lambda _: vector())
    server.shutdown()
    server.server_close()
    assert "connection refused" in asking(server.url)
    assert "no answer within 0.1 s" in asking(serve(lambda _: time.sleep(30) or vector()).url, 0.1)


@pytest.mark.parametrize(
    "url", ["", "localhost:9090", "ftp://x", "http://", "http://x:99999", "http://a:b@x", "http://x?a"]
)
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a Prometheus"):
        Prometheus(url)


def test_an_ipv6_address_without_brackets_is_told_so() -> None:
    with pytest.raises(UsageError) as caught:
        Prometheus("http://::1:9090")
    assert caught.value.fix == "http://[::1]:9090"


def test_an_address_may_have_a_path() -> None:
    assert Prometheus("https://mimir.example.com/prometheus/").url == "https://mimir.example.com/prometheus"


def test_names_are_as_short_as_they_can_be_told_apart() -> None:
    assert short_names([A, B]) == {A: "web-1", B: "web-2"}
    assert short_names(["a.x:1", "a.y:1"]) == {"a.x:1": "a.x", "a.y:1": "a.y"}
    assert short_names(["10.0.0.1:1", "10.0.0.2:1"]) == {"10.0.0.1:1": "10.0.0.1", "10.0.0.2:1": "10.0.0.2"}
    assert short_names(["[::1]:1", "[::1]:2"]) == {"[::1]:1": "[::1]:1", "[::1]:2": "[::1]:2"}


def test_the_command_prints_a_table_or_json(serve, capsys: pytest.CaptureFixture[str]) -> None:
    url = serve(two_hosts).url
    assert main(["fleet", "top", "--once", "--prometheus", url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ppobserve: the worst 2 of 7 hosts, over 5m"
    assert [line.split()[:3] for line in lines[2:4]] == [["web-1", "eth0", "23"], ["web-2", "eth0", "23"]]
    assert main(["fleet", "top", "--once", "--json", "--prometheus", url]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["hosts"], len(document["pools"])) == (1, 7, 2)


def test_a_look_that_fails_ends_the_command_but_not_one_that_goes_on(serve, capsys: pytest.CaptureFixture[str]) -> None:
    server = serve(lambda _: TIMEOUT)
    assert main(["fleet", "top", "--once", "--prometheus", server.url]) == 1
    assert "query timed out" in capsys.readouterr().err
    looks = iter([two_hosts, lambda _: TIMEOUT])

    def answer(query: str) -> tuple[int, bytes]:
        if query.startswith("topk") and "numa_mismatch" in query:
            server.now = next(looks, None)
        if not server.now:
            raise KeyboardInterrupt
        return server.now(query)

    server.now, server.answer = two_hosts, answer
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda _: None if server.now is two_hosts else _interrupt())
        assert main(["fleet", "top", "0.01", "--prometheus", server.url]) == 0
    told = capsys.readouterr()
    assert "web-1 eth0" in told.out
    assert "query timed out" in told.err


def _interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--window", "5 minutes"], "is not a time as of 5m"),
        (["--hosts", "0"], "is not a number from 1 to 1000"),
        (["--timeout", "never"], "is not between 0.1 and 600 seconds"),
        (["--header", "Authorization"], "is not NAME: VALUE"),
        (["--header", "A: b\r\nC: d"], "is not NAME: VALUE"),
    ],
)
def test_a_wrong_option_is_a_sentence(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fleet", "top", "--once", *words])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err
