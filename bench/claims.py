"""How a bench script says what it measured: Markdown for docs/overhead.md, and one JSON line a claim.

A script prints its section with the functions here, claims last, and nothing else on standard output:

    .venv/bin/python -m bench.memory --short

``bench/run.py`` (`make bench`) runs all of them, writes the sections into docs/overhead.md and the claims to
build/bench.jsonl. ``--short`` is what `make test` runs: every step, too few events for a number to quote.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
VULNERABILITIES = Path("/sys/devices/system/cpu/vulnerabilities")


@dataclass(frozen=True)
class Claim:
    """One number that we are held to."""

    claim: str
    value: float
    unit: str
    target: str
    """``<= 32``, or empty for a number that nobody promised."""
    met: bool
    script: str

    def line(self) -> str:
        """The claim as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


def claim(
    text: str, value: float, unit: str, *, script: str, at_most: float | None = None, at_least: float | None = None
) -> Claim:
    """Print a claim as a line of JSON. *script* is the script's ``__file__``; values are kept to four digits."""
    held = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
    bounds = [f"<= {at_most:g}"] if at_most is not None else []
    bounds += [f">= {at_least:g}"] if at_least is not None else []
    made = Claim(text, float(f"{value:.4g}"), unit, ", ".join(bounds), held, f"bench/{Path(script).name}")
    print(made.line(), flush=True)
    return made


def options(description: str) -> argparse.Namespace:
    """The command line that every bench script has: ``.short``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--short", action="store_true", help="few events: shows that the script works, not a number")
    return parser.parse_args()


def heading(title: str, machine: str | None = None) -> None:
    """Begin a section; *machine* is where it was measured, this one when left out."""
    print(f"\n## {title}\n\n{machine or this_machine()}\n", flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A Markdown table. Numbers are written as they are given: format them first."""
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    print(flush=True)


def this_machine() -> str:
    """CPU, kernel, mitigations and date, as one line."""
    cpus = len(os.sched_getaffinity(0))
    where = f"{_cpu_model()}, {cpus} CPU{'s' if cpus > 1 else ''}, Linux {platform.release()}"
    return f"Measured on {time.strftime('%Y-%m-%d')}: {where}; mitigations: {'; '.join(_mitigations()) or 'none'}."


def _cpu_model(path: Path = CPUINFO) -> str:
    models = (line.split(":", 1)[1].strip() for line in path.read_text().splitlines() if line.startswith("model name"))
    return next(models, platform.machine())


def _mitigations(folder: Path = VULNERABILITIES) -> list[str]:
    """What is done against each weakness that this CPU has, as the kernel says it."""
    found = {each.name: each.read_text().strip() for each in sorted(folder.glob("*"))}
    return [f"{name}: {state.removeprefix('Mitigation: ')}" for name, state in found.items() if state != "Not affected"]
