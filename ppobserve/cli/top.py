"""``ppobserve top``: what every pool does, on a screen or as text."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import islice
from typing import Any

from ppobserve.cli import options
from ppobserve.cli.values import whole
from ppobserve.errors import UsageError
from ppobserve.model.document import to_document
from ppobserve.model.rates import Interval, between
from ppobserve.source import open_source
from ppobserve.source.base import Source
from ppobserve.source.sampling import is_playable, samples
from ppobserve.ui.pool_columns import BUSY, BY_KEY, Column, column_called, columns
from ppobserve.ui.top import COLUMNS, footnotes, header, headings, table
from ppobserve.ui.view import View, look

_TEXTUAL = "the wheel with [top] in a venv brings it, see docs/deploy.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The bcc habit: ``[interval [count]]``."""
    options.add_sampling(parser)
    options.add_source(parser, "; FILE: a recording")
    parser.add_argument("--once", action="store_true", help="one sample, then end")
    parser.add_argument(
        "--json", action="store_true", help="a JSON document a sample, one a line, with totals instead of rates"
    )
    parser.add_argument("-T", "--timestamp", action="store_true", help="text with the time above each sample")
    _add_view(parser)
    options.add_probe_options(parser)


def _add_view(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sort", metavar="COLUMN", help="numbers from the highest, names from A (default: busiest)")
    parser.add_argument("--reverse", action="store_true", help="sort the other way round")
    parser.add_argument("--limit", type=partial(whole, what="pools"), metavar="N", help="show at most N pools")
    parser.add_argument(
        "--filter", default="", metavar="TERMS", help="only pools that fit: 'netdev=eth* mismatches>0 mlx5'"
    )
    parser.add_argument("--columns", metavar="A,B", help=f"of {', '.join(BY_KEY)}")


def run(args: argparse.Namespace) -> int:
    """Open the source, show it, close it."""
    view, chosen = _view(args), columns(args.columns) if args.columns else ()
    notes: list[str] = []
    screen = _wants_screen(args, notes)
    source = open_source(args.source, options.opening(args), notes.append)
    try:
        if screen:
            return _screen(source, args, view, chosen, notes)
        for note in notes:
            print(f"ppobserve: {note}", file=sys.stderr)
        _text(source, args, view, chosen or COLUMNS)
    except KeyboardInterrupt:
        print()
    finally:
        source.close()
    return 0


def _view(args: argparse.Namespace) -> View:
    if args.json and args.columns:
        raise UsageError("--columns is for text: a JSON document has everything", fix="--json without --columns")
    sort = column_called(args.sort, "--sort").key if args.sort else BUSY
    return View(sort, args.reverse, args.filter, limit=args.limit)


def _wants_screen(args: argparse.Namespace, notes: list[str]) -> bool:
    """On a terminal, unless text is asked for, or the terminal can't, or what draws the screen is missing."""
    if args.once or args.count or args.json or args.timestamp:
        return False
    if not all(each.isatty() for each in (sys.stdin, sys.stdout, sys.stderr)):  # Textual paints on the last of them
        return False
    if os.environ.get("TERM", "dumb") == "dumb" or "utf" not in (sys.stdout.encoding or "").lower():
        return False
    if find_spec("textual") is None:
        notes.append(f"the screen needs Textual ({_TEXTUAL}); this is the plain text")
        return False
    return True


def _screen(source: Source, args: argparse.Namespace, view: View, chosen: Sequence[Column], notes: list[str]) -> int:
    from ppobserve.ui.screen.app import TopApp  # Textual takes a third of a second: only who looks waits for it

    app = TopApp(source, source.read(), interval=args.interval, view=view, chosen=chosen, note="; ".join(notes))
    app.run()
    return app.return_code or 0


def _text(source: Source, args: argparse.Namespace, view: View, chosen: Sequence[Column]) -> None:
    count = 1 if args.once else args.count
    taken = samples(source, args.interval)
    old = next(taken)
    if not args.json:
        endless = count is None and not is_playable(source)
        print("Ctrl-C to end\n" * endless + header(old.plan, chosen), flush=True)
    for number, new in enumerate(islice(taken, count), 1):
        interval = between(new, old)
        if args.json:
            print(json.dumps(_document(interval, view)), flush=True)
        else:
            _print(interval, args, view, chosen, number, count)
        old = new


def _document(interval: Interval, view: View) -> dict[str, Any]:
    """The snapshot's document, with the pools of the view, in its order; all of them where it is the usual one."""
    new = interval.new
    if view != View():
        samples = {sample.pool.key: sample for sample in new.pools}
        new = replace(new, pools=tuple(samples[row.key] for row in look(interval, view)))
    return to_document(new)


def _print(
    interval: Interval, args: argparse.Namespace, view: View, chosen: Sequence[Column], number: int, count: int | None
) -> None:
    rows = look(interval, view)
    if args.timestamp:
        print(time.strftime("%H:%M:%S", time.localtime(interval.new.time)))
    if number > 1:
        print(headings(chosen))
    print(table(rows, chosen, filtered=bool(view.filter)), flush=True)
    if interval.broken:
        print(f"-: {interval.broken}: no rates this time")
    elif interval.note:
        print(f"{interval.note}: rates are of the {interval.seconds:.3g} s that passed")
    notes = footnotes(interval.new.plan, rows, chosen) if number == count else ""
    print(f"\n{notes}" if notes else "", flush=True)
