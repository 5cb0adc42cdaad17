"""Options that several commands share."""

from __future__ import annotations

import argparse
from functools import partial

from ppobserve.cli.values import seconds_between, whole
from ppobserve.errors import UsageError
from ppobserve.model.plan import Level, Rung
from ppobserve.source.opening import LIVE, Opening


def add_probe_options(parser: argparse.ArgumentParser) -> None:
    """What is attached, and how. Left out, each is None, so that a configuration file can have its say."""
    parser.add_argument(
        "--level", choices=[level.value for level in Level], help="how much is counted (default: standard)"
    )
    add_rung_option(parser)


def add_rung_option(parser: argparse.ArgumentParser) -> None:
    """How functions are hooked."""
    parser.add_argument(
        "--rung", choices=[rung.value for rung in Rung], help="use this way to hook functions and no other"
    )


def add_sampling(parser: argparse.ArgumentParser, default: float = 1.0) -> None:
    """How often, and how many times: ``[interval [count]]``, as bcc's tools have it."""
    parser.add_argument(
        "interval",
        type=seconds_between(0.01, 86400),
        nargs="?",
        default=default,
        help=f"seconds between two samples (default: {default:g})",
    )
    parser.add_argument(
        "count", type=partial(whole, what="samples"), nargs="?", help="how many samples (default: until Ctrl-C)"
    )


def add_source(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Whose pools; *more* says what else may be named."""
    parser.add_argument(
        "--from",
        dest="source",
        default=LIVE,
        metavar="SOURCE",
        help=f"live: this kernel, through the daemon where one runs (default); http://HOST:10817: a daemon{more}",
    )


def opening(args: argparse.Namespace) -> Opening:
    """What is asked of a kernel that has to be attached to first. UsageError where that is not what is read."""
    asked = Opening(level(args) if getattr(args, "level", None) else None, rung(args))
    if asked.is_particular and args.source != LIVE:
        raise UsageError("--level and --rung are for --from live: what others count is theirs to say")
    return asked


def level(args: argparse.Namespace) -> Level:
    """The level asked for, or the default."""
    return Level(args.level) if args.level else Level.STANDARD


def rung(args: argparse.Namespace) -> Rung | None:
    """The rung asked for; None: the best that attaches."""
    return Rung(args.rung) if args.rung else None
