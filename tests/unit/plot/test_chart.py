"""Charts: well-formed, said in words, red for nothing but traffic between nodes, and drawn where the values are."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.plot.axis import value_axis
from ppobserve.plot.chart import FAR, HEIGHT, WIDTH, Series, areas, bars, lines, matrix
from ppobserve.plot.svg import STYLE, STYLES, standalone

NASTY = '<script>alert("1")</script>&\'"'
CHARTS = {
    "lines": lines(NASTY, [0, 1, 2], [Series(NASTY, [1, None, 3]), Series("far", [2, 2, 2], FAR)], unit=NASTY),
    "areas": areas(NASTY, [0, 1, 2], [Series(NASTY, [1, None, 3]), Series("far", [2, 2, 2], FAR)], unit=NASTY),
    "bars": bars(NASTY, [(NASTY, 7), ("none", 0)], unit=NASTY),
    "matrix": matrix(NASTY, NASTY, NASTY, {("0", "1"): 5, ("1", "1"): 3, (NASTY, "0"): 0}, unit=NASTY),
}


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def words(svg: str) -> list[str]:
    return [each.text or "" for each in parsed(svg).iter("text")]


def looks(svg: str, look: str) -> list[ElementTree.Element]:
    return [each for each in parsed(svg).iter() if look in each.get("class", "").split()]


def points(path: ElementTree.Element) -> list[tuple[float, float]]:
    return [
        (float(x), float(y))
        for x, y in re.findall(r"[ML]?([-\d.]+)[ ,]([-\d.]+)", path.get("d") or path.get("points") or "")
    ]


@pytest.mark.parametrize("svg", CHARTS.values(), ids=CHARTS)
def test_what_names_hold_is_text_and_nothing_else(svg: str) -> None:
    root = parsed(svg)
    assert {each.tag for each in root.iter()} <= {"svg", "title", "desc", "text", "path", "rect", "polygon"}
    assert (root[0].tag, root[0].text) == ("title", NASTY)
    assert root.get("role") == "img"
    assert NASTY in words(svg)


@pytest.mark.parametrize("svg", CHARTS.values(), ids=CHARTS)
def test_a_file_of_its_own_is_svg_with_its_style_and_fetches_nothing(svg: str) -> None:
    alone = standalone(svg)
    assert parsed(alone).tag == "{http://www.w3.org/2000/svg}svg"
    assert STYLE in alone
    assert re.findall(r"https?://[^\"]*", alone) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in alone and "@import" not in alone


def test_the_description_tells_the_values() -> None:
    chart = lines("Refills", [0, 1, 2], [Series("eth0", [1, 50_000, 3]), Series("eth1", [None] * 3)], unit="a second")
    assert parsed(chart)[1].text == "eth0: 1 to 50k, 3 at the end; eth1: not counted (a second)"
    assert parsed(CHARTS["bars"])[1].text == f"{NASTY}: 7, none: 0"


def test_a_gap_is_not_drawn_over_and_a_lone_value_is_a_dot() -> None:
    (line,) = looks(lines("a", range(6), [Series("s", [1, 2, None, 3, None, 4])]), "pp-line")[1:]
    assert re.sub(r"[-\d. ]+", "", line.get("d", "").replace("h0", "·")) == "MLM·M·"


@given(st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=1, max_size=50))
def test_lines_stay_inside(values: list[float | None]) -> None:
    chart = lines("a", range(len(values)), [Series("s", values)])
    drawn = looks(chart, "pp-line")[1:]
    assert bool(drawn) == any(value is not None for value in values)
    for x, y in (point for line in drawn for point in points(line)):
        assert 0 <= x <= WIDTH and 0 <= y <= HEIGHT


def test_areas_stand_on_each_other() -> None:
    first, second = looks(areas("a", [0, 1], [Series("s", [2, 4]), Series("t", [3, 1])]), "pp-area")
    lower, upper = points(first), points(second)
    assert upper[2:] == list(reversed(lower[:2]))
    assert upper[0][1] == upper[1][1], "2 + 3 and 4 + 1 are as high"


def test_only_far_is_red() -> None:
    for name in ("lines", "areas"):
        assert len(looks(CHARTS[name], "pp-far")) == 2  # in the legend, and drawn
    near = matrix("a", "r", "c", {("0", "0"): 5, ("1", "1"): 3})
    assert looks(near, "pp-far") == [] and len(looks(near, "pp-s0")) == 2
    far = matrix("a", "r", "c", {("0", "1"): 5, ("1", "0"): 0, ("1", "1"): 3})
    assert len(looks(far, "pp-far")) == 1
    assert STYLE.count("--pp-far:") == 2 and STYLE.count("var(--pp-far)") == 1


def test_many_series_look_different() -> None:
    chart = lines("a", [0, 1], [Series(str(n), [n, n]) for n in range(STYLES)])
    assert len({each.get("class") for each in looks(chart, "pp-line")}) == STYLES


def test_matrix_has_a_cell_for_each_pair_numbers_in_order() -> None:
    said = words(matrix("m", "page", "wanted", {("10", "2"): 1, ("2", "10"): 1500, ("unknown", "2"): 0}))
    assert said == ["m", "wanted", "page", "2", "10", "2", "0", "1.5k", "10", "1", "0", "unknown", "0", "0"]


@pytest.mark.parametrize(
    ("chart", "said"),
    [
        (lines("a", [], []), "nothing counted"),
        (lines("a", [0.0], [Series("s", [None])]), "nothing counted"),
        (lines("a", [0.0, 1.0], [Series("s", [0, 0])]), "0 all the time"),
        (areas("a", [0.0, 1.0], [Series("s", [0, 0])]), "0 all the time"),
        (areas("a", [], []), "nothing counted"),
    ],
)
def test_an_empty_frame_says_why(chart: str, said: str) -> None:
    assert said in words(chart)


def test_nothing_at_all_is_drawn_without_a_fault() -> None:
    parsed(bars("a", []))
    parsed(matrix("a", "r", "c", {}))


def test_lines_over_something_else_than_time_have_its_ticks() -> None:
    chart = lines("Cost", [32, 512], [Series("ours", [1.0, 16.0])], over=value_axis([32, 512]))
    assert all(f">{tick}<" in chart for tick in (0, 200, 400, 600))
    assert "0:" not in chart
