"""Debian's Prometheus and Alertmanager on loopback ports, in a directory of their own; nothing of them is installed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

ROOT = Path(__file__).parent.parent
RULES = ROOT / "deploy" / "prometheus"

T = TypeVar("T")


@cache
def programs() -> Path:
    """The directory of prometheus, promtool, prometheus-alertmanager and amtool; fetched when they are not there."""
    found = subprocess.run([ROOT / "scripts/prometheus"], capture_output=True, text=True, timeout=300, check=True)
    return Path(found.stdout.strip())


def promtool(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool to its end."""
    command = [programs() / "promtool", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)


@dataclass(frozen=True)
class Service:
    """A program that serves HTTP."""

    process: subprocess.Popen[bytes]
    address: str

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def get(self, path: str, **parameters: str) -> Any:
        """The JSON answer to a GET; a refusal in JSON is an answer, too."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        try:
            with urllib.request.urlopen(f"{self.url}{path}{query}", timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query, as Prometheus answers: metric and value."""
        answer = self.get("/api/v1/query", query=expression)
        assert answer["status"] == "success", f"{expression}: {answer}"
        return answer["data"]["result"]  # type: ignore[no-any-return]

    def value(self, expression: str) -> float:
        """The sum of an instant query's values; 0 when there is none."""
        return sum(float(series["value"][1]) for series in self.query(expression))


def eventually(ask: Callable[[], T], seconds: float = 120.0) -> T:
    """What *ask* answers once that is true; the last answer when it never is."""
    end = time.monotonic() + seconds
    while not (answer := ask()) and time.monotonic() < end:
        time.sleep(0.2)
    return answer


@contextmanager
def prometheus(folder: Path, config: Mapping[str, Any], *arguments: str) -> Iterator[Service]:
    """Prometheus with a configuration, ready, until the block ends."""
    (folder / "prometheus.yml").write_text(yaml.safe_dump(dict(config)))
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", *arguments]
    with _serving(folder, [programs() / "prometheus"], options) as service:
        yield service


@contextmanager
def alertmanager(folder: Path) -> Iterator[Service]:
    """Alertmanager, telling nobody of what it got."""
    (folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    options = [
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/alerts",
        "--cluster.listen-address=",
    ]
    with _serving(folder, [*_seeing_its_templates(), programs() / "prometheus-alertmanager"], options) as service:
        yield service


def _seeing_its_templates() -> list[str]:
    """Debian's Alertmanager reads its templates from /usr/share: a private mount shows it those beside its program."""
    share = programs().parent / "share"
    own = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", "--mount", *own, "sh", "-c", f'mount --bind "{share}" /usr/share && exec "$@"', "sh"]


@contextmanager
def _serving(folder: Path, program: Sequence[str | Path], options: Sequence[str]) -> Iterator[Service]:
    address = f"127.0.0.1:{free_port()}"
    ends_with_us = ["setpriv", "--pdeathsig", "TERM"]
    command = [*ends_with_us, *program, f"--web.listen-address={address}", "--log.level=warn", *options]
    said = folder / f"{Path(program[-1]).name}.log"
    with said.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        service = Service(process, address)
        try:
            assert eventually(lambda: _ready(service)), said.read_text()
            yield service
        finally:
            process.terminate()
            process.wait(30)


def _ready(service: Service) -> bool:
    if service.process.poll() is not None:
        return False
    try:
        with urllib.request.urlopen(f"{service.url}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def free_port() -> int:
    """A loopback port that no one has."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])
