"""Pictures of the screen of `ppobserve top`, from the recording of a guest with two nodes, as SVG.

.venv/bin/python scripts/screen_pictures.py    writes docs/top.svg, and those that tests/unit/ui/screen compares with
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Footer

from ppobserve.source.recorded import Recorded, open_recording
from ppobserve.source.sampling import samples
from ppobserve.ui.screen.app import TopApp
from ppobserve.ui.view import View

TOP = Path(__file__).parent.parent
RECORDING = TOP / "tests/data/snapshots/two_nodes.jsonl.gz"
FOLDER = TOP / "tests/unit/ui/screen/pictures"
NEVER = 3600.0
FONT = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"


@dataclass(frozen=True)
class Picture:
    """A screen after so many snapshots of the recording, and some keys."""

    path: Path
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    snapshots: int = 90
    view: View = field(default_factory=View)
    environment: Mapping[str, str] = field(default_factory=dict)
    played: bool = False


LIGHT, COLOURLESS = {"COLORFGBG": "0;15"}, {"NO_COLOR": "1"}
PICTURES = (
    Picture(TOP / "docs/top.svg", (100, 31), ("enter",), 104),
    Picture(FOLDER / "pools.svg", (80, 24)),
    Picture(FOLDER / "pools-light.svg", (80, 24), environment=LIGHT),
    Picture(FOLDER / "pools-colourless.svg", (80, 24), ("down",), environment=COLOURLESS),
    Picture(FOLDER / "pool.svg", (80, 24), ("enter",)),
    Picture(FOLDER / "pool-light.svg", (80, 24), ("enter",), environment=LIGHT),
    Picture(FOLDER / "pool-colourless.svg", (80, 24), ("enter",), environment=COLOURLESS),
    Picture(FOLDER / "wide.svg", (200, 60)),
    Picture(FOLDER / "nodes.svg", (80, 24), ("f", "f", "s", "s")),
    Picture(FOLDER / "filter.svg", (80, 24), ("slash", *"mismatches>1")),
    Picture(FOLDER / "help.svg", (80, 24), ("question_mark",)),
    Picture(FOLDER / "tiny.svg", (20, 5)),
    Picture(FOLDER / "recording.svg", (80, 24), ("space", *["right"] * 3), played=True),
)


def svg(picture: Picture) -> str:
    """The picture, with fonts of the reader's own instead of a font server's."""
    with environment({"TZ": "UTC", **picture.environment}):
        drawn = asyncio.run(_screenshot(picture))
    drawn = re.sub(r"\s*<!-- .*? -->", "", drawn)
    drawn = re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL)
    return drawn.replace("Fira Code, monospace", FONT).replace("Fira Code", FONT).rstrip() + "\n"


async def _screenshot(picture: Picture) -> str:
    source = open_recording(RECORDING, clock=lambda: 0.0)
    try:
        app = await _run(picture, source)
        return app
    finally:
        source.close()


async def _run(picture: Picture, source: Recorded) -> str:
    taken = list(islice(samples(source, 0.25), picture.snapshots))
    source.paused = False
    source.seek(130.0)
    app = TopApp(source if picture.played else _Still(), taken[0], interval=NEVER, view=picture.view)
    async with app.run_test(size=picture.size) as pilot:
        for each in taken[1:]:
            app.board.take(each)
        app.interval = 1.0
        app.paint()
        await pilot.press(*picture.keys)
        return await _settled(app, pilot)


async def _settled(app: TopApp, pilot: Pilot[None]) -> str:
    """The picture when it changes no more: the footer and scroll bars come when there is nothing else to do."""
    keys = app.screen_stack[0].query_one(Footer)
    last, same = "", 0
    while same < 4:
        await pilot.pause(0.05)
        drawn = app.export_screenshot(title="sudo ppobserve top")
        last, same = drawn, same + 1 if drawn == last and keys.children else 0
    return last


class _Still:
    """A source that nobody reads: the pictures' snapshots are handed to the screen."""

    def read(self) -> None:
        raise AssertionError("the interval is an hour")

    def close(self) -> None:
        pass


@contextmanager
def environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """These variables, and none that would change a picture."""
    before = dict(os.environ)
    for name in ("NO_COLOR", "COLORFGBG", "COLORTERM", "TERM"):
        os.environ.pop(name, None)
    os.environ.update(wanted)
    time.tzset()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        time.tzset()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for picture in PICTURES:
        picture.path.write_text(svg(picture))


if __name__ == "__main__":
    main()
