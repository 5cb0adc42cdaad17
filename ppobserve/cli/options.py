"""Options that several commands share."""

from __future__ import annotations

import argparse

from ppobserve.model.plan import Level, Rung


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


def level(args: argparse.Namespace) -> Level:
    """The level asked for, or the default."""
    return Level(args.level) if args.level else Level.STANDARD


def rung(args: argparse.Namespace) -> Rung | None:
    """The rung asked for; None: the best that attaches."""
    return Rung(args.rung) if args.rung else None
