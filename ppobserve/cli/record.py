"""``ppobserve record``: snapshots into a file, to be played or reported later, here or elsewhere."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import repeat
from math import ceil
from pathlib import Path

from ppobserve.cli import options
from ppobserve.cli.interrupt import Flag
from ppobserve.cli.values import size, whole
from ppobserve.errors import HostError, UsageError
from ppobserve.model.snapshot import Snapshot
from ppobserve.source import open_source
from ppobserve.source.base import Source
from ppobserve.source.recorder import Recorder
from ppobserve.source.sampling import is_playable

MAX_BYTES, KEEP = 256 << 20, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The bcc habit ``[interval [count]]``, and the file."""
    options.add_sampling(parser)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", required=True, help="append to it; gzip if it ends in .gz"
    )
    parser.add_argument(
        "--max-bytes", type=size, default=MAX_BYTES, metavar="N", help="begin a new file at this size (default: 256M)"
    )
    parser.add_argument("--keep", type=whole, default=KEEP, metavar="N", help="keep N rotated files (default: 3)")
    options.add_source(parser)
    options.add_probe_options(parser)


def run(args: argparse.Namespace) -> int:
    """Record until the count, Ctrl-C or SIGTERM; 0 then."""
    with closing(Recorder(args.output, args.max_bytes, args.keep)) as recorder:
        _record(recorder, args)
    _log(f"{recorder.snapshots} snapshots are in {args.output}")
    return 0


def _record(recorder: Recorder, args: argparse.Namespace) -> None:
    with closing(_source(args)) as source, _until_told() as told:
        _log(f"recording into {args.output} every {args.interval:g} s, Ctrl-C to end")
        reading = Reading(source)
        for _ in moments(args.interval, args.count, told):
            if snapshot := reading.read():
                recorder.write(snapshot)
    if reading.failed:
        _log(f"{reading.failed} reads failed, and there is nothing of those moments")


@dataclass
class Reading:
    """Goes on where a read fails, once one has worked: a daemon may be started anew while one sleeps."""

    source: Source
    worked: bool = False
    failed: int = 0
    _trouble: str = ""

    def read(self) -> Snapshot | None:
        """All pools now, or None, and why, once for each reason. HostError where none could ever be read."""
        try:
            snapshot = self.source.read()
        except HostError as error:
            if not self.worked:
                raise
            self.failed += 1
            if error.what != self._trouble:
                _log(f"{error.what}; trying again")
            self._trouble = error.what
            return None
        if self._trouble:
            _log("reading again")
        self.worked, self._trouble = True, ""
        return snapshot


def _source(args: argparse.Namespace) -> Source:
    source = open_source(args.source, options.opening(args), _log)
    if is_playable(source):
        source.close()
        raise UsageError(f"{args.source} is a recording already", fix=f"ppobserve top --from {args.source}  plays it")
    return source


def moments(interval: float, count: int | None, told: Flag) -> Iterator[None]:
    """One each *interval* by the clock, whatever the work between takes, until *count* or told to end.

    Work that takes longer than that skips moments.
    """
    due = time.monotonic()
    for _ in range(count) if count else repeat(None):
        if told.wait(due - time.monotonic()):
            return
        yield
        due += interval * max(ceil((time.monotonic() - due) / interval), 1)


@contextmanager
def _until_told() -> Iterator[Flag]:
    """A flag that Ctrl-C and SIGTERM set, instead of ending us in the middle of a line."""
    told, signals = Flag(), (signal.SIGINT, signal.SIGTERM)
    before = {each: signal.signal(each, lambda *_: told.set()) for each in signals}
    try:
        yield told
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        told.close()


def _log(*lines: str) -> None:
    for line in lines:
        print(f"ppobserve: {line}", file=sys.stderr, flush=True)
