"""What the guest printed, as tables and claims."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import cost
from bench.configurations import NOTHING

COUNTS = {
    "allocs": {"cache": 630, "refill": 9, "slow": 1},
    "refill_batch_pages": {"count": 10, "sum": 576, "filled": 9},
    "slow_refills": {"": 1},
    "numa_mismatch_pages": {"0,1": 2, "1,0": 3},
    "pages_returned": {"ring_full": 7, "numa": 5},
}


@pytest.fixture
def found(tmp_path: Path) -> cost.Found:
    """320 units, two pages each, at 600 instructions a unit before, and 612 after, what standard adds 18 to."""
    lines = [
        {"machine": "somewhere"},
        {"configuration": NOTHING, "regime": "ring", "per_unit": 600.0, "seconds": 1},
        {"configuration": "standard fentry", "regime": "ring", "per_unit": 624.0, "seconds": 1},
        {"configuration": NOTHING, "regime": "ring", "per_unit": 612.0, "seconds": 1},
        {"regime": "ring", "units": 320, "counts": COUNTS},
    ]
    log = tmp_path / "log"
    log.write_text("Booting\n" + "".join(json.dumps(line) + "\n" for line in lines))
    return cost.parsed(log)


def test_costs_are_instructions_a_page(found: cost.Found) -> None:
    assert (found.machine, found.pages) == ("somewhere", {"ring": 2.0})
    assert found.without("ring") == 303
    assert found.added("standard fentry", "ring") == pytest.approx(9)
    assert found.percent("standard fentry", "ring") == pytest.approx(900 / 303)
    assert found.noise("ring") == pytest.approx(2)


def test_a_table_has_what_was_measured(found: cost.Found) -> None:
    assert list(cost.rows(found, "ring")) == [
        [NOTHING, "303.00", "", ""],
        ["standard fentry", "312.00", "+9.00", "+2.97"],
    ]


def test_a_regime_is_what_its_counts_say() -> None:
    assert cost.what_it_is(COUNTS) == (
        "In 640 pages: 10 refills, 64.0 pages in each that had any, 1 slow refills, 5 mismatches, "
        "7 pages that found the ring full; 98.4 % of allocations served by the cache."
    )
