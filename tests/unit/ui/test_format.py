"""Numbers in at most six characters, and texts in their column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.ui.format import clip, short

VALUES = {"": 1e0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
MOST = 2.0**64 / 0.01
"""A counter's whole range in the shortest interval."""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0, "0"),
        (0.25, "0.25"),
        (12.5, "12.5"),
        (64, "64"),
        (99.96, "100"),
        (100, "100"),
        (999.96, "1000"),
        (9999, "9999"),
        (9999.6, "10000"),
        (15_700, "15.7k"),
        (999_999, "1000k"),
        (1_250_000, "1.25M"),
        (3_000_000_000, "3G"),
        (-3, "-3"),
        (-2_147_483_648, "-2.15G"),
        (MOST, "1845E"),
    ],
)
def test_short(value: float | None, text: str) -> None:
    assert short(value) == text


@given(st.floats(0, MOST) | st.integers(-(2**31), 2**64))
def test_short_is_short_and_within_a_half_percent(value: float) -> None:
    text = short(value)
    assert len(text) <= 6
    unit = text[-1] if text[-1].isalpha() else ""
    assert float(text.removesuffix(unit)) * VALUES[unit] == pytest.approx(value, rel=0.006, abs=0.006)


@given(st.text(), st.integers(1, 79))
def test_clip_never_widens_and_says_when_it_cut(text: str, width: int) -> None:
    clipped = clip(text, width)
    assert len(clipped) <= width
    assert len(clipped) == len(text) if len(text) <= width else clipped.endswith("…")


@given(st.text())
def test_a_device_s_name_gives_no_orders_to_the_terminal(name: str) -> None:
    assert clip(f"\x1b[2J{name}", 99).isprintable()
