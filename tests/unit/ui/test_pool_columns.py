"""Columns: named on the command line, and as many as fit on a screen of any width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.errors import UsageError
from ppobserve.model.plan import Level, Rung
from ppobserve.model.rates import Row
from ppobserve.model.snapshot import Pool, State
from ppobserve.ui.history import History
from ppobserve.ui.lines import column_at, heading, row_line
from ppobserve.ui.paint import Tone, width
from ppobserve.ui.pool_columns import BY_KEY, COLUMNS, LEAST_TREND, WISHES, Place, absent, columns, fit
from ppobserve.ui.view import View
from tests.unit.factories import plan


def taken(places: tuple[Place, ...]) -> int:
    return sum(place.width + 1 + (place.trend + 1 if place.trend else 0) for place in places) - 1


def keys(places: tuple[Place, ...]) -> list[str]:
    return [place.column.key for place in places]


@given(st.integers(1, 400), st.sampled_from(Level), st.sampled_from(Rung), st.frozensets(st.sampled_from(list(BY_KEY))))
def test_whatever_the_width_they_fit(room: int, level: Level, rung: Rung, missing: frozenset[str]) -> None:
    places = fit(plan(level, rung), room, absent=missing)
    assert places, "at least one column, however narrow"
    assert taken(places) <= max(room, 10)


def test_80_cells_have_what_one_looks_for_and_its_trends() -> None:
    places = fit(plan(), 78)
    assert keys(places) == ["pool", "netdev", "refills", "batch", "mismatches", "slow", "inflight"]
    assert [place.column.key for place in places if place.trend] == ["refills", "mismatches"]
    assert all(place.trend >= LEAST_TREND for place in places if place.trend)


def test_20_cells_have_the_mismatches() -> None:
    assert keys(fit(plan(), 18)) == ["netdev", "mismatches"]


def test_200_cells_have_everything_and_wide_trends() -> None:
    places = fit(plan(), 250)
    assert set(keys(places)) == {wish.rstrip("~") for wish in WISHES}
    assert [place.column.key for place in places if place.trend] == ["refills", "mismatches", "slow"]


def test_what_the_plan_does_not_count_takes_no_room() -> None:
    assert not {"refills", "batch", "misses"} & set(keys(fit(plan(rung=Rung.TRACEPOINT), 250)))


def test_chosen_columns_keep_their_order() -> None:
    assert keys(fit(plan(rung=Rung.TRACEPOINT), 250, columns("ring,refills,pool"))) == ["ring", "refills", "pool"]


def test_a_column_of_which_no_row_has_anything_to_say_takes_no_room() -> None:
    assert absent([row(node=0), row(remote=5)]) == {"driver", "napi", "queue", "cpu"}
    assert absent([row(pool=Pool("7", napi=1, driver="veth", queue=0, consumer_cpu=0))]) == {"node", "remote"}
    assert not {"node", "remote"} & set(keys(fit(plan(), 250, absent={"node", "remote"})))
    assert "node" in keys(fit(plan(), 250, columns("pool,node"), {"node"})), "but for who asks for it"


def test_a_column_that_there_is_not_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="--columns: there is no column 'netdv'\n  try: netdev"):
        columns("pool,netdv")
    with pytest.raises(UsageError, match="one of pool, netdev"):
        columns("pool,")


def row(**changes: object) -> Row:
    values = {"pool": Pool("23", "eth0"), "refills": 15_700.0, "pages_per_batch": 61.25, "mismatches": 0.0,
              "slow": None, "returned": 3.5, "inflight": -7} | changes  # fmt: skip
    return Row(**values)  # type: ignore[arg-type]


def shown(key: str, **changes: object) -> str:
    return BY_KEY[key].shown(row(**changes))


def test_what_a_row_has_in_each_column() -> None:
    assert shown("pool") == "23"
    assert shown("pool", pool=Pool("7", state=State.DETACHED)) == "7!"
    assert (shown("pool", members=(("1",),)), shown("pool", members=(("1",), ("2",)))) == ("1 pool", "2 pools")
    assert (shown("refills"), shown("slow"), shown("inflight"), shown("node"), shown("netdev", pool=Pool("7"))) == (
        "15.7k", "-", "-7", "-", "-",
    )  # fmt: skip
    assert (shown("node", node=0), shown("netns", pool=Pool("7", netns=4026531840))) == ("0", "4026531840")


def test_every_column_has_words_for_the_help() -> None:
    assert all(column.about and column.title for column in COLUMNS)
    assert len(BY_KEY) == len(COLUMNS)


@pytest.mark.parametrize("room", [18, 78, 140, 250])
def test_titles_stand_over_their_numbers(room: int) -> None:
    places, history = fit(plan(), room), History()
    titles = "".join(text for text, _ in heading(places, View()))
    numbers = "".join(text for text, _ in row_line(row(), places, history))
    assert len(titles) == len(numbers) == taken(places) + 1
    for place in places:
        if not place.column.left:
            end = titles.index(place.column.title) + len(place.column.title)
            assert numbers[:end].split()[-1] == place.column.shown(row()), place.column.key
    assert width(heading(places, View())) == len(titles)


def test_a_click_on_a_heading_finds_its_column() -> None:
    places = fit(plan(), 78)
    titles = "".join(text for text, _ in heading(places, View()))
    for place in places:
        found = column_at(places, titles.index(place.column.title))
        assert found and found.key == place.column.key
    assert column_at(places, 400) is None


def tones(**changes: object) -> dict[str, Tone]:
    places = fit(plan(), 250)
    line = row_line(row(**changes), places, History())
    spans = [span for span in line if span[0] != " "]
    own = [span for place in places for span in [place, *[None] * bool(place.trend)]]
    return {place.column.key: tone for place, (_, tone) in zip(own, spans, strict=True) if place}


def test_only_what_crosses_nodes_is_far() -> None:
    assert [key for key, tone in tones(mismatches=3.0, remote=5, slow=7.0).items() if tone is Tone.FAR] == [
        "mismatches", "remote",
    ]  # fmt: skip
    assert Tone.FAR not in tones(mismatches=0.0, remote=0, slow=7.0, misses=9.0).values()


def test_zeros_step_back_but_not_where_they_are_names() -> None:
    found = tones(node=0, slow=0.0)
    assert (found["node"], found["slow"], found["returned"]) == (Tone.PLAIN, Tone.DIM, Tone.PLAIN)


def test_the_heading_marks_what_sorts() -> None:
    places = fit(plan(), 78)
    assert "SLOW/s▾" in "".join(text for text, _ in heading(places, View("slow")))
    assert "SLOW/s▴" in "".join(text for text, _ in heading(places, View("slow", reverse=True)))
    assert not {"▾", "▴"} & set("".join(text for text, _ in heading(places, View())))
