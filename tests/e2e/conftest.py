"""A browser for the pages: Debian's Chromium, driven by Playwright. It has no other host to reach, and need not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def browser(require: Callable[..., None]) -> Iterator[Any]:
    """Headless Chromium (playwright.sync_api.Browser)."""
    binary = shutil.which("chromium")
    require(binary, "no chromium here (scripts/setup test installs it)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield chromium
        chromium.close()
