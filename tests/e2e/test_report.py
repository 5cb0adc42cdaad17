"""A report in a real browser: it fits, says what was found, and asks for nothing. Screenshots stay in build/report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ppobserve.cli.main import main
from ppobserve.source.recorder import Recorder
from tests.unit.ui.test_report import HOSTILE, hostile

TOP = Path(__file__).parent.parent.parent
MOVING = TOP / "tests/data/recordings/moving.jsonl.gz"
SHOTS = TOP / "build/report"
PATIENCE_MS = 120_000
SIZES = {"desk": (1280, 900), "phone": (360, 740)}


@dataclass
class Seen:
    """A page, and all that it said and asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of a recording in the tree, and of one with hostile names."""
    folder = tmp_path_factory.mktemp("report")
    with_names = Recorder(folder / "hostile.jsonl")
    for snapshot in hostile():
        with_names.write(snapshot)
    with_names.close()
    for recording in (MOVING, folder / "hostile.jsonl"):
        assert main(["report", str(recording), "-o", str(folder / f"{recording.name.split('.')[0]}.html")]) == 0
    return folder


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Seen]]:
    contexts = []

    def go(path: Path, **options: Any) -> Seen:
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(PATIENCE_MS)
        seen = Seen(contexts[-1].new_page())
        seen.page.on("console", lambda message: seen.complaints.append(message.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.goto(path.as_uri())
        return seen

    yield go
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_fits_shows_its_verdict_and_asks_for_nothing(
    made: Path, visit: Callable[..., Seen], size: str, scheme: str
) -> None:
    path, (width, height) = made / "moving.html", SIZES[size]
    seen = visit(path, viewport={"width": width, "height": height}, color_scheme=scheme)
    assert seen.page.evaluate("document.documentElement.scrollWidth") == width
    assert (seen.requests, seen.complaints) == ([path.as_uri()], [])
    first = seen.page.locator("#verdict li").first
    box = first.bounding_box()
    assert first.is_visible() and box["y"] < height, "the verdict is what one sees first"
    SHOTS.mkdir(parents=True, exist_ok=True)
    seen.page.screenshot(path=SHOTS / f"{size}-{scheme}.png", full_page=True)
    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]


def test_it_is_whole_without_javascript(made: Path, visit: Callable[..., Seen]) -> None:
    seen = visit(made / "moving.html", java_script_enabled=False)
    assert "<script" not in (made / "moving.html").read_text()
    assert seen.page.locator("#verdict .badge").first.inner_text() == "CRITICAL"
    assert seen.page.locator(".plots svg").count() == 8


def test_text_can_be_read_on_a_phone(made: Path, visit: Callable[..., Seen]) -> None:
    """Nothing in a plot is smaller than 7 pixels, and no word sticks out of its picture."""
    seen = visit(made / "moving.html", viewport={"width": 360, "height": 740})
    sizes = seen.page.locator("svg text").evaluate_all(
        """texts => texts.map(text => {
             const box = text.getBoundingClientRect(), svg = text.ownerSVGElement.getBoundingClientRect();
             return [box.height, box.left - svg.left, svg.right - box.right];
           })"""
    )
    assert len(sizes) > 50
    assert min(height for height, _, _ in sizes) > 7
    assert min(min(left, right) for _, left, right in sizes) > -2


def test_names_are_text(made: Path, visit: Callable[..., Seen]) -> None:
    seen = visit(made / "hostile.html", viewport={"width": 360, "height": 740})
    assert (seen.complaints, len(seen.requests)) == ([], 1)
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 360
    assert HOSTILE in seen.page.locator("table").inner_text()
    assert seen.page.locator("img, script, a").count() == 0


def test_red_is_far_traffic_and_nothing_else(made: Path, visit: Callable[..., Seen]) -> None:
    """Every element whose colour, fill, stroke or border is the far red is marked as such."""
    seen = visit(made / "moving.html", color_scheme="light")
    red = seen.page.evaluate(
        """() => [...document.querySelectorAll('body *')].filter(each => {
             const style = getComputedStyle(each), red = 'rgb(196, 22, 42)';
             return [style.color, style.fill, style.stroke, style.borderLeftColor].includes(red);
           }).map(each => !!each.closest('.far, .pp-far'))"""
    )
    assert len(red) > 5 and all(red)
