"""Turns a terminal's text into a picture: standard input to an SVG on standard output. The title is the command.

scripts/vm 7.3 COMMAND | .venv/bin/python scripts/terminal_svg.py 'ppobserve top 2 1' > docs/top.svg
"""

from __future__ import annotations

import sys
from html import escape

CHARACTER, LINE, MARGIN, BAR = 8.4, 19, 16, 34
MIN_COLUMNS = 80

_STYLE = "font:14px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre"


def svg(title: str, text: str) -> str:
    """A dark window with *title* in its bar and *text* below, one row a line."""
    lines = text.expandtabs().rstrip().splitlines()
    width = MARGIN * 2 + CHARACTER * max(MIN_COLUMNS, *map(len, lines))
    height = BAR + MARGIN * 2 + LINE * len(lines)
    rows = "\n".join(_row(MARGIN, BAR + MARGIN + LINE * (i + 0.75), line) for i, line in enumerate(lines) if line)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}">
<title>{escape(title)}</title>
<rect width="100%" height="100%" rx="8" fill="#16191d"/><rect width="100%" height="{BAR}" rx="8" fill="#262b31"/>
<g fill="#9aa4ae" style="{_STYLE}">{_row(MARGIN, BAR * 0.66, title)}</g>
<g fill="#e6e9ec" style="{_STYLE}">
{rows}
</g></svg>
"""


def _row(x: float, y: float, text: str) -> str:
    return (
        f'<text x="{x}" y="{y:.1f}" xml:space="preserve" textLength="{CHARACTER * len(text):.1f}">{escape(text)}</text>'
    )


if __name__ == "__main__":
    sys.stdout.write(svg(" ".join(sys.argv[1:]), sys.stdin.read()))
