"""The host's own page: what it does now, and did within the last hour. HTML that needs no script and no other host.

Whatever the kernel's names contain, they are text here. Red is for traffic between NUMA nodes, and for nothing else.
"""

from __future__ import annotations

import time
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ppobserve import __version__
from ppobserve.export import panels, tables
from ppobserve.export.markup import quiet, words
from ppobserve.model.clock import passed
from ppobserve.model.history import Hour
from ppobserve.model.snapshot import Snapshot, delta

_FOLDER = Path(__file__).parent
_STYLE, _SCRIPT = ((_FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
REFRESH_WITHOUT_SCRIPT = 15
"""Seconds."""


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""What the page is sent with: a browser runs our own style and script, and asks nobody else for anything."""


@dataclass(frozen=True)
class View:
    """All that the page shows."""

    now: Snapshot
    before: Snapshot | None
    """What rates are taken from; None while there is nothing to compare with."""
    hour: Hour
    problems: tuple[str, ...] = ()
    """What is wrong with the daemon itself, as sentences."""


def page(view: View) -> str:
    """The whole document."""
    now, plan = view.now, view.now.plan
    host, kernel = words(now.host), words(now.kernel)
    below = ", to keep the budget" if now.levels_below else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ppobserve on {host}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="{REFRESH_WITHOUT_SCRIPT}"></noscript>
<style>{_STYLE}</style></head><body>
<div id="silent" role="status" hidden></div>
<header><h1>{host}</h1>
<p class="quiet">kernel {kernel} · level {plan.level.value} by {plan.rung.value}{below} · ppobserve {__version__}</p>
<nav><a href="/metrics">/metrics</a><a href="/healthz">/healthz</a></nav></header>
{_main(view)}
<footer><p>Refreshes itself while it is looked at. Rates in a terminal: ppobserve top 1.</p></footer>
<script>{_SCRIPT}</script></body></html>
"""


def _main(view: View) -> str:
    gained = delta(view.now, view.before).pools if view.before else ()
    seconds = passed(view.now, view.before) if view.before else 0.0
    over = f"Rates are means of the last {seconds:.0f} s." if view.before else "Rates come with the next look."
    clock = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(view.now.time))
    parts = (
        "".join(f'<p class="lost">{words(problem)}</p>' for problem in view.problems),
        panels.verdict(view.now, gained, seconds),
        panels.advice(view.now, view.before),
        panels.hour_of(view.now.plan, view.hour),
        tables.pools(view.now, view.before),
        panels.since_start(view.now),
        tables.devices(view.hour),
        quiet(f"As of {clock}. {over}"),
    )
    return f"<main>{''.join(parts)}</main>"
