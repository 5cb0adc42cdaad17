"""What a bench script prints: Markdown, and a line of JSON a claim."""

from __future__ import annotations

import json

import pytest

from bench.claims import claim, table, this_machine


@pytest.mark.parametrize(
    ("value", "at_most", "at_least", "target", "met"),
    [
        (0.5, 0.5, None, "<= 0.5", True),
        (0.5004, 0.5, None, "<= 0.5", False),
        (3, None, 3, ">= 3", True),
        (2.99, None, 3, ">= 3", False),
        (7, 8, 6, "<= 8, >= 6", True),
        (7, None, None, "", True),
    ],
)
def test_a_claim_is_a_line_that_says_whether_it_holds(
    capsys: pytest.CaptureFixture[str],
    value: float,
    at_most: float | None,
    at_least: float | None,
    target: str,
    met: bool,
) -> None:
    claim("RSS", value, "MiB", script="/anywhere/bench/memory.py", at_most=at_most, at_least=at_least)
    line = json.loads(capsys.readouterr().out)
    assert line == {
        "claim": "RSS",
        "value": pytest.approx(value),
        "unit": "MiB",
        "target": target,
        "met": met,
        "script": "bench/memory.py",
    }


def test_a_claim_is_judged_before_it_is_rounded(capsys: pytest.CaptureFixture[str]) -> None:
    assert not claim("ratio", 0.250001, "", script="x", at_most=0.25).met
    assert json.loads(capsys.readouterr().out)["value"] == 0.25


def test_a_table_is_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    table(["pools", "MiB"], [(64, "27.6"), (512, "41.3")])
    assert capsys.readouterr().out == "| pools | MiB |\n|---|---|\n| 64 | 27.6 |\n| 512 | 41.3 |\n\n"


def test_a_machine_is_its_cpu_kernel_and_mitigations() -> None:
    words = this_machine()
    assert "Linux" in words and "mitigations: " in words and words.endswith(".")
    assert "Not affected," not in words
