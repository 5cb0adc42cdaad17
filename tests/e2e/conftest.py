"""What this tier shares: a browser for the pages, and a fleet with every fault, watched by Debian's Prometheus and
Alertmanager; one of each for all tests.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.fleet import Fleet, Replay, demo_hosts
from bench.hosts import Host
from bench.prometheus import RULES, Service, alertmanager, prometheus
from ppobserve.model.cardinality import Cardinality
from ppobserve.source.recorded import Recorded, open_recording

RECORDINGS = Path(__file__).parent.parent / "data" / "recordings"


@pytest.fixture(scope="module")
def browser(require: Callable[..., None]) -> Iterator[Any]:
    """Headless Chromium (playwright.sync_api.Browser). It has no other host to reach, and need not.

    Not for the whole run: Playwright keeps a child and a running event loop, and other tests want to see neither.
    """
    binary = shutil.which("chromium")
    require(binary, "no chromium here (scripts/setup test installs it)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield chromium
        chromium.close()


SHORTER = (
    (r"\[(?:5|15)m\]", "[10s]"),
    (r"\[1h\]", "[10s]"),
    (r"\bfor: \w+", "for: 2s"),
    (r"interval: 1m", "interval: 1s"),
)


def impatient(folder: Path) -> list[str]:
    """The shipped rules with seconds in place of minutes; thresholds stay."""
    paths = []
    for name in ("recording.yml", "alerts.yml"):
        text = (RULES / name).read_text()
        for old, new in SHORTER:
            text = re.sub(old, new, text)
        (folder / name).write_text(text)
        paths.append(str(folder / name))
    return paths


@dataclass(frozen=True)
class Watch:
    """A fleet, and who watches it."""

    fleet: Fleet
    recording: Recorded
    """What the host ``recorded`` replays, on twelve queues: a guest of two nodes, its sender moving between them."""
    prometheus: Service
    alertmanager: Service

    def firing(self) -> set[tuple[str, str]]:
        """(alert, host) that Alertmanager was told of."""
        alerts = self.alertmanager.get("/api/v2/alerts")
        return {(each["labels"]["alertname"], each["labels"]["instance"]) for each in alerts}


@pytest.fixture(scope="session")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    folder = tmp_path_factory.mktemp("prometheus")
    moved = open_recording(RECORDINGS / "moving.jsonl.gz")
    moved.paused = True
    hosts = {**demo_hosts(), "crowded": Host("crowded", 6, 16), "recorded": Replay(moved, queues=12)}
    fleet = Fleet(hosts, Cardinality.POOL, max_series=3_500)
    fleet.start()
    dead = {"targets": ["127.0.0.1:1"], "labels": {"instance": "dead"}}
    with alertmanager(folder) as told:
        config = {
            "global": {"scrape_interval": "2s", "evaluation_interval": "1s"},
            "rule_files": impatient(folder),
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [told.address]}]}]},
            "scrape_configs": [{"job_name": "ppobserve", "static_configs": [*fleet.targets(), dead]}],
        }
        with prometheus(folder, config) as asked:
            yield Watch(fleet, moved, asked, told)
    fleet.stop()
    moved.close()
