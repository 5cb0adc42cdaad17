"""Draws docs/develop/architecture.svg. `tests/test_frame.py` says when it was forgotten.

.venv/bin/python scripts/architecture_picture.py
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ppobserve.plot.svg import element, picture, standalone, text

PICTURE = Path(__file__).parent.parent / "docs" / "develop" / "architecture.svg"
WIDTH, HEIGHT = 760, 480
BOX, LINE = 44, 14
"""Height of a box, and of a line of text."""


@dataclass(frozen=True)
class Box:
    """A box: its middle, its width, its name, what is said below that, and the series whose colour it has."""

    x: float
    y: float
    width: float
    name: str
    note: str
    hue: int

    def edge(self, dx: float, dy: float) -> tuple[float, float]:
        """Return a point of the outline; -1, 0 or 1 for each direction."""
        return self.x + dx * self.width / 2, self.y + dy * BOX / 2


_OBSERVER, _CHILD, _KERNEL = 0, 2, 1

FACTS = Box(95, 75, 150, "kernel facts", "kernel/", _OBSERVER)
FEATURES = Box(285, 75, 150, "Features", "model/features.py", _OBSERVER)
PLAN = Box(475, 75, 150, "Plan", "model/plan.py", _OBSERVER)
LOADER = Box(660, 75, 160, "loader child (BCC)", "probe/loader.py", _CHILD)
TABLES = Box(475, 175, 150, "tables of hooks", "hooks.py, hook_code.py", _OBSERVER)
SOURCES = Box(660, 175, 160, "C of the plan", "bpf/, one unit", _CHILD)
PROGRAMS = Box(285, 275, 150, "BPF programs", "run on events", _KERNEL)
MAPS = Box(95, 275, 150, "maps", "mapped memory", _KERNEL)
READER = Box(95, 375, 150, "reader", "probe/reader.py", _OBSERVER)
SNAPSHOT = Box(285, 375, 150, "Snapshot", "model/snapshot.py", _OBSERVER)
OTHERS = Box(285, 445, 150, "recording, daemon", "source/", _OBSERVER)
OUTPUTS = (
    Box(640, 325, 200, "/metrics, page", "export/", _OBSERVER),
    Box(640, 385, 200, "top, pools, report", "ui/", _OBSERVER),
    Box(640, 445, 200, "JSON, recording", "model/document.py, source/", _OBSERVER),
)
BOXES = (FACTS, FEATURES, PLAN, LOADER, TABLES, SOURCES, PROGRAMS, MAPS, READER, SNAPSHOT, OTHERS, *OUTPUTS)

TITLE = "From kernel facts to output"
ABOUT = (
    "Kernel facts become Features, Features a Plan. The loader child compiles the C of the plan with BCC, loads and "
    "attaches it, passes file descriptors and exits. Programs count in maps, the reader reads these into a Snapshot, "
    "and metrics, top, JSON and recordings are made of that."
)


def drawing() -> str:
    """Return the SVG file."""
    content = "".join([_frame(), *map(_box, BOXES), *_arrows(), *_labels()])
    return standalone(picture(TITLE, ABOUT, WIDTH, HEIGHT, content))


def _frame() -> str:
    """Draw what is in the kernel as one area."""
    area = element("rect", x=10, y=232, width=365, height=76, rx=4, class_="pp-grid", stroke_dasharray="4 3")
    return area + text("kernel", 16, 246, class_="pp-dim") + text(TITLE, 20, 28, class_="pp-title")


def _box(box: Box) -> str:
    left, top = box.edge(-1, -1)
    outline = element("rect", x=left, y=top, width=box.width, height=BOX, rx=4, class_=f"pp-line pp-s{box.hue}")
    name = text(box.name, box.x, box.y - 3, "middle", "pp-title")
    return outline + name + text(box.note, box.x, box.y - 3 + LINE, "middle", "pp-dim")


def _arrows() -> Iterable[str]:
    across = [(FACTS, FEATURES), (FEATURES, PLAN), (PLAN, LOADER), (TABLES, SOURCES), (READER, SNAPSHOT)]
    yield from (_arrow(one.edge(1, 0), other.edge(-1, 0)) for one, other in across)
    yield _arrow(TABLES.edge(0, -1), PLAN.edge(0, 1))
    yield _arrow(SOURCES.edge(0, -1), LOADER.edge(0, 1))
    yield _arrow(PROGRAMS.edge(-1, 0), MAPS.edge(1, 0))
    yield _arrow(MAPS.edge(0, 1), READER.edge(0, -1))
    yield _arrow(OTHERS.edge(0, -1), SNAPSHOT.edge(0, 1))
    (right, top), (_, down), (into, _) = LOADER.edge(1, 0), (0, PROGRAMS.y), PROGRAMS.edge(1, 0)
    yield _arrow((right, top), (right + 10, top), (right + 10, down), (into, down))
    begin, (end, _) = SNAPSHOT.edge(1, 0), OUTPUTS[0].edge(-1, 0)
    yield from (_arrow(begin, (end - 40, begin[1]), (end - 40, box.y), (end, box.y)) for box in OUTPUTS)


def _arrow(*points: tuple[float, float]) -> str:
    """Draw a line through the points, with its head at the last."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    line = element("polyline", points=path, class_="pp-grid pp-zero")
    *_, (from_x, from_y), (x, y) = points
    dx, dy = (x > from_x) - (x < from_x), (y > from_y) - (y < from_y)
    back, side = (x - 6 * dx, y - 6 * dy), (3 * dy, 3 * dx)
    corners = [(x, y), (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1])]
    return line + element("polygon", points=" ".join(f"{a:g},{b:g}" for a, b in corners), fill="var(--pp-dim)")


def _labels() -> Iterable[str]:
    yield text("loads, attaches, passes fds, exits", 735, PROGRAMS.y - 6, "end", "pp-dim")
    yield text("through fds, without a system call", MAPS.x + 8, 345, class_="pp-dim")
    yield text("or instead", OTHERS.x + 8, 413, class_="pp-dim")


if __name__ == "__main__":
    PICTURE.write_text(drawing())
