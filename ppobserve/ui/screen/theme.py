"""Colours: a dark and a light theme, and the terminal's own where no colour is wanted. Only far-node traffic is red."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from rich.style import Style
from textual.content import Content
from textual.theme import Theme

from ppobserve.ui.paint import Line, Tone

DARK = Theme(
    "ppobserve-dark",
    primary="#5fa8d3",
    accent="#5fa8d3",
    error="#ff5c57",
    warning="#e5b567",
    foreground="#d7dde4",
    background="#11151a",
    surface="#11151a",
    panel="#1f2730",
)
LIGHT = Theme(
    "ppobserve-light",
    primary="#1f6f9f",
    accent="#1f6f9f",
    error="#c4161c",
    warning="#8a5a00",
    foreground="#1d2329",
    background="#fbfbfa",
    surface="#fbfbfa",
    panel="#e6e9ec",
    dark=False,
)
THEMES = (DARK, LIGHT)

_STYLES = {
    Tone.PLAIN: "",
    Tone.STRONG: "bold",
    Tone.TITLE: "bold $primary",
    Tone.DIM: "$foreground 60%",
    Tone.BAR: "$primary",
    Tone.FAR: "bold $error",
    Tone.FAR_CELL: "bold $background on $error",
    Tone.FAR_CELL_LOW: "bold $error on $error 25%",
    Tone.NOTE: "bold $warning",
}
# Without colour, weight and reversed cells tell what matters.
_COLOURLESS = {
    Tone.STRONG: "bold",
    Tone.TITLE: "bold",
    Tone.DIM: "dim",
    Tone.FAR: "bold",
    Tone.FAR_CELL: "bold reverse",
    Tone.FAR_CELL_LOW: "bold reverse",
    Tone.NOTE: "bold reverse",
}


def preferred(environment: Mapping[str, str] = os.environ) -> Theme:
    """Light where the terminal says that it is (COLORFGBG, as rxvt, Konsole and tmux set it), dark otherwise."""
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT if background in ("7", "15") else DARK


def content(lines: Iterable[Line], colourless: bool = False) -> Content:
    """Lines as Textual shows them."""
    styles = _COLOURLESS if colourless else _STYLES
    rows = (Content.assemble(*((text, styles.get(tone, "")) for text, tone in line)) for line in lines)
    return Content("\n").join(rows)


def rich_styles(variables: Mapping[str, str], colourless: bool) -> dict[Tone, Style]:
    """The same for the table, which paints line by line."""
    if colourless:
        return {tone: Style.parse(_COLOURLESS.get(tone, "")) for tone in Tone}
    colours = {name: variables[name] for name in ("primary", "error", "warning")}
    return {
        Tone.PLAIN: Style(),
        Tone.STRONG: Style(bold=True),
        Tone.TITLE: Style(bold=True, color=colours["primary"]),
        Tone.DIM: Style(dim=True),
        Tone.BAR: Style(color=colours["primary"]),
        Tone.FAR: Style(bold=True, color=colours["error"]),
        Tone.NOTE: Style(bold=True, color=colours["warning"]),
    }
