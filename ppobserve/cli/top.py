"""``ppobserve top``: what every pool does."""

from __future__ import annotations

import argparse
import json
import sys
import time

from ppobserve.cli import options
from ppobserve.model.document import to_document
from ppobserve.model.rates import rows
from ppobserve.model.snapshot import Snapshot
from ppobserve.source.live import Live
from ppobserve.ui.top import footnotes, header, headings, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The bcc habit: ``[interval [count]]``."""
    options.add_sampling(parser)
    parser.add_argument("--once", action="store_true", help="one sample, then end")
    parser.add_argument(
        "--json", action="store_true", help="a JSON document a sample, one a line, with totals instead of rates"
    )
    parser.add_argument("-T", "--timestamp", action="store_true", help="the time above each sample")
    options.add_probe_options(parser)


def run(args: argparse.Namespace) -> int:
    """Attach, print samples, detach."""
    live = Live.start(options.level(args), options.rung(args))
    try:
        _notes(live)
        _samples(live, args)
    except KeyboardInterrupt:
        print()
    finally:
        live.close()
    return 0


def _notes(live: Live) -> None:
    for line in live.log:
        print(f"ppobserve: {line}", file=sys.stderr)


def _samples(live: Live, args: argparse.Namespace) -> None:
    count = 1 if args.once else args.count
    if not args.json:
        print(f"{header(live.plan)}" if count else f"Ctrl-C to end\n{header(live.plan)}", flush=True)
    old, taken = live.read(), 0
    while count is None or taken < count:
        time.sleep(args.interval)
        new = live.read()
        _print(old, new, args, first=taken == 0, last=count is not None and taken + 1 == count)
        old, taken = new, taken + 1


def _print(old: Snapshot, new: Snapshot, args: argparse.Namespace, *, first: bool, last: bool) -> None:
    if args.json:
        print(json.dumps(to_document(new)), flush=True)
        return
    found = rows(new, old)
    if args.timestamp:
        print(time.strftime("%H:%M:%S", time.localtime(new.time)))
    if not first:
        print(headings())
    print(table(found), flush=True)
    notes = footnotes(new.plan, found)
    print(f"\n{notes}" if last and notes else "", flush=True)
