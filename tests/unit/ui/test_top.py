"""The table of pools: under 80 columns whatever is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.model.features import REFILL, SLOW
from ppobserve.model.plan import Level, Rung, make_plan
from ppobserve.model.rates import Row
from ppobserve.model.snapshot import Pool, State
from ppobserve.ui.top import footnotes, header, headings, table
from tests.unit.factories import kernel, plan

rates = st.none() | st.floats(0, 2.0**64 / 0.01)
rows = st.builds(
    Row,
    st.builds(Pool, st.text(max_size=30), st.text(max_size=15), state=st.sampled_from(State)),
    rates,
    st.none() | st.floats(0, 64),
    rates,
    rates,
    rates,
    st.none() | st.integers(-(2**31), 2**31),
)


@given(st.lists(rows, min_size=1, max_size=5))
def test_the_table_stays_under_80_columns(shown: list[Row]) -> None:
    lines = table(shown).split("\n")
    assert len(lines) == len(shown)
    assert max(map(len, lines)) < 80


@pytest.mark.parametrize("rung", Rung)
@pytest.mark.parametrize("level", Level)
def test_heading_and_footnotes_stay_under_80_columns(rung: Rung, level: Level) -> None:
    chosen = plan(level, rung)
    detached = Row(Pool("7", state=State.DETACHED), None, None, None, None, None, None)
    for line in (*header(chosen).split("\n"), *footnotes(chosen, [detached]).split("\n")):
        assert len(line) < 80


def row(state: State = State.LIVE) -> Row:
    return Row(Pool("23", "eth0", state=state), 15_700.0, 61.25, 0.0, None, 3.5, -7)


def test_numbers_stand_under_their_headings() -> None:
    """Numbers are aligned to the right, names to the left."""
    line, columns = table([row()]), headings()
    for title, text in {"REFILL/s": "15.7k", "PG/BATCH": "61.2", "MISM/s": "0", "SLOW/s": "-", "RETURN/s": "3.5",
                        "INFLIGHT": "-7"}.items():  # fmt: skip
        end = columns.index(title) + len(title)
        assert line[:end].split()[-1] == text, title
    assert line.startswith("23 ") and line[columns.index("NETDEV") :].startswith("eth0 ")


def test_a_detached_pool_is_marked_and_the_mark_explained() -> None:
    assert table([row(State.DETACHED)]).startswith("23! ")
    assert footnotes(plan(), [row(State.DETACHED)]).startswith("!: destroyed by its driver")
    assert footnotes(plan(), [row()]) == ""


def test_dashes_are_explained_where_the_plan_has_them() -> None:
    assert footnotes(plan(rung=Rung.TRACEPOINT), []).startswith("-: refill batches and misses")


@pytest.mark.parametrize("level", Level)
def test_what_no_column_lacks_is_not_explained(level: Level) -> None:
    """``check`` tells which reasons of a return a plan does not tell apart; the column adds them up."""
    chosen = make_plan(kernel(functions={REFILL: 1, SLOW[0]: 2}), level)
    assert chosen.unavailable
    assert footnotes(chosen, [row()]) == ""


def test_a_quiet_host_gets_a_sentence() -> None:
    assert table([]) == "no pool was used in this time"


def test_the_header_says_what_is_counted_and_how() -> None:
    assert header(plan(Level.LEAN, Rung.KPROBE)).startswith("ppobserve: level lean, by kprobe\nPOOL ")
