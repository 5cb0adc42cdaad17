"""The daemon's page in a real browser: what it shows, what it asks for, and what hostile names do to it: nothing.

The screenshots stay in build/page: light and dark, at a desk and on a phone.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ppobserve.errors import HostError, ReadError
from ppobserve.export.page import page
from ppobserve.export.server import Server
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.history import History
from ppobserve.model.snapshot import Snapshot
from tests.e2e import hosts

SHOTS = Path(__file__).parent.parent.parent / "build/page"
BUSY = 3109
"""A second at which pages are on the wrong node."""
PATIENCE_MS = 120_000
SIZES = {"desk": (1280, 900), "phone": (390, 844)}


@dataclass
class Host:
    """A source that stands still at a second of the recorded hour, until it is moved."""

    second: int = BUSY
    failure: HostError | None = None
    reads: int = 0

    def read(self) -> Snapshot:
        self.reads += 1
        if self.failure:
            raise self.failure
        return hosts.moment(self.second, hosts.pools())


@dataclass
class Site:
    """A daemon that has seen the hour up to the host's second."""

    host: Host
    server: Server
    url: str


@pytest.fixture
def site() -> Iterator[Site]:
    host = Host()
    server = Server(("127.0.0.1", 0), host, Cardinality.POOL)
    for seen in hosts.hour():
        if seen.time < host.read().time:
            server.health.history.add(seen)
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    yield Site(host, server, f"http://127.0.0.1:{server.server_address[1]}/")
    server.stop()


@dataclass
class Seen:
    """A page, and all that it said and asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def visit(browser: Any, site: Site) -> Iterator[Callable[..., Seen]]:
    contexts = []

    def go(**options: Any) -> Seen:
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(PATIENCE_MS)
        seen = Seen(contexts[-1].new_page())
        seen.page.on("console", lambda message: seen.complaints.append(message.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.goto(site.url)
        return seen

    yield go
    for context in contexts:
        context.close()


def keep(folder: Path) -> None:
    """A folder in the tree, that of its owner even if tests run as root."""
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder.parent.parent.stat()
    for each in (folder.parent, folder):
        os.chown(each, owner.st_uid, owner.st_gid)


def text(seen: Seen, selector: str) -> str:
    return str(seen.page.locator(selector).first.inner_text())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_fits_and_asks_nobody_else(visit: Callable[..., Seen], site: Site, scheme: str, size: str) -> None:
    width, height = SIZES[size]
    seen = visit(viewport={"width": width, "height": height}, color_scheme=scheme)
    assert seen.page.evaluate("document.documentElement.scrollWidth") == width
    assert seen.requests == [site.url]
    assert seen.complaints == []
    keep(SHOTS)
    seen.page.screenshot(path=SHOTS / f"{scheme}-{size}.png", full_page=True)
    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(251, 251, 250)", "dark": "rgb(19, 22, 25)"}[scheme]


def test_numbers_are_those_of_the_host(visit: Callable[..., Seen]) -> None:
    seen = visit()
    second = 617 * (7 + 6 + 5 + 4 + 3 + 2)
    second += second // 300
    rates = [
        int(each.replace(",", "")) for each in seen.page.locator("#pools tbody tr td:nth-child(4)").all_inner_texts()
    ]
    assert sum(rates) == pytest.approx(second, abs=10)
    assert rates == sorted(rates, reverse=True)
    assert text(seen, ".verdict").endswith(
        "pages a second are dropped for being on the wrong NUMA node, most of them on eth0."
    )
    lost = {
        pool.id: 617 * (7 - n) * (BUSY - hosts.MOVED) for n, pool in enumerate(hosts.pools()) if pool.netdev == "eth0"
    }
    cells = seen.page.locator(".matrix").first.locator("tbody td").all_inner_texts()
    assert cells == ["", f"{sum(lost.values()):,}", f"{sum(each // 300 for each in lost.values()):,}", ""]
    assert seen.page.locator(".batch tr").count() == 8


def test_red_is_for_traffic_between_nodes_only(visit: Callable[..., Seen], site: Site) -> None:
    red = """() => [...document.querySelectorAll('body *')].filter((each) => {
        const style = getComputedStyle(each);
        return [style.color, style.stroke, style.backgroundColor].some((colour) => colour === 'rgb(200, 16, 46)');
    }).map((each) => each.closest('.far, .h4') !== null)"""
    found = visit(color_scheme="light").page.evaluate(red)
    assert found and all(found)
    site.host.second = 100
    site.server.health.history = History()  # an hour in which nothing was on the wrong node
    seen = visit(color_scheme="light")
    assert seen.page.evaluate(red) == []
    assert text(seen, ".verdict") == "No page is on the wrong NUMA node."


def test_a_hostile_name_is_text(visit: Callable[..., Seen], site: Site) -> None:
    seen = visit()
    assert seen.page.locator("iframe").count() == 0
    assert hosts.HOSTILE in seen.page.locator("#pools .name").all_inner_texts()
    assert seen.requests == [site.url] and seen.complaints == []


def test_an_injected_script_would_not_run(visit: Callable[..., Seen], site: Site) -> None:
    seen = visit()
    refused = seen.page.evaluate(
        """() => { try { document.body.innerHTML = '<b>'; return false } catch { return true } }"""
    )
    assert refused
    seen.page.evaluate(
        """() => { const each = document.createElement('style'); each.textContent = 'body { color: red }';
        document.head.append(each); }"""
    )
    assert any("Content Security Policy" in complaint for complaint in seen.complaints)


def test_it_refreshes_only_while_it_is_looked_at(visit: Callable[..., Seen], site: Site) -> None:
    seen = visit()
    seen.page.clock.install()
    seen.page.goto(site.url)
    before = text(seen, "main > .quiet")
    site.host.second += 7
    seen.page.clock.run_for(5100)
    seen.page.wait_for_function("before => document.querySelector('main > .quiet').innerText !== before", arg=before)
    asked = len(seen.requests)
    seen.page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    seen.page.clock.run_for(60_000)
    assert len(seen.requests) <= asked + 1  # one may have been on its way
    assert set(seen.requests) == {site.url} and seen.complaints == []


def test_what_was_opened_stays_open_and_where_one_was_stays(visit: Callable[..., Seen], site: Site) -> None:
    seen = visit(viewport={"width": 390, "height": 844})
    seen.page.clock.install()
    seen.page.goto(site.url)
    seen.page.locator("summary").click()
    seen.page.evaluate("document.getElementById('pools').scrollLeft = 61")
    before = text(seen, "main > .quiet")
    site.host.second += 7
    seen.page.clock.run_for(5100)
    seen.page.wait_for_function("before => document.querySelector('main > .quiet').innerText !== before", arg=before)
    assert seen.page.locator("details[open] dd").first.is_visible()
    assert seen.page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert seen.page.evaluate("document.getElementById('pools').scrollLeft") == 61


def test_a_silent_daemon_is_said_and_comes_back(visit: Callable[..., Seen], site: Site) -> None:
    seen = visit()
    seen.page.clock.install()
    seen.page.goto(site.url)
    site.host.failure = ReadError("cannot read")
    seen.page.clock.run_for(5100)
    seen.page.wait_for_selector("#silent:not([hidden])")
    assert text(seen, "#silent").startswith("No answer since ")
    assert "stale" in seen.page.locator("main").get_attribute("class")
    site.host.failure = None
    seen.page.clock.run_for(15_100)
    seen.page.wait_for_selector("#silent", state="hidden")
    assert not seen.page.locator("main").get_attribute("class")


def test_without_javascript_it_is_all_there(visit: Callable[..., Seen]) -> None:
    with_script, without = visit(), visit(java_script_enabled=False)
    rows = [seen.page.locator("#pools tbody tr").all_inner_texts() for seen in (with_script, without)]
    assert rows[0] == rows[1] and len(rows[0]) == 10
    assert without.page.locator("noscript meta, meta[http-equiv=refresh]").count() == 1
    assert without.page.locator("svg.plot .line").count() >= 6


def test_the_page_is_made_quickly(site: Site, figure: Callable[..., None]) -> None:
    view = site.server.health.view()
    begin = time.thread_time()
    made = page(view)
    figure("page: CPU time to make it for 10 pools", 1000 * (time.thread_time() - begin), "ms")
    figure("page: size for 10 pools", len(made.encode()) / 1024, "KiB")
    assert len(made) < 64 * 1024
