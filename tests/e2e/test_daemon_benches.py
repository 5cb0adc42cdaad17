"""The benches of what the daemon takes, shortened: they work, and what hangs on no clock is as claimed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ppobserve.kernel.bpf import program_ids
from tests.live.owned import left_since

TOP = Path(__file__).parent.parent.parent
TIMED = {"s", "ms", "% of a CPU", "x CPU"}
CLAIMS = {"scrape": 6, "memory": 4, "start": 3}


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("script", CLAIMS)
def test_a_shortened_bench_prints_its_claims(script: str, figure: Callable[..., None]) -> None:
    before = program_ids()
    claims = shortened(script)
    assert len(claims) == CLAIMS[script]
    assert {claim["script"] for claim in claims} == {f"bench/{script}.py"}
    for claim in claims:
        figure(claim["claim"], claim["value"], claim["unit"])
        assert claim["met"] or claim["unit"] in TIMED, claim
    assert not left_since(before), "what the bench attached"


def shortened(script: str) -> list[dict[str, Any]]:
    """Run a bench and return its claims."""
    command = [sys.executable, "-m", f"bench.{script}", "--short"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
