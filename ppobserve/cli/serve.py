"""``ppobserve serve``: the daemon."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ppobserve.cli import config, options
from ppobserve.cli.service import Service
from ppobserve.export.server import Server
from ppobserve.kernel import capabilities, memory
from ppobserve.model.address import url
from ppobserve.model.config import Config, check_listen
from ppobserve.model.plan import Level, Plan, Rung
from ppobserve.source.budgeted import Budgeted
from ppobserve.source.live import Live

READING = ("BPF", "SYS_ADMIN", "SYS_PTRACE")
"""Capabilities that stay after attaching: the first to run programs on demand where unprivileged BPF is off, the second
to have the kernel measure programs, it and the third to look into every network namespace for idle pools."""
ATTACHING = (*READING, "PERFMON", "SYSLOG", "SYS_RESOURCE")
"""Those that stay where another level may have to be attached later: the daemon has a budget to keep."""
SIGNALS = {signal.SIGTERM, signal.SIGINT}
BEAT, FIRST_BEAT = 15.0, 1.0
"""Seconds between two looks at our own health. Where nobody scrapes, a look reads, and the page's last hour goes on."""


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
    service = Service.of(os.environ, os.getpid(), _log)
    memory.share_one_heap()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    live = Live.start(chosen.level, chosen.rung)
    source = Budgeted(live, lambda level: Live.start(level, chosen.rung), chosen.budget, _log)
    try:
        server = Server(chosen.address, source, chosen.cardinality, chosen.max_series)
        _give_up(chosen)
        server.start()
        source.watch()
        where = url(chosen.address[0], server.server_port)
        _announce(live, where)
        _serve(server, service, lambda: f"serving {where}, {_how(source.plan)}")
        service.stopping()
        server.stop()
    finally:
        source.close()
    _log("detached, bye")
    return 0


def _serve(server: Server, service: Service, status: Callable[[], str]) -> None:
    """Check the health until a signal comes, and report it to systemd: ready after the first good read, alive as long
    as reads work and hooks are attached. systemd restarts the daemon otherwise."""
    ready, told = False, ""
    beat = min(BEAT, service.watchdog / 2) if service.watchdog else BEAT
    while True:
        trouble = "; ".join(server.health.problems())
        if trouble:
            service.ailing(trouble)
        elif ready:
            service.alive(status())
        else:
            service.ready(status())
        if trouble != told:
            _log(trouble or "all is well again")
        ready, told = ready or not trouble, trouble
        if signal.sigtimedwait(SIGNALS, beat if ready else FIRST_BEAT):
            return


def _give_up(chosen: Config) -> None:
    """What attaching took and what comes does not."""
    capabilities.keep(READING if chosen.budget is None else ATTACHING)


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
    _log(f"{_how(plan)}: {', '.join(hook.symbol for hook in plan.hooks)}")
    _log(f"serving {where}/metrics, Ctrl-C to end")


def _how(plan: Plan) -> str:
    return f"level {plan.level.value} by {plan.rung.value}"


def _log(line: str) -> None:
    """To standard error: the journal of the service."""
    print(f"ppobserve: {line}", file=sys.stderr, flush=True)
