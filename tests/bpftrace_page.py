"""Which bpftrace runs our scripts on which kernel, as test runs found it: docs/bpftrace.json, and a table of that."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
FOUND, PAGE = DOCS / "bpftrace.json", DOCS / "bpftrace.md"
BEGIN, END = "<!-- made by tests/bpftrace_page.py -->\n", "<!-- end -->\n"
SCRIPTS = ("page_pool_refill", "page_pool_numa", "page_pool_returns", "page_pool_inflight")

Compared = Mapping[str, Mapping[str, str]]
"""{version of bpftrace: {script: the traffic it was compared on; empty: it ran, without any; or why it was refused}}"""


def write(kernel: str, compared: Compared, *, found: Path = FOUND, page: Path = PAGE) -> bool:
    """Keep what was found on a kernel, and the table. Was it there already?"""
    before = [path.read_text() for path in (found, page)]
    known = json.loads(before[0])
    for version, scripts in compared.items():
        known.setdefault(version, {})[kernel] = dict(scripts)
    ordered = {v: {k: known[v][k] for k in sorted(known[v], key=_number)} for v in sorted(known, key=_number)}
    found.write_text(json.dumps(ordered, indent=2) + "\n")
    page.write_text(with_table(before[1], ordered))
    return before == [path.read_text() for path in (found, page)]


def knows(kernel: str, compared: Compared, *, found: Path = FOUND) -> bool:
    """True if an earlier run has compared all of that on a kernel of that series."""
    return all(kernel in json.loads(found.read_text()).get(version, {}) for version in compared)


def with_table(page: str, found: Mapping[str, Compared]) -> str:
    """The page, with this table in place of the one that it has."""
    above, _, rest = page.partition(BEGIN)
    return f"{above}{BEGIN}{table(found)}{END}{rest.partition(END)[2]}"


def table(found: Mapping[str, Compared]) -> str:
    """A row for each pair of bpftrace and kernel."""
    heads = ["bpftrace", "kernel", *(f"`{name}`" for name in SCRIPTS)]
    rows = [
        [version, kernel, *(_cell(scripts[name]) for name in SCRIPTS)]
        for version, kernels in found.items()
        for kernel, scripts in kernels.items()
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in [heads, ["---"] * len(heads), *rows])


def _cell(outcome: str) -> str:
    if outcome.startswith(("live frames", "veth")):
        return f"equal ({outcome})"
    return outcome or "runs"


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


if __name__ == "__main__":  # for a kernel or bpftrace that no guest runs: python -m tests.bpftrace_page 6.18 FOUND.json
    write(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))
