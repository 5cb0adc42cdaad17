"""Joins C files by their ``#include "file.h"`` lines into one translation unit.

BCC rewrites map access in the main file only, so what it compiles may include nothing. Each file is taken once, where
it is first asked for, and ``#line`` keeps the compiler's messages true.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ppobserve.errors import LoaderError

_INCLUDE = re.compile(r'#include "([^"]+)"\n?')


def joined(names: Iterable[str], folder: Path) -> str:
    """Return the files *names*, by their place in *folder*, with all that they include.

    LoaderError for a file that is missing, or includes itself through others.
    """
    taken = set[str]()
    return "".join(line for name in names for line in _lines(name, folder, taken, ()))


def _lines(name: str, folder: Path, taken: set[str], above: tuple[str, ...]) -> Iterator[str]:
    if name in above:
        raise LoaderError(f"the BPF sources include each other: {' -> '.join((*above[above.index(name) :], name))}")
    if name in taken:
        return
    taken.add(name)
    yield f'#line 1 "bpf/{name}"\n'
    for number, line in enumerate(_text(name, folder, above).splitlines(keepends=True), start=1):
        if found := _INCLUDE.fullmatch(line):
            yield from _lines(found[1], folder, taken, (*above, name))
            yield f'#line {number + 1} "bpf/{name}"\n'
        else:
            yield line if line.endswith("\n") else f"{line}\n"


def _text(name: str, folder: Path, above: tuple[str, ...]) -> str:
    try:
        return (folder / name).read_text()
    except OSError as error:
        asked = f", which {above[-1]} includes" if above else ""
        raise LoaderError(
            f"cannot read the BPF source {folder / name}{asked}: {error.strerror}", fix="reinstall ppobserve"
        ) from None
