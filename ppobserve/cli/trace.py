"""``ppobserve trace``: a line an event."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from ppobserve.cli import options
from ppobserve.cli.interrupt import Flag, until_interrupted
from ppobserve.cli.values import duration, whole
from ppobserve.kernel.features import gather
from ppobserve.model.nearest import question
from ppobserve.model.trace import DEFAULT_LIMIT, Dropped, Event, Kind, Selection, event_document, start_document
from ppobserve.probe.events import NODES
from ppobserve.probe.tracing import Tracer
from ppobserve.ui import trace as text

PAUSE = 0.05
"""Seconds between two looks at the buffer; none after one that found it filling."""
MANY = 1000
NOTE_SECONDS = 1.0
NO_NETDEV = "-"
NAME_BYTES = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to trace; filters and limit run in the kernel."""
    kinds = ",".join(kind.value for kind in Kind)
    parser.add_argument("--event", type=_kinds, metavar="LIST", help=f"of {kinds} (default: all)")
    parser.add_argument(
        "--netdev", type=_netdevs, metavar="LIST", help=f"of these devices; {NO_NETDEV} for pools without one"
    )
    parser.add_argument(
        "--node", type=_nodes, metavar="LIST", help="about these NUMA nodes: the CPU's, the page's or the wanted one"
    )
    parser.add_argument(
        "--limit",
        type=_limit,
        metavar="N",
        default=DEFAULT_LIMIT,
        help=f"events a second on each CPU, 0 for all (default: {DEFAULT_LIMIT})",
    )
    parser.add_argument("--stack", action="store_true", help="with the kernel functions that led to each event")
    parser.add_argument("-n", "--count", type=whole, metavar="N", help="stop after N events")
    parser.add_argument("--seconds", type=duration, metavar="S", help="end after so long")
    parser.add_argument("-w", "--wide", action="store_true", help="more columns, and none of them clipped")
    parser.add_argument("--json", action="store_true", help="a JSON document a line")
    options.add_rung_option(parser)


def run(args: argparse.Namespace) -> int:
    """Attach, print events until there have been enough, detach, say what was dropped."""
    chosen = selection(args)
    tracer = Tracer.start(gather(), chosen, rung=options.rung(args))
    try:
        for each in tracer.log:
            print(f"ppobserve: {each}", file=sys.stderr)
        printer = Json() if args.json else Text(wide=args.wide)
        with until_interrupted() as stop:
            printer.start(tracer, chosen)
            shown = follow(tracer, args, printer.event, printer.note, stop)
        printer.end(shown, tracer.dropped())
    finally:
        tracer.close()
    return 0


def selection(args: argparse.Namespace) -> Selection:
    """What the command line asks for."""
    return Selection(
        kinds=args.event or frozenset(Kind),
        netdevs=args.netdev or frozenset(),
        nodes=args.node or frozenset(),
        limit=args.limit,
        stack=args.stack,
    )


def follow(
    tracer: Tracer,
    args: argparse.Namespace,
    show: Callable[[Event], None],
    note: Callable[[Dropped], None],
    stop: Flag,
) -> int:
    """Show events until Ctrl-C, the count or the time has come; how many."""
    end = time.monotonic() + (args.seconds or math.inf)
    shown, pause, notes = 0, 0.0, Notes(note)
    while True:
        last = stop.wait(max(min(pause, end - time.monotonic()), 0)) or time.monotonic() >= end
        if last:
            tracer.stop()
        events = tracer.read()
        wanted = events if args.count is None else events[: args.count - shown]
        for event in wanted:
            show(event)
        shown += len(wanted)
        notes.look(tracer.dropped())
        sys.stdout.flush()
        if last or shown == args.count:
            tracer.stop()
            return shown
        pause = 0 if len(events) >= MANY else PAUSE


@dataclass
class Notes:
    """Says what was dropped whenever that is more than before, once a second at the most."""

    say: Callable[[Dropped], None]
    told: Dropped = field(default_factory=Dropped)
    told_at: float = -math.inf

    def look(self, dropped: Dropped) -> None:
        """The numbers by now."""
        now = time.monotonic()
        if dropped != self.told and now - self.told_at >= NOTE_SECONDS:
            self.told, self.told_at = dropped, now
            self.say(dropped)


class Text:
    """Lines for people."""

    def __init__(self, *, wide: bool) -> None:
        self._wide = wide

    def start(self, tracer: Tracer, chosen: Selection) -> None:
        """What is traced, and what can't be."""
        print(text.header(tracer.what, chosen, wide=self._wide), flush=True)

    def event(self, event: Event) -> None:
        """One event."""
        print(text.lines(event, wide=self._wide))

    def note(self, dropped: Dropped) -> None:
        """Events were dropped."""
        print(text.dropped_line(dropped))

    def end(self, shown: int, dropped: Dropped) -> None:
        """The sum."""
        print(f"\n{text.summary(shown, dropped)}", flush=True)


class Json:
    """A document a line, for programs."""

    def start(self, tracer: Tracer, chosen: Selection) -> None:
        """What is traced, and what can't be."""
        _print(start_document(tracer.what, chosen))

    def event(self, event: Event) -> None:
        """One event."""
        print(json.dumps(event_document(event)))

    def note(self, dropped: Dropped) -> None:
        """Events were dropped."""
        _print({"event": "dropped", **asdict(dropped)})

    def end(self, shown: int, dropped: Dropped) -> None:
        """The sum."""
        _print({"event": "end", "shown": shown, **asdict(dropped)})


def _print(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)


def _kinds(listed: str) -> frozenset[Kind]:
    names = [kind.value for kind in Kind]
    for name in listed.split(","):
        if name not in names:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(names)}{question(name, names)}")
    return frozenset(map(Kind, listed.split(",")))


def _netdevs(listed: str) -> frozenset[str]:
    for name in listed.split(","):
        if not 0 < len(os.fsencode(name)) <= NAME_BYTES:
            raise argparse.ArgumentTypeError(f"{name!r} is no name of a device: those have 1 to {NAME_BYTES} bytes")
    return frozenset("" if name == NO_NETDEV else name for name in listed.split(","))


def _nodes(listed: str) -> frozenset[int]:
    for node in listed.split(","):
        if not node.isdecimal() or int(node) >= NODES:
            raise argparse.ArgumentTypeError(f"{node!r} is no NUMA node: those are 0 to {NODES - 1}")
    return frozenset(map(int, listed.split(",")))


def _limit(written: str) -> int:
    if not written.isdecimal() or int(written) >= 2**31:
        raise argparse.ArgumentTypeError(f"{written!r} is no number of events a second; 0 is without limit")
    return int(written)
