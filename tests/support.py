"""What we count on which kernel, as test runs found it: docs/support/*.json, and the page made of them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ppobserve.model.metrics import POOL_METRICS, TABLE
from ppobserve.probe.abi import RETURNS
from tests import support_userspaces

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "support_matrix.md"
MARKS = {"yes": "yes", "counted": "(yes)"}
NOT_ASKED = "no run has looked at this yet"
LATE_LABELS = ("pool", "napi", "queue")
"""Labels of ``pool_info`` that old kernels cannot fill."""


def of_reason(reason: str) -> str:
    """The name of a row: returns for one reason."""
    return f'pages_returned{{reason="{reason}"}}'


def of_label(label: str) -> str:
    """The name of a row: what the kernel says of a pool itself."""
    return f"pool_info{{{label}}}"


ROWS = (
    *(metric.name for metric in POOL_METRICS),
    *map(of_reason, RETURNS),
    "pool_detached_seconds",
    *map(of_label, LATE_LABELS),
    "audit_divergence",
)
"""What a rung may count, by metric, and by label where that makes a difference."""

HEAD = """# What is counted where

Written by `make test`: each kernel's live tests say what they saw, in `docs/support`, and this page is made of that.
Guests take Debian's kernels by role (`vmtest/kernels.py`), so the versions move.

* **yes**: counted at level full, and seen to move in the tests' traffic
* **(yes)**: counted; nothing in that traffic makes it happen
* **-**: not counted there, for the reason in the notes

A label of `pool_info` is "yes" where the kernel was seen to fill it in, `audit_divergence` where the kernel's own
counters were compared with ours and none was apart.

Stock Debian kernels in emulated guests of two NUMA nodes, but for 6.18: a machine of one node whose kernel refuses
function hooks. That the counts are right is another matter, of `tests/live/test_counts.py` and `test_frames.py`: on 7.3
they equal the kernel's own, on 6.1 and 6.12 the pools' own counters and the frames that were sent, and rungs that watch
the same traffic each other.
"""

BEFORE = """
## Before 5.10

5.4 and 5.5 have the refill inside `page_pool_alloc_pages`. Level full has a plan for them, which is tested on facts put
together from their source (`tests/data/facts`) and, with the refill function hidden from it, against the counters of a
7.3 kernel. No such kernel was run: mapped arrays came with 5.5, and programs that sample a pool on demand with 5.10.
"""


def write(found: Mapping[str, Any]) -> list[str]:
    """Keep what was found, and the page. Return what of it is wrong, a sentence each.

    On a version that ran before, every difference is: the tree has changed. On one that did not, only what is no longer
    counted: what a newer kernel lets us count besides is kept.
    """
    series, kernel = series_of(found["kernel"]), found["kernel"]
    known = {path.stem: json.loads(path.read_text()) for path in _files()}
    before = known.get(series) or _newest_below(series, known)
    rungs = before["rungs"] if before else {}
    seen_here = known.get(series, {"rungs": {}})["rungs"]
    kept = {rung: {**cell, "metrics": _seen(cell, seen_here.get(rung))} for rung, cell in found["rungs"].items()}
    _keep(series, {"kernel": kernel, "rungs": kept})
    if before and before["kernel"] == kernel and _claims(kept) != _claims(rungs):
        return [f"what is counted on {kernel} has changed: git diff docs/support/{series}.json"]
    return [f"{kernel}: {lost}, which {before['kernel']} has" for lost in _lost(rungs, kept)] if before else []


def series_of(kernel: str) -> str:
    """6.12 of "Debian 6.12.117-1"."""
    found = re.search(r"\d+\.\d+", kernel)
    assert found, kernel
    return found.group()


def _files() -> list[Path]:
    return sorted((DOCS / "support").glob("*.json"), key=lambda path: _number(path.stem))


def _newest_below(series: str, known: Mapping[str, Any]) -> Any:
    below = [each for each in known if _number(each) < _number(series)]
    return known[max(below, key=_number)] if below else None


def _keep(series: str, found: Mapping[str, Any]) -> None:
    path = DOCS / "support" / f"{series}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n")
    write_page()


def _lost(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What was counted before and is not now."""
    for rung, (refused, metrics) in _claims(before).items():
        still_refused, still = _claims(now)[rung]
        if still_refused and not refused:
            yield f"no rung {rung} ({still_refused})"
        elif not refused:
            gone = [name for name, mark in metrics.items() if mark == "counted" and still.get(name) != mark]
            yield from (f"no {name} by {rung} ({still.get(name, NOT_ASKED)})" for name in gone)


def _seen(cell: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, str]:
    """What moved once is known to: how much of it happens in one run is a matter of timing."""
    known = before["metrics"] if before else {}
    return {
        name: "yes" if (mark, known.get(name)) == ("counted", "yes") else mark for name, mark in cell["metrics"].items()
    }


def _claims(found: Mapping[str, Any]) -> dict[str, Any]:
    """What is counted and what is not, and why."""
    return {
        rung: (cell["refused"], {name: "counted" if mark in MARKS else mark for name, mark in cell["metrics"].items()})
        for rung, cell in found.items()
    }


def write_page() -> None:
    """Write the page from what is in docs."""
    PAGE.write_text(page())


def page() -> str:
    """The whole page, from what is in docs."""
    kernels = {path.stem: json.loads(path.read_text()) for path in _files()}
    columns = [(series, rung, cell) for series, found in kernels.items() for rung, cell in found["rungs"].items()]
    notes: dict[str, int] = {}
    rows = [_row(_full(name), [_mark(cell, name, notes) for *_, cell in columns]) for name in ROWS]
    heads = [_row("", [f"{series}<br>{rung}" for series, rung, _ in columns]), _row("---", ["---"] * len(columns))]
    reasons = [f"{number}. {reason}" for reason, number in notes.items()]
    ran = ["| series | kernel that ran last |", "| --- | --- |"]
    ran += [f"| {series} | {found['kernel']} |" for series, found in kernels.items()]
    return "\n".join([HEAD, *ran, "", *heads, *rows, "", *reasons, BEFORE, support_userspaces.table()])


def rungs_of(kernel: str) -> str:
    """The rungs that a kernel of this series did not refuse when it ran."""
    return _rungs(DOCS / "support" / f"{series_of(kernel)}.json")


def rungs_of_newest() -> str:
    """The rungs that the newest kernel which ran does not refuse."""
    return _rungs(_files()[-1])


def _rungs(path: Path) -> str:
    cells = json.loads(path.read_text())["rungs"]
    return ", ".join(rung for rung, cell in cells.items() if not cell["refused"])


def _full(row: str) -> str:
    """As it appears in an exposition."""
    name, brace, labels = row.partition("{")
    return TABLE[name].full_name + brace + labels


def _number(series: str) -> list[int]:
    return [int(part) for part in series.split(".")]


def _row(head: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([head if head in ('', '---') else f'`{head}`', *cells])} |"


def _mark(cell: Mapping[str, Any], metric: str, notes: dict[str, int]) -> str:
    """A cell: yes, or a dash with the number of the note that says why not."""
    if mark := MARKS.get(cell["metrics"].get(metric, "")):
        return mark
    reason = cell["refused"] or cell["metrics"].get(metric, NOT_ASKED)
    return f"-<sup>{notes.setdefault(reason, len(notes) + 1)}</sup>"


if __name__ == "__main__":  # for a kernel that no guest runs: python -m tests.support FOUND.json
    sys.exit("\n".join(write(json.loads(Path(sys.argv[1]).read_text()))) or 0)
