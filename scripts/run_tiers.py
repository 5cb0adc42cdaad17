"""Runs every tier of tests, whatever fails, and prints one summary: ``make test``.

A tier is a target of the Makefile: `make TIER` runs it alone. The tiers of a lane follow each other, lanes run beside
each other. build/tiers has TIER.log, TIER.xml and rows, the lines of tiers that report several (vmtest/report.py).
Exit status: 0, 1 if anything failed, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vmtest import report, slots
from vmtest.report import Counts, Row

TOP = Path(__file__).parent.parent
FOLDER = TOP / "build" / "tiers"
HOST = ("lint", "unit-tests", "live-tests", "e2e-tests")
"""One at a time, since each may make pools on this kernel. Together they take one slot, and guests the others."""
GUESTS = ("guests", "userspaces")
"""Parts of both take slots, as they become free."""
PROGRESS_SECONDS = 60.0
ENDING = (signal.SIGINT, signal.SIGTERM)
POLL_SECONDS = 0.2
END_SECONDS = 60.0
FAILURES_SHOWN = 10
FIGURES = re.compile(r"^=+ figures =+\n(.*?)(?=^=)", re.MULTILINE | re.DOTALL)

Command = Callable[[str, Path], Sequence[str]]
"""Given a tier and the JUnit file that it should write: what runs it."""


def make(tier: str, junit: Path) -> Sequence[str]:
    return ["make", "--no-print-directory", tier, f"REPORT={junit}"]


@contextmanager
def signals_later() -> Iterator[None]:
    """Signals that end this program are handled after the block: a process is started and known, or neither."""
    came: list[int] = []
    handlers = {each: signal.signal(each, lambda number, _: came.append(number)) for each in ENDING}
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        for number in came:
            signal.raise_signal(number)


class Tier:
    """A tier: its process, and what came of it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.log, self.junit = folder / f"{name}.log", folder / f"{name}.xml"
        self.process: subprocess.Popen[bytes] | None = None
        self._begun = self._ended = 0.0

    def start(self, command: Command) -> None:
        self._begun = time.monotonic()
        environment = {**os.environ, "PPOBSERVE_ROWS": str(self.log.parent / "rows")}
        words = command(self.name, self.junit)
        with self.log.open("wb") as log, signals_later():
            self.process = subprocess.Popen(
                words, cwd=TOP, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def running(self) -> bool:
        """True from its start to its end, whose time it keeps."""
        if self.process is None or self._ended:
            return False
        if self.process.poll() is None:
            return True
        self._ended = time.monotonic()
        return False

    def end(self, seconds: float) -> None:
        """End it if it runs after so long."""
        assert self.process
        for stop in (self.process.terminate, self.process.kill):
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                stop()

    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def progress(self) -> str:
        """Its name and the last line that it printed."""
        return f"{self.name}: {report.tail(self.text(), lines=1).strip()[:120]}"

    def row(self) -> Row:
        """Its line of the summary. A tier that fails without a failed test is one failure itself."""
        log = os.path.relpath(self.log, TOP)
        if self.process is None or self.running:
            return Row(self.name, Counts(), 0.0, log, "interrupted")
        counts = report.counts(self.junit)
        if self.process.returncode and not counts.failed:
            counts += Counts(failed=1)
        return Row(self.name, counts, (self._ended - self._begun) / 60, log)

    def failures(self) -> list[str]:
        """What its failed tests said, or the end of its log if it failed without."""
        if not self.process or not self.process.returncode:
            return []
        return list(report.failures(self.junit))[:FAILURES_SHOWN] or [report.tail(self.text())]


class Lane:
    """Tiers that follow each other, and the slot that they hold until the last one has ended."""

    def __init__(self, tiers: Sequence[Tier], command: Command, slot: IO[str] | None = None) -> None:
        self._waiting, self._command, self._slot = list(tiers), command, slot
        self.current: Tier | None = None

    def step(self) -> bool:
        """Start the next tier if the last one has ended. False if there is none."""
        if self.current and self.current.running:
            return True
        if self.current:
            print(one_line(self.current.row()), flush=True)
        self.current = self._waiting.pop(0) if self._waiting else None
        if self.current:
            self.current.start(self._command)
        elif self._slot:
            self._slot.close()
        return self.current is not None


def run(lanes: Sequence[Lane], progress_seconds: float = PROGRESS_SECONDS) -> None:
    """All lanes to their end, with a line now and then."""
    said = begun = time.monotonic()
    while any([lane.step() for lane in lanes]):
        time.sleep(POLL_SECONDS)
        now = time.monotonic()
        if now - said >= progress_seconds:
            said = now
            running = " | ".join(lane.current.progress() for lane in lanes if lane.current)
            print(f"{(now - begun) / 60:4.0f} min  {running}", flush=True)


def one_line(row: Row) -> str:
    return f"{row.tier}: {row.counts} in {row.minutes:.1f} min"


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The summary, a line a row."""
    width = max(len(row.tier) for row in rows)
    yield f"{'tier':<{width}} {'passed':>7} {'failed':>7} {'skipped':>7} {'minutes':>7}  log"
    for row in rows:
        if row.not_run:
            yield f"{row.tier:<{width}} not run: {row.not_run}"
            continue
        c = row.counts
        yield f"{row.tier:<{width}} {c.passed:>7} {c.failed:>7} {c.skipped:>7} {row.minutes:>7.1f}  {row.log}"


def summary(tiers: Sequence[Tier], rows: Path) -> Counts:
    """Print what was measured, what failed and how, and a line a tier. The last line is the sum."""
    for tier in tiers:
        for figures in FIGURES.findall(tier.text()):
            print(figures, end="")
    for tier in tiers:
        for failure in tier.failures():
            print(f"\n--- {tier.name} failed ---\n{failure}")
    lines = [*(tier.row() for tier in tiers), *report.rows(rows)]
    print("", *table(lines), "", sep="\n")
    total = sum((row.counts for row in lines), Counts())
    print(total, flush=True)
    return total


def run_tiers(
    host: Sequence[str],
    guests: Sequence[str],
    folder: Path = FOLDER,
    command: Command = make,
    slot: IO[str] | None = None,
) -> int:
    """Run two lanes of tiers, the first of which holds *slot*. Return the exit status."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    here, there = ([Tier(name, folder) for name in lane] for lane in (host, guests))
    tiers, interrupted = [*here, *there], False
    try:
        run([Lane(here, command, slot), Lane(there, command)])
    except KeyboardInterrupt:
        interrupted = True  # the terminal has told the tiers, too
    except SystemExit:
        interrupted = True
        for tier in tiers:
            if tier.running and tier.process:
                tier.process.terminate()
    for tier in tiers:
        if tier.running:
            tier.end(END_SECONDS)
    failed = summary(tiers, folder / "rows").failed
    return 130 if interrupted else int(failed > 0)


def main() -> int:
    """Every tier, the host's beside the guests."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return run_tiers(HOST, GUESTS, slot=slots.wait())


if __name__ == "__main__":
    sys.exit(main())
