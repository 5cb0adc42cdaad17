"""``ppobserve fleet``: many hosts, as Prometheus knows them."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count

from ppobserve.cli import options
from ppobserve.cli.values import seconds_between
from ppobserve.errors import PrometheusError
from ppobserve.model.rates import Row
from ppobserve.source.fleet import Fleet, Scope
from ppobserve.source.prometheus import SECONDS, Prometheus
from ppobserve.ui.fleet import COLUMNS, documents, worst_first
from ppobserve.ui.top import headings, table

SCHEMA = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One command so far."""
    commands = parser.add_subparsers(dest="fleet", metavar="COMMAND", required=True)
    summary = "the pools of the worst hosts: mismatches first, then remote pages, then slow refills"
    _add_top(commands.add_parser("top", help=summary, description=f"{summary[0].upper()}{summary[1:]}."))


def _add_top(parser: argparse.ArgumentParser) -> None:
    options.add_sampling(parser, default=15.0)
    parser.add_argument(
        "--prometheus",
        metavar="URL",
        default=os.environ.get("PROMETHEUS_URL", "http://127.0.0.1:9090"),
        help="its address, with a path where it has one (default: $PROMETHEUS_URL, or http://127.0.0.1:9090)",
    )
    parser.add_argument("--job", metavar="REGEX", default=Scope.job, help=f"job of the targets (default: {Scope.job})")
    parser.add_argument("--hosts", type=_hosts, metavar="N", default=Scope.hosts, help="how many of the worst")
    parser.add_argument("--window", type=_window, default=Scope.window, help="what rates are over (default: 5m)")
    parser.add_argument("--limit", type=_hosts, metavar="N", default=20, help="show at most N pools")
    parser.add_argument(
        "--timeout", type=seconds_between(0.1, 600), default=SECONDS, metavar="S", help="seconds a query may take"
    )
    parser.add_argument("--header", type=_header, action="append", default=[], metavar="'NAME: VALUE'",
                        help="sent along, such as a tenant or a token")  # fmt: skip
    parser.add_argument("--once", action="store_true", help="one look, then end")
    parser.add_argument("--json", action="store_true", help="a JSON document a look, one a line")


def _hosts(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 1000")
    return int(text)


def _window(text: str) -> str:
    if not re.fullmatch(r"([0-9]+(ms|[smhdw]))+", text):
        raise argparse.ArgumentTypeError(f"{text} is not a time as of 5m, 90s or 1h")
    return text


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    sendable = value.strip().isprintable() and max(value, default="") <= "\xff"  # Latin-1, as HTTP has headers
    if not colon or not re.fullmatch(r"[A-Za-z0-9-]+", name) or not sendable:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME: VALUE")
    return name, value.strip()


def run(args: argparse.Namespace) -> int:
    """Ask and show, until Ctrl-C or as often as told."""
    asked = Prometheus(args.prometheus, args.timeout, dict(args.header))
    fleet = Fleet(asked, Scope(args.job, args.hosts, args.window))
    try:
        if _wants_screen(args):
            return _screen(fleet, args)
        _text(fleet, args)
    except KeyboardInterrupt:
        print()
    return 0


def _text(fleet: Fleet, args: argparse.Namespace) -> None:
    last = 1 if args.once else args.count
    for number in count(1):
        _look(fleet, args, first=number == 1, endless=last is None)
        if number == last:
            return
        time.sleep(args.interval)


def _look(fleet: Fleet, args: argparse.Namespace, *, first: bool, endless: bool) -> None:
    """One look. Where one of many fails it is said, and the next is tried: a Prometheus may be restarted meanwhile."""
    try:
        rows = worst_first(fleet.interval().rows)
    except PrometheusError as error:
        if first or not endless:
            raise
        print(f"ppobserve: {error}", file=sys.stderr, flush=True)
        return
    for note in _news(fleet):
        print(f"ppobserve: {note}", file=sys.stderr)
    print(_json(fleet, rows) if args.json else _table(fleet, rows, args, endless and first), flush=True)


def _news(fleet: Fleet) -> Iterator[str]:
    """What there is to say about the fleet, once."""
    while fleet.notes:
        yield fleet.notes.pop(0)
    while fleet.prometheus.warnings:
        yield f"Prometheus warns: {fleet.prometheus.warnings.pop()}"


def _json(fleet: Fleet, rows: tuple[Row, ...]) -> str:
    return json.dumps(
        {
            "schema": SCHEMA,
            "time": time.time(),
            "prometheus": fleet.prometheus.url,
            "window": fleet.scope.window,
            "hosts": fleet.hosts,
            "pools": documents(rows),
        }
    )


def _table(fleet: Fleet, rows: tuple[Row, ...], args: argparse.Namespace, endless: bool) -> str:
    shown, hosts = rows[: args.limit], len({getattr(row.pool, "host", "") for row in rows})
    begin = "Ctrl-C to end\n" if endless else ""
    more = f"\n{len(rows) - len(shown)} more pools: --limit" if len(rows) > len(shown) else ""
    head = f"ppobserve: the worst {hosts} of {fleet.hosts} hosts, over {fleet.scope.window}"
    return f"{begin}{head}\n{headings(COLUMNS)}\n{table(shown, COLUMNS)}{more}\n"


def _wants_screen(args: argparse.Namespace) -> bool:
    """On a terminal, unless text is asked for or what draws the screen is missing."""
    if args.once or args.count or args.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    able = os.environ.get("TERM", "dumb") != "dumb" and "utf" in (sys.stdout.encoding or "").lower()
    return able and find_spec("textual") is not None


def _screen(fleet: Fleet, args: argparse.Namespace) -> int:
    from ppobserve.ui.screen.app import TopApp  # Textual takes a third of a second: only who looks waits for it

    first = fleet.read()
    time.sleep(min(args.interval, 1.0))
    app = TopApp(fleet, first, interval=args.interval, chosen=COLUMNS, note="; ".join(_news(fleet)))
    app.run()
    return app.return_code or 0
