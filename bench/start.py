"""How long the commands take to their first answer, and where that time goes.

The least of several runs: others may be at work here. Attaches to this kernel; needs root.

    .venv/bin/python -m bench.start [--short]
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench import claims
from bench.daemon import COMMAND, serving
from ppobserve.kernel.features import gather
from ppobserve.model.plan import Level
from ppobserve.probe.attach import attach
from ppobserve.source.live import Live


def main() -> None:
    """Print the section."""
    short = claims.options(__doc__ or "").short
    rounds = 1 if short else 7
    claims.heading("Start")
    rows = [(name, f"{1e3 * seconds:.0f}") for name, seconds in least(laps, rounds)]
    claims.table(("where the time goes", "ms"), rows)
    served = min(first_scrape() for _ in range(rounds))
    checked = min(seconds_of("check") for _ in range(rounds))
    shown = min(seconds_of("top", "--once", "1") for _ in range(rounds))
    claims.claim("serve: from start to first good scrape", served, "s", script=__file__, at_most=1.5)
    claims.claim("check: from start to end", checked, "s", script=__file__, at_most=0.5)
    claims.claim("top --once with an interval of 1 s: from start to end", shown, "s", script=__file__, at_most=2.5)


def first_scrape() -> float:
    """Seconds from the daemon's start to its first scrape."""
    with serving() as daemon:
        return daemon.scraped


def seconds_of(*words: str) -> float:
    """Seconds that a command takes."""
    begin = time.monotonic()
    subprocess.run([*COMMAND, *words], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - begin


def least(work: Callable[[], dict[str, float]], rounds: int) -> list[tuple[str, float]]:
    """The least of each part over some rounds."""
    found = [work() for _ in range(rounds)]
    return [(name, min(each[name] for each in found)) for name in found[0]]


def laps() -> dict[str, float]:
    """Seconds of each part of a start, one after the other, in order."""
    python = seconds_of_code("pass")
    found = {"start Python": python, "import the daemon": seconds_of_code("import ppobserve.cli.serve") - python}
    with lap(found, "look at the kernel"):
        facts = gather()
    with lap(found, "the loader: Python, BCC, compile, load, attach"):
        attached = attach(facts, Level.STANDARD)
    with attached:
        with lap(found, "  of which Python and BCC"):
            seconds_of_code("import bcc")
        live = Live(attached)
        with lap(found, "the first read"):
            live.read()
    return found


def seconds_of_code(code: str) -> float:
    """Seconds that a Python of its own takes for it."""
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.monotonic() - begin


@contextmanager
def lap(found: dict[str, float], name: str) -> Iterator[None]:
    """Note how long the block takes."""
    begin = time.perf_counter()
    yield
    found[name] = time.perf_counter() - begin


if __name__ == "__main__":
    main()
