"""The daemon's HTTP side: /metrics, /snapshot, /healthz and the host's own page."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, has_dualstack_ipv6
from socketserver import TCPServer

from prometheus_client.exposition import choose_encoder

from ppobserve import __version__
from ppobserve.errors import HostError, ListenError
from ppobserve.export.collector import PoolCollector, Readable
from ppobserve.export.exposition import Exposition
from ppobserve.export.page import HEADERS, View, page
from ppobserve.model.address import joined
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.config import Config
from ppobserve.model.document import to_document
from ppobserve.model.history import History
from ppobserve.model.snapshot import Snapshot

MAX_AGE = 1.0
"""Seconds after which /healthz does not believe the last read, and reads itself."""


TEXT = "text/plain; charset=utf-8"
NO_HEADERS: Mapping[str, str] = {}


class Health:
    """A source that remembers how its last read went, and what it showed within the last hour."""

    def __init__(self, source: Readable) -> None:
        self._source, self._read_at, self._failure = source, float("-inf"), ""
        self._lock = threading.Lock()
        self._lost: list[str] = []
        self.history = History()

    def read(self) -> Snapshot:
        """All pools; the outcome is remembered."""
        with self._lock:
            self._read_at, self._failure = time.monotonic(), ""
            try:
                snapshot = self._source.read()
            except HostError as error:
                self._failure = error.what
                raise
            self._lost = snapshot.lost_hooks()
            self.history.add(snapshot)
            return snapshot

    def problems(self) -> list[str]:
        """What is wrong, as sentences; empty while every hook is attached and the last read worked."""
        if time.monotonic() - self._read_at > MAX_AGE:
            with suppress(HostError):  # remembered as the failure
                self.read()
        lost = [f"hook {name} is not attached" for name in self._lost]
        return [*lost, *([f"the last read failed: {self._failure}"] if self._failure else [])]

    def view(self) -> View:
        """Everything now, beside what was before."""
        now = self.read()
        return View(now, self.history.since(now), self.history.hour, tuple(self.problems()))


class Server(ThreadingHTTPServer):
    """Serves one source. Bound when made, serving after ``start``."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        source: Readable,
        cardinality: Cardinality,
        max_series: int = Config.max_series,
    ) -> None:
        everywhere = not address[0] and has_dualstack_ipv6()
        self.address_family = AF_INET6 if ":" in address[0] or everywhere else AF_INET
        self.health = Health(source)
        self.exposition = Exposition(PoolCollector(self.health, cardinality, max_series))
        try:
            super().__init__(address, Handler)
        except OSError as error:
            raise ListenError(
                f"cannot listen on {joined(*address)}: {error.strerror}",
                fix=f"ss -ltnp 'sport = :{address[1]}'  shows who has it; --listen ADDR:PORT takes another",
            ) from None

    def server_bind(self) -> None:
        """Bind, without asking a name server for our own name as HTTPServer does: it may take its time to answer."""
        if self.address_family == AF_INET6:  # "" is every address, of IPv4 too; "::1" stays what it is
            self.socket.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 0)
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def start(self) -> None:
        """Serve from a thread of its own until ``stop``."""
        threading.Thread(target=self.serve_forever, name="http", daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    server_version = f"ppobserve/{__version__}"
    timeout = 30

    def do_GET(self) -> None:
        """Route by path; the query string is left to no one."""
        route = {
            "/metrics": self._metrics,
            "/snapshot": self._snapshot,
            "/healthz": self._healthz,
            "/": self._page,
        }.get(self.path.partition("?")[0])
        try:
            if route:
                route()
            else:
                self._answer(404, TEXT, b"not here: try /metrics\n")
        except HostError as error:
            self._answer(500, TEXT, f"{error}\n".encode())
        except ConnectionError:  # who asked has gone, as one does whose patience is over: no news for the log
            self.close_connection = True

    do_HEAD = do_GET
    """The same without the body (RFC 9110, 9.3.2)."""

    def _metrics(self) -> None:
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        openmetrics = content_type.startswith("application/openmetrics-text")
        self._answer(200, content_type, self.server.exposition.text(encode, openmetrics=openmetrics))

    def _snapshot(self) -> None:
        document = json.dumps(to_document(self.server.health.read()), separators=(",", ":"))
        self._answer(200, "application/json", document.encode())

    def _healthz(self) -> None:
        problems = self.server.health.problems()
        self._answer(503 if problems else 200, TEXT, ("\n".join(problems or ["ok"]) + "\n").encode())

    def _page(self) -> None:
        self._answer(200, "text/html; charset=utf-8", page(self.server.health.view()).encode(), HEADERS)

    def _answer(self, status: int, content_type: str, body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A scrape every few seconds is no news."""
