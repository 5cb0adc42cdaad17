"""``ppobserve serve``: the daemon."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import replace
from pathlib import Path

from ppobserve.cli import config, options
from ppobserve.export.server import Server
from ppobserve.model.config import Config, check_listen
from ppobserve.model.plan import Level, Rung
from ppobserve.source.live import Live


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options; each overrides the configuration file."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="YAML configuration (deploy/ppobserve.yaml explains it)"
    )
    parser.add_argument("--listen", metavar="ADDR:PORT", help=f"address to serve on (default: {Config.listen})")
    options.add_probe_options(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C, then detach everything."""
    chosen = _config(args)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    live = Live.start(chosen.level, chosen.rung)
    try:
        server = Server(chosen.address, live, chosen.cardinality, chosen.max_series)
        server.start()
        _announce(live, f"{chosen.address[0] or '*'}:{server.server_address[1]}")
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        server.stop()
    finally:
        live.close()
    _log("detached, bye")
    return 0


def _config(args: argparse.Namespace) -> Config:
    """The file's configuration with the command line's on top."""
    chosen = config.load(args.config) if args.config else Config()
    if args.listen is not None:
        chosen = replace(chosen, listen=check_listen(args.listen, "--listen"))
    if args.level:
        chosen = replace(chosen, level=Level(args.level))
    if args.rung:
        chosen = replace(chosen, rung=Rung(args.rung))
    return chosen


def _announce(live: Live, where: str) -> None:
    for line in live.log:
        _log(line)
    plan = live.plan
    _log(f"level {plan.level.value} by {plan.rung.value}: {', '.join(hook.symbol for hook in plan.hooks)}")
    _log(f"serving http://{where}/metrics, Ctrl-C to end")


def _log(line: str) -> None:
    """To standard error: the journal of the service."""
    print(f"ppobserve: {line}", file=sys.stderr, flush=True)
