"""bench/cost.py, shortened: the guest whose time is instructions, and what the programs add to a page there."""

from __future__ import annotations

from collections.abc import Callable

from tests.vm.conftest import BENCH
from vmtest.schedule import Guest, Schedule

MOST = 12.0
"""Instructions a page that level standard may add where each refill takes 64 from the ring."""


def test_a_page_through_the_ring_costs_what_the_page_on_overhead_says(
    guests: Schedule, require_run: Callable[[Guest], None]
) -> None:
    bench = guests.finished(BENCH)
    require_run(bench)
    assert bench.status == 0, bench.errors()
    printed = (bench.results / "printed").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines()]
    added = {row[0]: float(row[2]) for row in rows if row[0].endswith("fentry")}
    assert 0 < added["standard fentry"] <= MOST
    assert added["standard fentry"] < added["full fentry"]
