"""``ppobserve pools``: every pool there is, once."""

from __future__ import annotations

import argparse
import json
import sys
import time

from ppobserve.cli import options
from ppobserve.cli.values import duration
from ppobserve.model.inventory import inventory, inventory_document
from ppobserve.model.snapshot import Snapshot
from ppobserve.source import open_source
from ppobserve.source.live import Live
from ppobserve.source.opening import LIVE
from ppobserve.ui.pools import table

SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How to show them, where from, and how long to look."""
    parser.add_argument("-w", "--wide", action="store_true", help="more columns, and none of them clipped")
    parser.add_argument("--json", action="store_true", help="one JSON document; what is not known is null")
    parser.add_argument(
        "--from",
        dest="source",
        default=LIVE,
        metavar="SOURCE",
        help="live: this kernel, through the daemon where one runs (default); http://HOST:10817: a daemon; "
        "FILE: a recording's first moment",
    )
    parser.add_argument(
        "--seconds",
        type=duration,
        default=SECONDS,
        metavar="S",
        help=f"without a daemon, how long to look for pools that the kernel does not list (default: {SECONDS:.0f})",
    )
    options.add_rung_option(parser)


def run(args: argparse.Namespace) -> int:
    """Look, print every pool, let go."""
    snapshot = look(args)
    if args.json:
        print(json.dumps(inventory_document(snapshot)))
    else:
        unreadable = snapshot.netns_unreadable
        print(table(inventory(snapshot), snapshot.plan, wide=args.wide, netns_unreadable=unreadable))
    return 0


def look(args: argparse.Namespace) -> Snapshot:
    """All pools. Those that the kernel doesn't list are seen when someone uses them: what was just attached waits."""
    source = open_source(args.source, options.opening(args), _say)
    try:
        if isinstance(source, Live):
            time.sleep(args.seconds)
        return source.read()
    finally:
        source.close()


def _say(note: str) -> None:
    print(f"ppobserve: {note}", file=sys.stderr)
