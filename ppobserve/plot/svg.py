"""SVG elements as text, and the one style sheet of all charts."""

from __future__ import annotations

from html import escape

FONT = 11
"""Of all text in a chart, in its own units: pixels where it is shown at its size."""

# Blue, green, violet, ochre, grey, and the same again dashed: told apart without colour vision, too. Red says that
# pages cross nodes, and nothing else.
_LIGHT = ("#0b62a8", "#1b7f5c", "#6a4fb3", "#a86f00", "#5f6b7a")
_DARK = ("#6cb6ff", "#5fd3a5", "#b9a3ff", "#e3b341", "#a5b0bd")
HUES = len(_LIGHT)
STYLES = 2 * HUES
"""So many series look different."""


def _hues(hues: tuple[str, ...]) -> str:
    return "".join(f"--pp-s{place}:{hue};" for place, hue in enumerate(hues))


_SERIES = (
    "".join(f".pp-s{place}{{--pp-c:var(--pp-s{place % HUES})}}" for place in range(STYLES))
    + ",".join(f".pp-line.pp-s{place}" for place in range(HUES, STYLES))
    + "{stroke-dasharray:5 3}"
)

STYLE = (
    f":root{{--pp-ink:#1c2128;--pp-dim:#59636e;--pp-grid:#d8dee4;--pp-paper:#fff;--pp-far:#c4162a;{_hues(_LIGHT)}}}"
    "@media(prefers-color-scheme:dark){"
    f":root{{--pp-ink:#e6edf3;--pp-dim:#9aa5b1;--pp-grid:#30363d;--pp-paper:#0d1117;--pp-far:#ff6b6b;{_hues(_DARK)}}}}}"
    f".pp{{font:{FONT}px system-ui,sans-serif;fill:var(--pp-ink);width:100%;height:auto;display:block}}"
    ".pp-title{font-weight:600;font-size:13px}.pp-dim{fill:var(--pp-dim)}"
    ".pp-grid{stroke:var(--pp-grid);stroke-width:1;fill:none}.pp-zero{stroke:var(--pp-dim)}"
    ".pp-line{fill:none;stroke:var(--pp-c);stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}"
    ".pp-fill{fill:var(--pp-c);stroke:none}.pp-area{fill:var(--pp-c);fill-opacity:.55;stroke:none}"
    f"{_SERIES}.pp-far{{--pp-c:var(--pp-far)}}.pp-far.pp-line{{stroke-dasharray:none}}.pp-paper{{fill:var(--pp-paper)}}"
)
"""For the page that charts are put into: once, in its ``<style>``."""


def element(name: str, content: str = "", **attributes: object) -> str:
    """``element("text", "a &lt; b", x=3, class_="dim")``; *content* is SVG already, attributes are escaped here."""
    said = "".join(f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"' for key, value in attributes.items())
    return f"<{name}{said}>{content}</{name}>" if content else f"<{name}{said}/>"


def text(content: str, x: float, y: float, anchor: str = "start", class_: str = "") -> str:
    """A line of text, its baseline at *y*. What it says may come from anywhere."""
    more = {"class_": class_} if class_ else {}
    return element("text", escape(content), x=x, y=y, text_anchor=anchor, **more)


def picture(title: str, description: str, width: float, height: float, content: str) -> str:
    """A chart: for a page whose style sheet has ``STYLE``; as wide as its place there. Read aloud, it is its title."""
    said = element("title", escape(title)) + element("desc", escape(description))
    return element("svg", said + content, viewBox=f"0 0 {width:g} {height:g}", class_="pp", role="img")


def standalone(chart: str) -> str:
    """A chart as a file of its own, with its style and a ground to stand on."""
    head, _, rest = chart.partition(">")
    ground = element("rect", width="100%", height="100%", class_="pp-paper")
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{STYLE}</style>{ground}{rest}\n'


def width_of(content: str) -> float:
    """About how wide a text is: there is no font to ask."""
    return 0.56 * FONT * len(content)


def number(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def _value(value: object) -> str:
    return number(value) if isinstance(value, float) else escape(str(value))
