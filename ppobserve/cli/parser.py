"""argparse with answers to what is mistyped and to what is left out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NoReturn

from ppobserve.errors import UsageError
from ppobserve.model.nearest import question


class Parser(argparse.ArgumentParser):
    """A parser that names the nearest command, option or value, and lists commands where one is missing."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """All arguments. Unknown ones are refused here, by the parser of the command, and not by that of ppobserve."""
        words = sys.argv[1:] if args is None else list(args)
        self._refuse([word for word in takewhile(self._is_own, words) if self._is_unknown(word)])
        found, unknown = super().parse_known_args(words, namespace)
        self._refuse(unknown)
        return found, unknown

    def _is_own(self, word: str) -> bool:
        """True before ``--``, and before the command: the words behind that are the command's."""
        return word != "--" and (word.startswith("-") or not self._subparsers)

    def _is_unknown(self, word: str) -> bool:
        """True for an option that argparse would pass over, to take the value behind it for another argument's."""
        name = word.partition("=")[0]
        return name.startswith("--") and not any(known.startswith(name) for known in self._option_string_actions)

    def _refuse(self, unknown: Sequence[str]) -> None:
        if unknown:
            near = question(unknown[0].partition("=")[0], self._option_string_actions)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{near}")

    def error(self, message: str) -> NoReturn:
        """Exit with status 2; where a command can be chosen, the list of them is worth more than the usage."""
        if self._subparsers:
            self.print_help(sys.stderr)
            print(file=sys.stderr)
        else:
            self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: error: {message}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Called by argparse for each value of an argument that has choices."""
        names = list(action.choices or ())
        if not names or value in names:
            return
        near = question(value, names)
        if isinstance(action, argparse._SubParsersAction):
            what = f"{self._command}no {str(action.metavar).lower()} {value!r}{near}"
            raise UsageError(what, fix="" if near else f"{self.prog} --help")
        where = "/".join(action.option_strings) or str(action.metavar)
        raise UsageError(f"{self._command}{where}: {value!r} is not one of {', '.join(names)}{near}")

    @property
    def _command(self) -> str:
        """What a sentence about a command begins with; empty for ppobserve itself."""
        _, _, command = self.prog.partition(" ")
        return f"{command}: " if command else ""
