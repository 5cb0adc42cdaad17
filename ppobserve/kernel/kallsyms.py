"""Which functions and variables the kernel has, and where they are."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from ppobserve.errors import KernelFactError

KALLSYMS = Path("/proc/kallsyms")


Ranges = dict[str, tuple[int, int]]
"""Start and end address of functions, by name."""


def look_up(functions: frozenset[str], listed: frozenset[str], path: Path = KALLSYMS) -> tuple[Ranges, dict[str, int]]:
    """Start and end of each of *functions* that is kernel text, and where each of *listed* is, function or variable.

    Compiler clones (``.cold``) are no functions. Addresses are 0 when the kernel hides them (kptr_restrict, or no
    CAP_SYSLOG). KernelFactError when the file is missing, empty, or can't be read.

    One reading, for which the kernel takes 40 ms, searched as one string: a table of all its 120,000 symbols would take
    ten times as long.
    """
    text = _text(path)
    return _ranges(text, functions), _addresses(text, listed)


def _text(path: Path) -> bytes:
    hidden = "a service with ProtectKernelTunables=, or a container, hides that file"
    try:
        if text := path.read_bytes():
            return text
        raise KernelFactError(f"{path} is empty", because=hidden)
    except FileNotFoundError:
        because = "a kernel without CONFIG_KALLSYMS, or /proc mounted with subset=pid"
        raise KernelFactError(f"{path} does not exist", because=because) from None
    except OSError as error:
        raise KernelFactError(f"cannot read {path}: {error.strerror}", because=hidden) from None


class Symbols:
    """Names of code addresses. The file is read once, at the first question: 0.2 s for 200,000 symbols."""

    def __init__(self, path: Path = KALLSYMS) -> None:
        self._path = path
        self._starts: list[int] = []
        self._names: list[str] = []

    def name(self, address: int) -> str:
        """``function+0x12``, with ``[module]`` behind it for a module's; the address itself where no function is near,
        or the kernel hides where they are.
        """
        if not self._names:
            self._read()
        at = bisect_right(self._starts, address) - 1
        if at < 0 or not self._starts[at] or address - self._starts[at] > _FUNCTION_BYTES:
            return f"{address:#x}"
        function, _, module = self._names[at].partition("\t")
        return f"{function}+{address - self._starts[at]:#x}{f' {module}' if module else ''}"

    def _read(self) -> None:
        try:
            lines = self._path.read_text().splitlines()
        except OSError:
            lines = []
        code = (line.split(" ", 2) for line in lines if line[line.find(" ") + 1] in "tTwW")
        found = sorted((int(start, 16), name) for start, _, name in code) or [(0, "")]
        self._starts, self._names = [start for start, _ in found], [name for _, name in found]


_FUNCTION_BYTES = 1 << 20
"""No function is longer; what lies further behind one is between it and the next module."""


def _ranges(text: bytes, wanted: frozenset[str]) -> Ranges:
    places = {name: _place(text, b" %s\n" % name.encode()) for name in wanted}
    return {name: _range(text, at) for name, at in places.items() if at >= 0}


def _addresses(text: bytes, wanted: frozenset[str]) -> dict[str, int]:
    found = {name: text.find(b" %s\n" % name.encode()) for name in wanted}
    return {name: _address(text, text.rfind(b"\n", 0, at) + 1) for name, at in found.items() if at >= 0}


def _place(text: bytes, name: bytes) -> int:
    """Where the line of a vmlinux text symbol begins, or -1. Lines are ``address kind name``; modules' go on."""
    at = text.find(name)
    while at >= 0 and text[at - 1 : at] not in (b"t", b"T"):
        at = text.find(name, at + 1)
    return text.rfind(b"\n", 0, at) + 1 if at >= 0 else -1


def _range(text: bytes, at: int) -> tuple[int, int]:
    """The function's start and that of the next symbol: the table is sorted by address (scripts/kallsyms.c)."""
    start = _address(text, at)
    end = start
    while start and end <= start and (at := text.find(b"\n", at) + 1) and at < len(text):
        end = _address(text, at)
    return start, end


def _address(text: bytes, at: int) -> int:
    return int(text[at : text.index(b" ", at)], 16)
