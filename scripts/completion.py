"""Writes deploy/completion: what bash, zsh and fish complete, made from the parsers by shtab.

The files are in the tree, so that nobody needs shtab to install them; `tests/test_completion.py` says when this was
forgotten, and completes in each shell.

.venv/bin/python scripts/completion.py
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab

from ppobserve.cli.main import parser
from ppobserve.model.trace import Kind

FOLDER = Path(__file__).parent.parent / "deploy" / "completion"
FILES = {"bash": "ppobserve.bash", "zsh": "_ppobserve", "fish": "ppobserve.fish"}
KINDS = " ".join(kind.value for kind in Kind)
NETDEVS = "/sys/class/net"

# Functions of ours that the completions of an option call: what shtab has no word for.
PREAMBLE = {
    "bash": f"""
_ppobserve_events() {{ compgen -W '{KINDS}' -- "$1"; }}
_ppobserve_netdevs() {{ compgen -W "$(command ls {NETDEVS})" -- "$1"; }}
""",
    "zsh": f"""
_ppobserve_events() {{ _values -s , event {KINDS} }}
_ppobserve_netdevs() {{ _values -s , netdev {NETDEVS}/*(:t) }}
""",
    "fish": f"""
function _ppobserve_events
  printf '%s\\n' {KINDS}
end
function _ppobserve_netdevs
  command ls {NETDEVS}
end
""",
}
EVENTS = {"bash": "_ppobserve_events", "zsh": "_ppobserve_events", "fish": "(_ppobserve_events)"}
DEVICES = {"bash": "_ppobserve_netdevs", "zsh": "_ppobserve_netdevs", "fish": "(_ppobserve_netdevs)"}
BY_OPTION = {"--event": EVENTS, "--netdev": DEVICES}


def completions() -> dict[str, str]:
    """What each shell reads, by the file's name."""
    made = {}
    for shell, name in FILES.items():
        commands = parser()
        for action in actions(commands):
            teach(action)
        made[name] = shtab.complete(commands, shell, preamble=PREAMBLE)
    return made


def actions(of: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of every command."""
    for action in of._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from actions(each)


def teach(action: argparse.Action) -> None:
    """Tell shtab what an argument takes: files where it is a path, names where there is a list of them."""
    if action.type is Path:
        action.complete = shtab.FILE  # type: ignore[attr-defined]
    for option in action.option_strings:
        if option in BY_OPTION:
            action.complete = BY_OPTION[option]  # type: ignore[attr-defined]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in completions().items():
        (FOLDER / name).write_text(text)
