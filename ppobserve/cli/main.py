"""The command line: parses, runs one command, turns an error into sentences and an exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Container, Sequence
from importlib import import_module

from ppobserve import __version__
from ppobserve.cli import streams
from ppobserve.cli.parser import Parser
from ppobserve.errors import PpobserveError

COMMANDS = {
    "serve": "the daemon: Prometheus metrics over HTTP",
    "top": "what every pool does, once or every few seconds",
    "trace": "a line an event: mismatches, slow refills, returns, pools' lives",
    "pools": "every pool there is: its owner, its nodes, its ring, its state",
    "record": "keep what every pool does in a file, for later or elsewhere",
    "report": "a recording as one web page: plots and a verdict",
    "check": "what can be observed on this kernel, how, and at which cost",
    "bpftrace": "bpftrace scripts for this kernel, for hosts without Python",
    "fleet": "the worst of many hosts and their pools, from Prometheus",
    "lab": "traffic that exercises a real page_pool on any machine",
}

EXAMPLES = """examples:
  sudo ppobserve check     # what this kernel lets ppobserve count
  sudo ppobserve top       # every pool on a screen, q to end
  sudo ppobserve serve     # then: curl http://127.0.0.1:10817/metrics
"""


def parser(known: Container[str] = COMMANDS) -> Parser:
    """The parser of all commands; those that are not *known* are listed, but have no arguments.

    Importing a command brings all that it needs: a tenth of a second for what another one needs.
    """
    top = Parser(
        prog="ppobserve",
        description="Observe the kernel's page_pool, the recycler of network receive buffers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,  # the examples' lines stay
    )
    top.add_argument("--version", action="version", version=f"ppobserve {__version__}")
    commands = top.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name in known:
            module = import_module(f"ppobserve.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 this host refuses, 2 the command line or configuration is wrong."""
    streams.prepare()
    words = sys.argv[1:] if argv is None else argv
    try:
        with streams.flushed():
            args = parser(words[:1]).parse_args(words)
            return int(args.run(args))
    except PpobserveError as error:
        print(f"ppobserve: {error}", file=sys.stderr)
        return error.exit_status
    except streams.ReaderGone:  # `| head` has seen enough
        return 0
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
