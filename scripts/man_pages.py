"""Writes docs/man/man8: a manual page for ppobserve and one for each command.

Names, summaries and options are those of the parsers, as ``--help`` shows them; the rest is docs/man/COMMAND.md. The
pages are in the tree, so that packages need no Python to build them; `tests/test_man.py` says when this was forgotten.

.venv/bin/python scripts/man_pages.py
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ppobserve import __version__
from ppobserve.cli.main import COMMANDS, parser

FOLDER = Path(__file__).parent.parent / "docs" / "man"
PAGES = FOLDER / "man8"
DATE = "2026-11-25"
WIDTH = 1000
"""Of a usage line: wrapped by whoever shows the page."""

EXIT_STATUS = """0: done. 1: this host refuses, or is not as it should be. 2: the command line or the configuration is
wrong. What was tried, why it failed and what to do is on standard error."""


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    made = {"ppobserve.8": page("ppobserve", summary_of_all(), parser())}
    for name, command in subparsers(parser()).items():
        made[f"ppobserve-{name}.8"] = page(f"ppobserve-{name}", COMMANDS[name], command)
    return made


def summary_of_all() -> str:
    """The description of the whole, as the summary of a page."""
    text = parser().description or ""
    return f"{text[0].lower()}{text[1:]}".rstrip(".")


def subparsers(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of its commands, by name; none where it has no commands."""
    return {
        name: each
        for action in of._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, each in action.choices.items()
    }


def page(name: str, summary: str, command: argparse.ArgumentParser) -> str:
    """One page as roff, for man(7)."""
    prose = sections((FOLDER / f"{name}.md").read_text())
    options = list(option_lines(command))
    lines = [
        f'.\\" Made by scripts/man_pages.py from the parsers and docs/man/{name}.md: change it there.',
        f'.TH {name.upper()} 8 {DATE} "ppobserve {__version__}" "ppobserve"',
        ".SH NAME",
        f"{escaped(name)} \\- {escaped(summary)}",
        ".SH SYNOPSIS",
        *synopsis(command),
    ]
    for title, body in prose.items():
        lines += [f".SH {title}", *blocks(body)]
        if title == "DESCRIPTION":
            lines += [*([".SH OPTIONS", *options] if options else []), *kinds(command)]
    lines += [".SH EXIT STATUS", *blocks(EXIT_STATUS), ".SH SEE ALSO", *see_also(name)]
    return "\n".join(lines) + "\n"


def sections(text: str) -> dict[str, str]:
    """The bodies of the ``## TITLE`` sections, in their order."""
    _, *parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {title: body.strip("\n") for title, body in zip(parts[::2], parts[1::2], strict=True)}


def synopsis(command: argparse.ArgumentParser) -> list[str]:
    """How it is called: the parser's own usage, of each of its kinds where it has such."""
    inner = subparsers(command).values() if command.prog != "ppobserve" else []
    return [line for each in (list(inner) or [command]) for line in [*usage(each), ".br"]][:-1]


def usage(command: argparse.ArgumentParser) -> list[str]:
    text = " ".join(command.format_usage().removeprefix("usage: ").split())
    rest = re.sub(r"\\-h\b|\[\\-h\] ?", "", escaped(text.removeprefix(command.prog), code=True)).strip()
    return [f".B {escaped(command.prog, code=True)}", *([rest] if rest else [])]


def kinds(command: argparse.ArgumentParser) -> Iterator[str]:
    """The options of what a command's first word chooses, or the commands themselves."""
    if command.prog == "ppobserve":
        yield ".SH COMMANDS"
        for name, summary in COMMANDS.items():
            yield from (".TP", f"\\fB{escaped(name)}\\fR", f"{escaped(summary)}; see", f".BR ppobserve\\-{name} (8).")
        return
    for name, each in subparsers(command).items():
        yield from (f".SS Options of {name}", *option_lines(each))


def option_lines(command: argparse.ArgumentParser) -> Iterator[str]:
    """A paragraph for each argument but -h, in the parser's words."""
    formatter = command._get_formatter()
    for action in command._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        yield from (".TP", heading(action), escaped(formatter._expand_help(action) if action.help else ""))


def heading(action: argparse.Action) -> str:
    """The option's names in bold, its argument in italics."""
    argument = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest)
    value = "" if action.nargs == 0 else f"\\fI{escaped(str(argument), code=True)}\\fR"
    names = ", ".join(f"\\fB{escaped(each, code=True)}\\fR" for each in action.option_strings)
    return f"{names} {value}".strip()


def see_also(name: str) -> list[str]:
    """All the other pages."""
    names = ["ppobserve", *(f"ppobserve-{each}" for each in COMMANDS)]
    *others, last = [f".BR {escaped(each, code=True)} (8)" for each in names if each != name]
    return [*(f"{other}," for other in others), last]


def blocks(text: str) -> Iterator[str]:
    """Paragraphs, lists (``* item``, going on two spaces further in) and code (four spaces in)."""
    for number, block in enumerate(re.split(r"\n\n+", text)):
        lines = block.split("\n")
        if all(line.startswith("    ") for line in lines):
            yield from ([".PP"] if number else [])
            yield from (".in +4n", ".nf", *(escaped(line[4:], code=True) for line in lines), ".fi", ".in")
        elif lines[0].startswith("* "):
            yield from items(lines)
        else:
            yield from ([".PP"] if number else [])
            yield from map(inline, lines)


def items(lines: Iterable[str]) -> Iterator[str]:
    """A list; an item that begins with code and a colon is a term and what it means."""
    for line in lines:
        if not line.startswith("* "):
            yield inline(line.strip())
            continue
        term = re.match(r"\* (`[^`]+`): (.*)", line)
        yield from (".TP", inline(term[1]), inline(term[2])) if term else (".IP \\(bu 2", inline(line[2:]))


def inline(text: str) -> str:
    """A line of prose: ``code`` in bold, *words* in italics."""
    parts = re.split(r"(`[^`]+`|\*[^*]+\*)", text)
    line = "".join(_marked(part) for part in parts)
    return f"\\&{line}" if line.startswith((".", "'")) else line


def _marked(part: str) -> str:
    if part.startswith("`"):
        return f"\\fB{escaped(part[1:-1], code=True)}\\fR"
    return f"\\fI{escaped(part[1:-1])}\\fR" if part.startswith("*") and len(part) > 1 else escaped(part)


def escaped(text: str, *, code: bool = False) -> str:
    """Text as roff: what is typed keeps its hyphens, quotes and tildes."""
    text = text.replace("\\", "\\e")
    if code:
        text = text.replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("~", "\\(ti")
        text = text.replace("^", "\\(ha")
    else:
        text = text.replace("--", "\\-\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    made = pages()
    PAGES.mkdir(exist_ok=True)
    for path in PAGES.glob("*.8"):
        path.unlink()
    for name, text in made.items():
        (PAGES / name).write_text(text)
