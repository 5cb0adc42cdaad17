"""A fleet on one loopback port: /NAME/metrics is what the daemon of host NAME would answer, and its Prometheus target.

.venv/bin/python -m bench.fleet 10900 > targets.json    # one host for each fault and two healthy ones, until Ctrl-C
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import reduce
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from bench.hosts import FAULTS, Host
from ppobserve.export.collector import PoolCollector, Readable
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.config import Config
from ppobserve.model.series import add
from ppobserve.model.snapshot import HookState, PoolSample, Snapshot, State
from ppobserve.source.base import Playable


class Fleet(ThreadingHTTPServer):
    """Serves hosts from threads of its own, between ``start`` and ``stop``."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(
        self,
        hosts: Mapping[str, Readable],
        cardinality: Cardinality,
        port: int = 0,
        max_series: int = Config.max_series,
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.registries = {name: registry(host, cardinality, max_series) for name, host in hosts.items()}
        self.accepted: set[str] = set()
        """Content types that were answered."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, name="fleet", daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that has gone is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def targets(self, **labels: str) -> list[dict[str, Any]]:
        """What a file_sd file or static_configs say of the hosts; each is an instance of its own name."""
        return [
            {"targets": [self.address], "labels": {"instance": name, "__metrics_path__": f"/{name}/metrics", **labels}}
            for name in self.instances()
        ]

    def instances(self) -> list[str]:
        """The names of all hosts."""
        return list(self.registries)

    def answer(self, name: str, accept: str) -> tuple[bytes, str]:
        """A host's exposition and its content type. KeyError for a host that is not here."""
        encode, content_type = choose_encoder(accept)
        self.accepted.add(content_type.partition(";")[0])
        return encode(self.registries[name]), content_type


class Replay:
    """A host that does what a recorded one did, on each of *queues* queues."""

    def __init__(self, recording: Playable, queues: int = 1) -> None:
        self._recording, self._queues = recording, queues

    def read(self) -> Snapshot:
        """What the recording shows at the position reached by now; each pool as often as there are queues."""
        snapshot = self._recording.read()
        pools = tuple(copy for each in snapshot.pools for copy in self._copies(each))
        return replace(snapshot, pools=pools, hooks={hook.name: HookState(True) for hook in snapshot.plan.hooks})

    def _copies(self, sample: PoolSample) -> Iterator[PoolSample]:
        if sample.pool.state is State.ENDED:  # the sum of all that ended
            yield replace(sample, counters=reduce(add, [sample.counters] * self._queues))
            return
        for queue in range(self._queues):
            yield replace(sample, pool=replace(sample.pool, id=f"{sample.pool.id}-{queue}", queue=queue))


def registry(host: Readable, cardinality: Cardinality, max_series: int = Config.max_series) -> CollectorRegistry:
    """What a host exports."""
    made = CollectorRegistry()
    made.register(PoolCollector(host, cardinality, max_series))
    ProcessCollector(registry=made)  # of this process, which stands for all of them
    return made


class _Handler(BaseHTTPRequestHandler):
    server: Fleet
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        try:
            body, content_type = self.server.answer(self.path.split("/")[1], self.headers.get("Accept", ""))
        except KeyError:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError):  # the scraper had no more patience
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A scrape is no news."""


def demo_hosts() -> dict[str, Readable]:
    """Two healthy hosts, and one with each fault."""
    hosts = [
        Host("well-1"),
        Host("well-2", queues=8),
        *(Host(fault.replace("_", "-"), fault=fault) for fault in FAULTS),
    ]
    return {host.name: host for host in hosts}


if __name__ == "__main__":
    shown = Fleet(demo_hosts(), Cardinality.POOL, int(sys.argv[1]))
    print(json.dumps(shown.targets(), indent=1), flush=True)
    shown.serve_forever()
