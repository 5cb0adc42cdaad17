"""The screen without a terminal: Textual's pilot presses keys, clicks and resizes; the test reads the source."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from ppobserve.model.snapshot import Snapshot
from ppobserve.ui.screen.app import TopApp
from ppobserve.ui.screen.table import PoolTable
from tests.unit.source.playing import Played
from tests.unit.ui.recorded import recorded

NEVER = 3600.0
"""Seconds between two reads of the screen's own: the test says when."""


class Shown:
    """A source that shows one snapshot after another, and then its last; or fails."""

    def __init__(self, snapshots: list[Snapshot]) -> None:
        self.left, self.failure = list(snapshots), None  # type: tuple[list[Snapshot], HostError | None]
        self.reads = 0

    def read(self) -> Snapshot:
        self.reads += 1
        if self.failure:
            raise self.failure
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]

    def close(self) -> None: ...


class Driven:
    """A running screen and its pilot."""

    def __init__(self, app: TopApp, pilot: Pilot[None], source: Any) -> None:
        self.app, self.pilot, self.source = app, pilot, source

    async def read(self, times: int = 1) -> None:
        for _ in range(times):
            await self.app.read()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, holds: Callable[[], bool], seconds: float = 120.0) -> None:
        """Wait for what a thread of the screen's does."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, self.text()
            await self.pilot.pause(0.02)

    def lines(self) -> list[str]:
        """What is on the screen, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]

    def text(self) -> str:
        return "\n".join(self.lines())

    def column(self, title: str) -> list[str]:
        """What stands under a title of the table: numbers end where it ends, names begin where it begins."""
        table = self.app.query_one(PoolTable).region
        head, *rows = (line[table.x : table.right] for line in self.lines()[table.y : table.bottom])
        begin, rows = head.index(title), [row for row in rows if row.strip()]
        if title in ("POOL", "NETDEV"):
            return [row[begin:].split("  ")[0].strip() for row in rows]
        return [row[: begin + len(title)].split()[-1] for row in rows]


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[Driven], Awaitable[None]]], None]]:
    """Run a test's coroutine on a screen: ``drive(steps, size=(80, 24), skip=90, count=6, played=False)``."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLORFGBG", raising=False)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")

    def run(steps: Callable[[Driven], Awaitable[None]], **options: Any) -> None:
        async def main() -> None:
            async with screen(**options) as driven:
                await steps(driven)

        asyncio.run(main())

    yield run


@asynccontextmanager
async def screen(
    size: tuple[int, int] = (80, 24), first: int = 84, count: int = 6, source: Any = None, **options: Any
) -> AsyncIterator[Driven]:
    """A screen that has read *count* snapshots: those of the recording from its *first* on, or of a *source*."""
    source = source or Shown(recorded()[first : first + count])
    app = TopApp(source, source.read(), interval=NEVER, **options)
    async with app.run_test(size=size) as pilot:
        driven = Driven(app, pilot, source)
        if not isinstance(source, Played):
            await driven.read(count - 1)
        yield driven
