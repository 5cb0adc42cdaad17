"""What ran on which user space, as test runs found it: docs/userspaces.json, and a table of docs/support_matrix.md."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

DOCS = Path(__file__).parent.parent / "docs"
RUNG = re.compile(r"\[(fentry|kprobe|tracepoint)\b")
COLUMNS = {
    "python": "Python",
    "bcc": "BCC",
    "unit": "`tests/unit`",
    "host": "rungs on the host's kernel",
    "newest": "rungs in a guest, kernel `newest`",
}
HEAD = """## User spaces

Written by `make userspaces`. A rung is listed if its hooks attached, the pools' and the kernel's own counters were the
same as ppobserve's at level full, and `check`, `top`, `record` and `report` did well at level standard.
"""
Cells = Mapping[str, str]


def note(name: str, **cells: str) -> None:
    """Keep what was found of a user space, by column."""
    rows = _rows()
    rows[name] = {**rows.get(name, {}), **cells}
    path = DOCS / "userspaces.json"
    half = path.with_suffix(f".{os.getpid()}")
    half.write_text(json.dumps(dict(sorted(rows.items(), key=_place)), indent=2) + "\n")
    half.replace(path)


def _rows() -> dict[str, dict[str, str]]:
    path = DOCS / "userspaces.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _place(row: tuple[str, Cells]) -> tuple[list[int], str]:
    """Rows are in the order of their Python."""
    name, cells = row
    return [int(number) for number in cells.get("python", "0").split(".")], name


def table() -> str:
    """The section of the page."""
    heads = ["user space", *COLUMNS.values()]
    rows = [[name, *(cells.get(column, "-") for column in COLUMNS)] for name, cells in _rows().items()]
    return "\n".join([HEAD, *(f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)), ""])


def rungs(junit: Path) -> str:
    """The rungs that tests with a rung in their name passed with, if none failed."""
    outcomes = list(_outcomes(junit))
    wrong = {rung for rung, outcome in outcomes if outcome in ("failure", "error")}
    return ", ".join(sorted({rung for rung, outcome in outcomes if outcome == "passed"} - wrong))


def _outcomes(junit: Path) -> Iterator[tuple[str, str]]:
    """(rung, outcome) of each test of one rung."""
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        if found := RUNG.search(case.get("name", "")):
            yield found[1], next((what.tag for what in case if what.tag in ("failure", "error", "skipped")), "passed")
