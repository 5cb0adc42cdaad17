"""What the demo prints fits a terminal of 80 columns, and says whether counters agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from demo import words
from demo.counters import Pair

MANY = 9_999_999


def agreeing(ours: int | None, kernel: int | None) -> Pair:
    return Pair('ppobserve_refill_misses_total{cause="ring_empty"}', ours, "recycle_ring_full", kernel)


@pytest.mark.parametrize(
    ("pair", "verdict"),
    [
        (agreeing(MANY, MANY), "equal"),
        (agreeing(MANY, MANY - 1), "differ"),
        (agreeing(0, 0), "equal"),
        (agreeing(0, 1), "differ"),
        (agreeing(None, 1), ""),
    ],
)
def test_a_line_says_whether_both_sides_agree(pair: Pair, verdict: str) -> None:
    line = words.comparison([pair], "ppv1").splitlines()[-1]
    assert [word for word in ("equal", "differ") if word in line] == ([verdict] if verdict else [])
    assert len(line) < 80


def test_a_page_that_changed_sides_is_explained() -> None:
    pair = replace(agreeing(640, 641), slack=2)
    text = words.comparison([pair], "ppv1")
    assert "differ" in text.splitlines()[1] and "A page or two" in text
    assert "A page or two" not in words.comparison([agreeing(640, 641)], "ppv1")


def test_a_kernel_without_counters_is_said() -> None:
    text = words.comparison([agreeing(MANY, None)], "ppv1")
    assert f"{MANY:,}" in text and "CONFIG_PAGE_POOL_STATS" in text
    assert "equal" not in text and "differ" not in text
    assert max(map(len, text.splitlines())) < 80


def test_the_matrix_has_a_row_for_each_node_of_pages() -> None:
    head, *rows = words.matrix({("0", "1"): 3402, ("1", "0"): 3391}).splitlines()
    assert head.split() == ["wanted", "on", "0", "wanted", "on", "1"]
    assert [row.split() for row in rows] == [["pages", "on", "0", "-", "3,402"], ["pages", "on", "1", "3,391", "-"]]


@pytest.mark.parametrize(
    ("lacks", "begins"),
    [
        (["refuses function hooks"], "This kernel refuses function hooks. The same on Debian's 7.3 "),
        (["a", "b"], "This kernel a and b. The same"),
        (["a", "b", "c"], "This kernel a, b and c. The same"),
    ],
)
def test_why_a_guest_is_next(lacks: list[str], begins: str) -> None:
    text = words.goes_on(lacks, "7.3").strip()
    assert text.replace("\n", " ").startswith(begins)
    assert max(map(len, text.splitlines())) < 80


def test_what_a_failed_program_said_is_kept_as_it_is() -> None:
    assert words.no_guest(["is old"], "no kernel:\nE: " + "x" * 100).splitlines() == [
        "No guest on this host: no kernel:",
        "E: " + "x" * 100,
        "This kernel is old, so not everything was shown.",
    ]


def test_the_daemons_words_are_broken_at_80_columns() -> None:
    text = words.attached(f"ppobserve: level standard by fentry: {', '.join(['page_pool_state_hold'] * 9)}\n")
    assert text.startswith("level standard by fentry")
    assert max(map(len, text.splitlines())) < 80


def test_a_sender_that_moves_is_said_with_its_nodes() -> None:
    assert words.sent(10**9, 2.0, {0: 0, 1: 1}) == (
        "1,000 MB in 2.0 s, 4.00 Gbit/s.\nThe sender moves between CPU 0 (node 0) and CPU 1 (node 1)."
    )
    assert words.sent(0, 0.0, {0: 0}) == "0 MB in 0.0 s, 0.00 Gbit/s."
