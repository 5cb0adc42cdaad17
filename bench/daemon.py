"""A daemon as an operator starts it, for benches of all of it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMAND = (sys.executable, "-m", "ppobserve.cli.main")


@dataclass(frozen=True)
class Daemon:
    """A running ``serve``."""

    pid: int
    url: str
    serving: float
    """Seconds from its start to the line that says where it serves."""
    scraped: float
    """Seconds from its start to its first scrape."""

    def metrics(self) -> str:
        """One scrape."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=60) as answer:
            return str(answer.read().decode())

    def wait_for_pools(self, count: int, seconds: float = 120.0) -> int:
        """Scrape until it counts about so many, and give how many it does: frames may still be on their way."""
        end = time.monotonic() + seconds
        while (tracked := self._tracked()) < 0.9 * count:
            assert time.monotonic() < end, f"only {tracked} of {count} pools"
            time.sleep(0.1)
        return tracked

    def _tracked(self) -> int:
        found = re.search(r"^ppobserve_pools_tracked (\S+)$", self.metrics(), re.M)
        assert found
        return int(float(found[1]))

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all its threads that are still there, and of those that ended."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


@contextmanager
def serving(*options: str) -> Iterator[Daemon]:
    """A daemon that has been scraped once."""
    begin = time.monotonic()
    command = [*COMMAND, "serve", "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = _url(process)
            started = time.monotonic() - begin
            Daemon(process.pid, url, started, 0).metrics()
            yield Daemon(process.pid, url, started, time.monotonic() - begin)
        finally:
            process.terminate()
            process.communicate()


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    for line in process.stderr:
        if found := re.search(r"serving (http://\S+)/metrics", line):
            return found[1]
    raise AssertionError("the daemon ended")
