"""The daemon's page as a picture: at a desk by day, on a phone by night. The host is the one of tests/e2e/hosts.py.

.venv/bin/python -m scripts.page_picture docs/page.jpg
"""

from __future__ import annotations

import shutil
import sys
import threading
from base64 import b64encode
from dataclasses import replace
from typing import Any

from playwright.sync_api import sync_playwright

from ppobserve.export.server import Server
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.snapshot import Snapshot
from tests.e2e import hosts

SECOND, HEIGHT = 3109, 1080
POOLS = [replace(pool, netdev="veth1") if pool.netdev == hosts.HOSTILE else pool for pool in hosts.pools()]
LOOKS = {"light": (1180, HEIGHT), "dark": (390, 844)}


class Still:
    """The host at one second."""

    def read(self) -> Snapshot:
        """That second."""
        return hosts.moment(SECOND, POOLS)


def shots(browser: Any, url: str) -> str:
    """Both screenshots side by side, as HTML."""
    images = []
    for scheme, (width, height) in LOOKS.items():
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.goto(url)
        whole = page.screenshot(clip={"x": 0, "y": 0, "width": width, "height": HEIGHT}, full_page=True)
        images.append(f'<img src="data:image/png;base64,{b64encode(whole).decode()}">')
    return f'<body style="margin:0;display:flex">{"".join(images)}'


def main(path: str) -> None:
    """Serve, look, save."""
    server = Server(("127.0.0.1", 0), Still(), Cardinality.POOL)
    for second in range(0, SECOND, hosts.STEP):
        server.health.history.add(hosts.moment(second, POOLS))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        both = shots(browser, f"http://127.0.0.1:{server.server_address[1]}/")
        frame = browser.new_page(viewport={"width": sum(look[0] for look in LOOKS.values()), "height": HEIGHT})
        frame.set_content(both)
        frame.screenshot(path=path, type="jpeg", quality=82)


if __name__ == "__main__":
    main(sys.argv[1])
