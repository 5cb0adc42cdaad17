"""The daemon and the one-shot commands as a user runs them: processes, HTTP, signals."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ppobserve.kernel.bpf import program_ids
from ppobserve.lab.frames import run_frames
from ppobserve.model.document import from_document
from ppobserve.model.features import Features
from ppobserve.model.metrics import TABLE
from ppobserve.model.series import total
from tests.live.conftest import SECONDS, Start, undisturbed
from tests.live.owned import gone, left_since, programs_of

PPOBSERVE = (sys.executable, "-m", "ppobserve.cli.main")
ATTACH = ("--level", "standard")
"""Without one, a daemon of this host would be read."""
NAMESPACES = Path("/run/netns")
KPROBE_EVENTS = Path("/sys/kernel/tracing/kprobe_events")
MAX_RSS_MIB = 40
SETTLING_SECONDS = 50

Figure = Callable[[str, float, str], None]


@dataclass
class Daemon:
    """A running ``serve``: its process, its address, its first good scrape's age, its programs."""

    process: subprocess.Popen[str]
    url: str
    seconds: float
    programs: set[int] = field(default_factory=set)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """The sum of a metric over pools without a device: those of test runs, whatever else this host does."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.get("/metrics")[1])
            for sample in family.samples
            if sample.name == name and not sample.labels["netdev"]
        )

    @property
    def rss_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(r"VmRSS:\s+(\d+)", status)
        assert match
        return int(match[1]) / 1024


@contextmanager
def serving(*options: str) -> Iterator[Daemon]:
    begin = time.monotonic()
    command = [*PPOBSERVE, "serve", "--listen", "127.0.0.1:0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        daemon = Daemon(process, _address(process), 0.0)
        assert daemon.get("/metrics")[0] == 200
        daemon.seconds = time.monotonic() - begin
        daemon.programs = programs_of(process.pid)
        yield daemon
    finally:
        process.kill()
        process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    """From the line that says where it serves."""
    assert process.stderr
    seen = []
    for line in process.stderr:
        seen.append(line)
        if match := re.search(r"serving (http://\S+)/metrics", line):
            return match[1]
    pytest.fail(f"the daemon ended: {''.join(seen)}")


@pytest.fixture(scope="module")
def daemon(features: Features) -> Iterator[Daemon]:
    """One daemon for the tests that only look."""
    with serving() as daemon:
        yield daemon


def test_start_is_quick_and_small(daemon: Daemon, figure: Figure) -> None:
    figure("daemon: first good scrape after", daemon.seconds, "s")
    figure("daemon: RSS after start", daemon.rss_mib, "MiB")
    assert daemon.rss_mib <= MAX_RSS_MIB


def test_pages(daemon: Daemon) -> None:
    assert daemon.get("/healthz") == (200, "ok\n")
    assert "<title>ppobserve on " in daemon.get("/")[1]
    assert daemon.get("/nothing")[0] == 404


@pytest.mark.usefixtures("frames")
def test_metrics_count_to_the_page(daemon: Daemon) -> None:
    held = daemon.metric("ppobserve_pages_held_total")
    run_frames(64 * 251, cpu=0)
    assert daemon.metric("ppobserve_pages_held_total") == held + 64
    assert daemon.metric("ppobserve_pages_returned_total") == daemon.metric("ppobserve_pages_held_total")


def test_metrics_are_those_of_the_table(daemon: Daemon) -> None:
    families = text_string_to_metric_families(daemon.get("/metrics")[1])
    ours = {family.name for family in families if family.name.startswith("ppobserve_")}
    assert "ppobserve_pages_held" in ours
    assert ours <= {f"ppobserve_{name}" for name in TABLE}


def test_check_says_what_is_attached(daemon: Daemon, figure: Figure) -> None:
    begin = time.monotonic()
    done = run("check", "--json")
    figure("check: from start to end", time.monotonic() - begin, "s")
    assert done.returncode == 0, done.stdout
    document = json.loads(done.stdout)
    assert document["observable"]
    planned = {(hook["name"], hook["rung"], hook["symbol"]) for hook in document["plan"]["hooks"]}
    pattern = r'hook_attached\{hook="(\w+)",kind="(\w+)",symbol="(\w+)"\} 1.0'
    assert set(re.findall(pattern, daemon.get("/metrics")[1])) == planned


def test_no_growth_over_scrapes(daemon: Daemon, start: Start, figure: Figure) -> None:
    """Once all is there that it keeps: the page's hour remembers two snapshots, 15 s apart, and every pool."""
    settled = time.monotonic() + (
        SETTLING_SECONDS if os.environ.get("PPOBSERVE_GUEST") else 0
    )  # a scrape takes long there
    for number in count():
        daemon.get("/metrics")
        if number >= 53 and time.monotonic() >= settled:
            break
    growth = undisturbed(start(), lambda: (growth_over(daemon, 211), ()))
    figure("daemon: RSS growth over 211 scrapes", growth, "MiB")
    assert growth < 0.5


def growth_over(daemon: Daemon, scrapes: int) -> float:
    """MiB by which the daemon is bigger after that number of scrapes."""
    before = daemon.rss_mib
    for _ in range(scrapes):
        daemon.get("/metrics")
    return daemon.rss_mib - before


def test_sigterm_detaches_and_ends_well(features: Features) -> None:
    with serving() as daemon:
        assert daemon.programs
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(SECONDS) == 0
        assert gone(daemon.programs)


def test_sigkill_leaves_nothing(features: Features) -> None:
    namespaces, probes = named_namespaces(), probes_on_pools()
    with serving() as daemon:
        assert daemon.programs
        daemon.process.kill()
        assert daemon.process.wait(SECONDS) == -signal.SIGKILL
        assert gone(daemon.programs)
    assert named_namespaces() <= namespaces
    assert probes_on_pools() <= probes


def named_namespaces() -> set[str]:
    """Those with a name like ours; others come and go meanwhile."""
    return {path.name for path in NAMESPACES.glob("pp*")}


def probes_on_pools() -> set[str]:
    """The lines of the kprobes on functions of page_pools that stay without a process."""
    lines = KPROBE_EVENTS.read_text().splitlines() if KPROBE_EVENTS.exists() else []
    return {line for line in lines if "page_pool" in line}


def run(*words: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PPOBSERVE, *words], capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.host
def test_port_in_use_is_a_sentence(features: Features) -> None:
    before = program_ids()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert not left_since(before)


@pytest.mark.host
def test_top_once_json_is_a_document(features: Features) -> None:
    done = run("top", "--once", "--json", *ATTACH, "0.05")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    snapshot = from_document(document)
    assert document["schema"] == 1
    assert snapshot.plan.hooks
    assert snapshot.uptime and abs(snapshot.uptime - time.clock_gettime(time.CLOCK_BOOTTIME)) < 60
    assert total(snapshot.counters()["pages_held"]) >= 0


@pytest.mark.host
def test_top_interval_count(features: Features) -> None:
    done = run("top", *ATTACH, "0.05", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("POOL ") == 3
    assert max(map(len, done.stdout.splitlines())) < 80


@pytest.mark.host
def test_ctrl_c_ends_top_quietly(features: Features) -> None:
    process = subprocess.Popen(
        [*PPOBSERVE, "top", *ATTACH, "0.1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert any("POOL" in line for line in process.stdout)
    programs = programs_of(process.pid)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert errors == ""
    assert programs and gone(programs)


@pytest.mark.host
def test_a_refused_rung_says_what_the_kernel_said(features: Features) -> None:
    refused = next((rung for rung, why in features.refusals.items() if why), None)
    done = run("top", "--once", "--rung", refused or "tracepoint", "0.05")
    if refused:
        assert done.returncode == 1
        assert f"cannot use the {refused} rung: {features.refusals[refused]}" in done.stderr
    else:
        assert done.returncode == 0
