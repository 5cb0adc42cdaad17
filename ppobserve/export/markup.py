"""Pieces of HTML. What comes from the kernel goes through ``name``; titles are our own words."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from math import isnan


def number(value: float | None) -> str:
    """``1,234``; one decimal below ten; a dash for what is not known."""
    if value is None or isnan(value):
        return "-"
    text = f"{value:,.1f}" if abs(value) < 10 else f"{value:,.0f}"
    return text.removesuffix(".0")


def words(text: str) -> str:
    """Any text as text and nothing else: no markup in it, and nothing that turns its direction."""
    return escape("".join(each if each.isprintable() else "?" for each in text))


def name(text: str) -> str:
    """A name that somebody gave, in whatever direction it is written; a dash for none."""
    return f"<bdi>{words(text) or '-'}</bdi>"


def cell(text: str, *, far: bool = False) -> str:
    """A cell of a table, red for traffic between nodes."""
    return f'<td class="far">{text}</td>' if far else f"<td>{text}</td>"


def row(names: Iterable[str], cells: Iterable[str]) -> str:
    """A row: names from the left, the first its heading, then finished cells."""
    first, *others = names
    columns = "".join(f'<td class="name">{each}</td>' for each in others)
    return f'<tr><th scope="row" class="name">{first}</th>{columns}{"".join(cells)}</tr>'


def table(label: str, names: Iterable[str], titles: Iterable[str], rows: Iterable[str]) -> str:
    """A table that may be wider than a phone. It can be scrolled by keyboard, too."""
    heads = [f'<th scope="col" class="name">{each}</th>' for each in names]
    heads += [f'<th scope="col">{each}</th>' for each in titles]
    return (
        f'<div class="scroll" id="{label}" tabindex="0" role="region" aria-label="{label}"><table class="pools">'
        f"<thead><tr>{''.join(heads)}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def section(title: str, body: str, *, unit: str = "", kind: str = "") -> str:
    """A panel with a heading."""
    of = f'<p class="quiet">{unit}</p>' if unit else ""
    return f'<section class="{kind}"><h2>{title}</h2>{of}{body}</section>'


def quiet(sentence: str) -> str:
    """What is said in a low voice."""
    return f'<p class="quiet">{sentence}</p>'
