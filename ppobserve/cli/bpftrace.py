"""``ppobserve bpftrace``: scripts for bpftrace with this kernel's symbols and offsets, for boxes without Python."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from ppobserve.cli import facts
from ppobserve.errors import NotObservable, UsageError
from ppobserve.kernel.features import gather
from ppobserve.model.bpftrace import filled, summary
from ppobserve.model.features import Features
from ppobserve.model.nearest import nearest
from ppobserve.probe.scripts import templates

WIDTH = 79


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which script, for which kernel."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the script to print (default: list them)")
    parser.add_argument("--facts", type=Path, metavar="FILE", help="for the kernel whose facts were saved there")


def run(args: argparse.Namespace) -> int:
    """Print one script, or what there is. UsageError for a name that is none, NotObservable for a kernel that can't."""
    scripts = templates()
    if args.name is not None and args.name not in scripts:
        near = nearest(args.name, scripts)
        raise UsageError(f"there is no script {args.name!r}", because=f"there are {', '.join(scripts)}", fix=near)
    features = facts.load(args.facts).features if args.facts else gather()
    print(filled(scripts[args.name], features) if args.name else _list(scripts, features), end="")
    return 0


def _list(scripts: Mapping[str, str], features: Features) -> str:
    return "".join(f"{line}\n" for name, template in scripts.items() for line in _entry(name, template, features))


def _entry(name: str, template: str, features: Features) -> Iterator[str]:
    """Name, what it shows, and, where it can't be used on this kernel, why not."""
    yield name
    yield _indented(summary(template))
    try:
        filled(template, features)
    except NotObservable as error:
        yield _indented(f"not on this kernel: {error.what}")


def _indented(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
